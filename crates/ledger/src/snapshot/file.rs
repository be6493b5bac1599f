use std::io::Read;

use crypto::Digest;

use super::{SnapshotName, scan::Scan};
use crate::{LedgerError, receipt::Receipt};

/// What a snapshot file says of itself, with the digest of its entry.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(crate) name: SnapshotName,
    /// SHA-256 of the entry.
    pub(crate) digest: Digest,
    /// The leaf of transaction `seqno`.
    pub(crate) leaf: Digest,
    pub(crate) receipt: Option<Receipt>,
}

impl Snapshot {
    /// Reads a snapshot, and checks what can be checked with neither ledger nor ledger secret: its structure, and that its
    /// receipt is about its entry.
    ///
    /// # Errors
    /// What differs; an I/O error.
    pub fn read(name: SnapshotName, reader: impl Read) -> Result<Self, LedgerError> {
        let Scan { digest, leaf, receipt, .. } = Scan::read(name, reader, None)?;
        Ok(Self { name, digest, leaf, receipt })
    }

    /// The name of its file.
    #[must_use]
    pub fn name(&self) -> SnapshotName {
        self.name
    }
}
