use std::path::PathBuf;

use kv::{Conflict, State};
use ledger::LedgerError;

/// Why a ledger could not be opened or written. Each text names the file or the seqno and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicationError {
    /// The raft log is not what this node wrote.
    #[error(transparent)]
    Log(#[from] crate::log::LogError),
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
    /// Bytes of the ledger are not what they must be.
    #[error(
        "{file}: seqno {seqno}: {source}. The ledger was changed or damaged after it was written, or the ledger secrets beside it are of another day: restore both directories from one copy whose ledger verifies (`cgs ledger verify`)"
    )]
    Ledger {
        /// The file, or `raft log`.
        file: String,
        /// The transaction at which it shows.
        seqno: u64,
        /// What differs.
        source: LedgerError,
    },
    /// Two places that hold the same transactions differ.
    #[error(
        "{file}: seqno {seqno} differs from the raft log. One of the two was changed after it was written: restore both directories from the same copy"
    )]
    Diverged {
        /// The chunk file.
        file: String,
        /// The first transaction that differs.
        seqno: u64,
    },
    /// A part of the ledger is not there.
    #[error(
        "{place}: {missing}. Put the missing file back, or start with `command.type` Recover from the ledger files that there are"
    )]
    Missing {
        /// Where it was looked for.
        place: PathBuf,
        /// What is missing.
        missing: String,
    },
    /// A file that says how far the ledger files reach is not what this node wrote.
    #[error("{file}: {why}. Restore the state directory from the copy that belongs to the ledger directory")]
    Covered {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A snapshot is not what this service wrote, or not of this ledger.
    #[error(
        "{file}: {source}. The snapshot was changed or damaged after it was written, or is of another ledger: remove it, and the start takes the one before it, or reads the whole ledger"
    )]
    Snapshot {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        source: LedgerError,
    },
    /// The ledger ends before a snapshot of it was complete.
    #[error(
        "{file}: seqno {evidence} of the ledger says that this snapshot was taken, but the ledger ends at {last}: an older copy of it was put back. Restore ledger and state directory as they were; only if what came after is to be given up, remove the snapshot"
    )]
    Ahead {
        /// The snapshot.
        file: PathBuf,
        /// The transaction that the ledger had.
        evidence: u64,
        /// The last one that it has.
        last: u64,
    },
    /// The ledger was to be gone on with under a secret that may have been used before.
    #[error("the ledger secret for seqno {next} is not a fresh one that applies from there on")]
    NotFresh {
        /// The next seqno.
        next: u64,
    },
    /// openraft gave up.
    #[error("consensus stopped: {0}")]
    Raft(String),
    /// The commit thread could not be started.
    #[error("cannot start the commit thread: {0}")]
    Thread(std::io::Error),
}

impl ReplicationError {
    pub(crate) fn ledger(file: impl ToString, seqno: u64, source: impl Into<LedgerError>) -> Self {
        Self::Ledger { file: file.to_string(), seqno, source: source.into() }
    }
}

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Something that the transaction read has changed: run it again, on `head`.
    #[error("{why}")]
    Conflict {
        /// What has changed.
        why: Conflict,
        /// The state that includes everything that is being written.
        head: Box<State>,
    },
    /// The transaction is larger than a batch may be.
    #[error("the transaction takes {bytes} bytes of ledger; at most {limit} are possible")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// What the transaction says about ledger secrets is not what would become of them: it was decided on another
    /// state.
    #[error("the transaction does not lead from the ledger secret in use to the one that is to follow it")]
    Secret,
    /// As many transactions wait for the commit thread as may, by number or by memory. Nothing came of this one.
    #[error("{waiting} transactions are waiting to be written, and there is no room for more")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// The node is stopping, or has stopped because it could not write. The transaction may have been committed.
    #[error("the node is stopping")]
    Stopping,
}
