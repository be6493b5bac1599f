use crypto::{AesKey, Digest};
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
    pub(crate) snapshot: bool,
    /// It says of a snapshot that it was taken: no reason to take another one.
    pub(crate) is_evidence: bool,
    pub(crate) next_secret: Option<AesKey>,
    pub(crate) precedence: bool,
}

/// Memory of a transaction besides its bytes: what it has read, and the way back of its answer.
const OVERHEAD: usize = 1 << 10;

impl Transaction {
    /// What `tx` came to.
    #[must_use]
    pub fn new(tx: Tx, claims_digest: Digest) -> Self {
        let (reads, writes) = tx.into_parts();
        Self::of(reads, writes, claims_digest)
    }

    /// What says that there is a snapshot with this digest.
    pub(crate) fn evidence(writes: WriteSet, digest: Digest) -> Self {
        Self { is_evidence: true, ..Self::of(ReadSet::default(), writes, digest) }
    }

    fn of(reads: ReadSet, writes: WriteSet, claims_digest: Digest) -> Self {
        let domains = Domains::from_writes(&writes);
        let (chunk_after, snapshot, is_evidence, next_secret, precedence) = (false, false, false, None, false);
        Self { reads, writes, domains, claims_digest, chunk_after, snapshot, is_evidence, next_secret, precedence }
    }

    /// The same transaction, behind whose signature a new chunk file starts.
    #[must_use]
    pub fn with_chunk_after(mut self) -> Self {
        self.chunk_after = true;
        self
    }

    /// The same transaction, behind whose signature a snapshot is taken, if the ledger has any; there a new chunk file
    /// starts.
    #[must_use]
    pub fn with_snapshot(mut self) -> Self {
        self.snapshot = true;
        self
    }

    /// The same transaction, behind which `secret` is the ledger secret: one that was never used and is kept safe already.
    /// The transaction must write the record that introduces it (a rekey).
    #[must_use]
    pub fn with_next_secret(mut self, secret: AesKey) -> Self {
        self.next_secret = Some(secret);
        self
    }

    /// The same transaction, which still finds room where no more of the others may wait: so that whoever floods the
    /// application cannot keep the members from governing.
    #[must_use]
    pub fn with_precedence(mut self) -> Self {
        self.precedence = true;
        self
    }

    /// About how much memory it takes while it waits: its values are there as they are written and as ledger.
    pub(crate) fn memory(&self) -> usize {
        2 * self.domains.entry_len() + OVERHEAD
    }
}
