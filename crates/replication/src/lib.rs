//! openraft: ordered batches in, durable committed batches out; segment log, peers
