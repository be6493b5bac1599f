//! The bytes of the ledger: entries, Merkle tree, signatures, receipts, chunk files, verification
