//! Snapshots: the state behind a batch in a file of its own, with which the next start begins (CCF's format and names,
//! [`ledger::snapshot`]).
//!
//! # Taking one
//!
//! A snapshot is due behind a batch when a transaction asks for it, or when `tx_count` transactions *and* as many
//! bytes as the last one had have come since (D34). That batch ends its chunk file, so that a start which begins
//! behind it need not read into a file. The state is immutable and shared, so the commit thread only hands it over; a
//! thread of its own writes it, and has the evidence (who claims the digest of the bytes) committed like any other
//! transaction. Then the receipt of the evidence is put behind the bytes, the file is synced, and gets its name.
//! Before that its name does not begin with `snapshot_`: nobody takes it for one, and the next start removes it.
//!
//! One is written at a time. One more, if somebody has asked for it, waits; a later one takes its place.
//!
//! # What can go wrong
//!
//! Nothing that was answered rests on a snapshot, so a disk that fails while one is written stops nothing: it is given
//! up, logged and counted, and tried again `tx_count` transactions later. That holds for a failed sync too, after
//! which this process must not believe what the file holds: it never gets its name, and the next attempt writes
//! another file from memory. Evidence without a file is harmless.
//!
//! The host can change the file while it is written, or later. The digest that is claimed is that of the bytes as they
//! were made, never of what was read back; whoever reads the file compares ([`ledger::snapshot::restore`]).
//!
//! # Beginning with one
//!
//! A start takes the newest file that is complete. It must be good: its receipt leads to the key of this service, it
//! is what the receipt claims, it opens with the ledger secret of its place. What the ledger has behind it is read as
//! always, every signature over the tree that the snapshot began; and the ledger must have the evidence, which was
//! durable before the file had its name. So a snapshot of a fork does not fit, and one that an older ledger does not
//! reach yet shows that the ledger was put back. No crash leaves any of this, so it is refused, by name.

mod base;
mod due;
mod file;
mod queue;
mod setup;
mod taking;

use std::{path::PathBuf, time::Duration};

use crypto::Certificate;
use ledger::snapshot::SnapshotName;

pub(crate) use base::{Base, Found, newest};
pub(crate) use due::Occasions;
pub(crate) use file::remove_unfinished;
pub(crate) use queue::{Job, Queue};
pub(crate) use setup::Setup;
pub(crate) use taking::Taker;

/// Where snapshots are kept and when they are taken.
#[derive(Debug, Clone)]
pub struct SnapshotOptions {
    /// Where they are written, and read from.
    pub directory: PathBuf,
    /// Where others lie, which are only read.
    pub read_only_directory: Option<PathBuf>,
    /// Transactions between two snapshots, at least.
    pub tx_count: u64,
    /// The certificate of the service: whose evidence counts.
    pub service_certificate: Certificate,
}

/// What became of snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotStatus {
    /// The last one that is complete, found at the start or taken since.
    pub last: Option<SnapshotName>,
    /// Bytes of its file.
    pub bytes: u64,
    /// How long it took, if this process has taken it.
    pub took: Option<Duration>,
    /// How many this process has taken.
    pub taken: u64,
    /// How many could not be taken.
    pub failures: u64,
    /// Whether one is being written, or waits for that.
    pub writing: bool,
}
