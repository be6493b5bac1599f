//! Async client of a service: TLS, COSE requests, receipts checked, pins kept
