use crypto::Digest;
use kv::{ReadSet, Tx, WriteSet};
use ledger::entry::Domains;

/// A finished transaction, ready to be placed: what it read, what it changes, and those changes as bytes.
///
/// The bytes are laid out here, on the caller's thread, so that the commit thread has less to do.
pub struct Transaction {
    pub(crate) reads: ReadSet,
    pub(crate) writes: WriteSet,
    pub(crate) domains: Domains,
    pub(crate) claims_digest: Digest,
    pub(crate) chunk_after: bool,
}

impl Transaction {
    /// What `tx` came to.
    #[must_use]
    pub fn new(tx: Tx, claims_digest: Digest) -> Self {
        let (reads, writes) = tx.into_parts();
        let domains = Domains::from_writes(&writes);
        Self { reads, writes, domains, claims_digest, chunk_after: false }
    }

    /// The same transaction, behind whose signature a new chunk file starts.
    #[must_use]
    pub fn with_chunk_after(mut self) -> Self {
        self.chunk_after = true;
        self
    }
}
