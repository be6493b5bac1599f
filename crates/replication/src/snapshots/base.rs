use std::path::{Path, PathBuf};

use crypto::{AesKey, Digest};
use disk::Disk;
use kv::TxId;
use ledger::{
    LedgerError, entry,
    secrets::LedgerSecrets,
    snapshot::{self, Restored, SnapshotName},
};

use super::SnapshotOptions;
use crate::{ReplicationError, replay::ROOT_OF_SIGNATURE, store::FileAt};

/// A snapshot that is good, as far as it can be told without the ledger.
pub(crate) struct Found {
    base: Base,
    restored: Restored,
}

impl Found {
    /// What is compared with the ledger, and what the ledger is read behind.
    pub(crate) fn into_parts(self) -> (Base, Restored) {
        (self.base, self.restored)
    }
}

/// The snapshot that a ledger is read behind.
pub(crate) struct Base {
    pub(crate) name: SnapshotName,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    file: PathBuf,
    digest: Digest,
    evidence: TxId,
    /// Whether a signature of the ledger covers it.
    fits: bool,
}

/// The newest complete snapshot, if there is any.
///
/// # Errors
/// It is not good, in a way that no crash explains.
pub(crate) fn newest(
    disk: &dyn Disk,
    options: &SnapshotOptions,
    secrets: &LedgerSecrets,
    candidates: &[AesKey],
) -> Result<Option<Found>, ReplicationError> {
    let mut all = names(disk, &options.directory)?;
    if let Some(directory) = &options.read_only_directory {
        all.append(&mut names(disk, directory)?);
    }
    // Of two with the same name, the first one.
    let newest = all.into_iter().rev().max_by_key(|(name, _)| (name.seqno, name.evidence));
    newest.map(|(name, file)| read(disk, options, (name, file), secrets, candidates)).transpose()
}

/// The complete snapshots in a directory, with their files.
fn names(disk: &dyn Disk, directory: &Path) -> Result<Vec<(SnapshotName, PathBuf)>, ReplicationError> {
    let mut found = Vec::new();
    for name in if disk.exists(directory)? { disk.list(directory)? } else { Vec::new() } {
        let file = directory.join(&name);
        if SnapshotName::is_snapshot(&name) {
            let name: SnapshotName = name.parse().map_err(|why| wrong(&file, why))?;
            found.extend(name.committed.then_some((name, file)));
        }
    }
    Ok(found)
}

fn read(
    disk: &dyn Disk,
    options: &SnapshotOptions,
    (name, file): (SnapshotName, PathBuf),
    secrets: &LedgerSecrets,
    candidates: &[AesKey],
) -> Result<Found, ReplicationError> {
    let opened = disk.open_read(&file)?;
    let bytes = opened.len()?;
    let reader = FileAt { file: &*opened, at: 0 };
    let restored = snapshot::restore(name, reader, secrets, candidates, &options.service_certificate);
    let restored = restored.map_err(|why| match why {
        // The file is as it was written: what does not fit are the secrets.
        LedgerError::UnknownSecret { .. } => ReplicationError::ledger(name, name.seqno, why),
        why => wrong(&file, why),
    })?;
    let (digest, evidence) = (restored.digest, restored.evidence);
    Ok(Found { base: Base { name, bytes, file, digest, evidence, fits: false }, restored })
}

fn wrong(file: &Path, source: LedgerError) -> ReplicationError {
    ReplicationError::Snapshot { file: file.to_owned(), source }
}

impl Base {
    /// Something about the snapshot is wrong.
    pub(crate) fn wrong(&self, source: LedgerError) -> ReplicationError {
        wrong(&self.file, source)
    }

    /// Compares with the next entry of the ledger, which became of `replayed`. `last` is the last transaction and the
    /// last signature now.
    pub(crate) fn check(
        &mut self,
        (last, signed): (TxId, u64),
        bytes: &[u8],
        replayed: Result<u8, ReplicationError>,
    ) -> Result<u8, ReplicationError> {
        let flags = replayed.map_err(|why| self.blame(why))?;
        self.fits |= signed > self.name.seqno;
        if last.seqno == self.evidence.seqno {
            self.check_evidence(last, bytes).map_err(|why| self.wrong(why))?;
        }
        Ok(flags)
    }

    /// The first signature behind the snapshot covers the tree that it began. If it does not fit, the snapshot is of
    /// another ledger than the files beside it.
    fn blame(&self, why: ReplicationError) -> ReplicationError {
        match why {
            ReplicationError::Ledger { source: source @ LedgerError::Differs { field, .. }, .. }
                if !self.fits && field == ROOT_OF_SIGNATURE =>
            {
                self.wrong(source)
            }
            why => why,
        }
    }

    fn check_evidence(&self, last: TxId, bytes: &[u8]) -> Result<(), LedgerError> {
        let entry = entry::decode(bytes)?;
        let (expected, got) = (Some(self.digest), entry.claims_digest);
        if (last, got) == (self.evidence, expected) {
            return Ok(());
        }
        let field = "evidence of the snapshot";
        let text = |digest: Option<Digest>| digest.map_or_else(|| "none".to_owned(), hex::encode);
        let expected = format!("{} with digest {}", self.evidence, text(expected));
        Err(LedgerError::Differs { field, expected, got: format!("{last} with {}", text(got)) })
    }

    /// The ledger ends with seqno `last`: it must have the evidence.
    pub(crate) fn check_reached(&self, last: u64) -> Result<(), ReplicationError> {
        if last > self.evidence.seqno {
            return Ok(());
        }
        Err(ReplicationError::Ahead { file: self.file.clone(), evidence: self.evidence.seqno, last })
    }
}
