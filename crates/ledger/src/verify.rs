//! Verification of a whole ledger, offline: structure of the files, order of the transactions, every signature, and
//! that nothing was changed, left out or added since it was signed.

mod check;
mod handover;
mod network;
mod snapshot;
mod validator;
mod walk;

pub use network::ServiceSeen;
pub use snapshot::{SnapshotSeen, Voucher};
pub use validator::Validator;

pub use crate::snapshot::SnapshotName;

use std::{
    fmt,
    io::{Read, Seek},
    path::Path,
};

use crypto::Certificate;
use kv::TxId;

use crate::{
    LedgerError,
    chunk::{ChunkName, ChunkReader, Selection},
    files,
    secrets::LedgerSecrets,
    snapshot::Snapshot,
};
use walk::Walk;

/// What is verified, and against what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Which files are read.
    pub selection: Selection,
    /// The service that must be the one at the end of the ledger. Without it anybody's ledger verifies that is
    /// consistent in itself, so the caller has to compare the services in the report.
    pub service: Option<&'a Certificate>,
    /// Ledger secrets: private domains are decrypted too, and commit evidence is recomputed.
    pub secrets: Option<&'a LedgerSecrets>,
    /// A chunk that is still written may end inside an entry: the ledger of a node that runs or was killed.
    pub incomplete_tail: bool,
}

/// What a verified ledger contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of chunk files.
    pub chunks: usize,
    /// The first transaction.
    pub first: Option<TxId>,
    /// The last transaction.
    pub last: Option<TxId>,
    /// The last signature transaction. Everything before it is verified; of this transaction itself, the signed parts.
    pub verified: Option<TxId>,
    /// Number of signature transactions.
    pub signatures: u64,
    /// Number of those that the service signed too (COSE).
    pub cose_signatures: u64,
    /// Number of transactions with private writes.
    pub private: u64,
    /// Each certificate and status of the service, in the order of the ledger.
    pub services: Vec<ServiceSeen>,
    /// Number of links in the chain of service identities.
    pub endorsements: u64,
    /// The snapshots beside the ledger.
    pub snapshots: Vec<SnapshotSeen>,
    /// Bytes of an unfinished entry at the end ([`Options::incomplete_tail`]).
    pub incomplete_tail: u64,
}

impl Report {
    /// The number of transactions behind the last signature: nothing vouches for them yet.
    #[must_use]
    pub fn unverified_tail(&self) -> u64 {
        let seqno = |tx_id: Option<TxId>| tx_id.map_or(0, |tx_id| tx_id.seqno);
        seqno(self.last) - seqno(self.verified)
    }
}

/// Why a ledger does not verify: where, and what differs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub struct VerifyError {
    /// The chunk file, or the directory if it is about several files.
    pub file: String,
    /// The transaction, if it is about one.
    pub seqno: Option<u64>,
    /// What differs.
    pub source: LedgerError,
}

impl VerifyError {
    /// A fault in a file.
    pub fn new(file: impl fmt::Display, seqno: Option<u64>, source: LedgerError) -> Self {
        Self { file: file.to_string(), seqno, source }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(seqno) = self.seqno {
            write!(f, ", seqno {seqno}")?;
        }
        write!(f, ": {}", self.source)
    }
}

/// How far verification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The chunk that is being read.
    pub file: ChunkName,
    /// The last transaction that was checked.
    pub seqno: u64,
    /// Bytes of all transactions that were checked.
    pub bytes: u64,
}

/// Verifies the ledger in a directory, and the snapshots in there.
///
/// # Errors
/// The first fault, with file and seqno.
pub fn verify_directory(directory: &Path, options: Options<'_>) -> Result<Report, VerifyError> {
    verify_directories(directory, &[], options, &mut |_| {})
}

/// Verifies the ledger in a directory, and the snapshots in there and in other directories.
///
/// # Errors
/// The first fault, with file and seqno.
pub fn verify_directories(
    directory: &Path,
    snapshots: &[&Path],
    options: Options<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, VerifyError> {
    let names = files::chunks(directory, options.selection).map_err(|source| fault(directory, source))?;
    let mut read = Vec::new();
    for directory in [directory].iter().chain(snapshots) {
        for name in files::snapshots(directory).map_err(|source| fault(directory, source))? {
            let snapshot = files::read_snapshot(directory, name);
            read.push(snapshot.map_err(|source| VerifyError::new(name, Some(name.seqno), source))?);
        }
    }
    verify_chunks(&names, |name| files::open(directory, name), read, options, progress)
}

fn fault(directory: &Path, source: LedgerError) -> VerifyError {
    VerifyError::new(directory.display(), None, source)
}

/// Verifies a ledger whose chunks are opened by `open`; `names` come from [`sequence`](crate::chunk::sequence).
///
/// # Errors
/// The first fault, with file and seqno.
pub fn verify_chunks<R: Read + Seek>(
    names: &[ChunkName],
    mut open: impl FnMut(ChunkName) -> Result<ChunkReader<R>, LedgerError>,
    snapshots: Vec<Snapshot>,
    options: Options<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, VerifyError> {
    let mut walk = Walk::new(names, snapshots, options, progress);
    walk.check_start()?;
    for name in names {
        let reader = open(*name).map_err(|source| walk.fault(*name, None, source))?;
        walk.chunk(reader)?;
    }
    walk.finish()
}
