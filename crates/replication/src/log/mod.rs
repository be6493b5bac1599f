//! The raft log of a node: segment files in a directory of their own.
//!
//! # What a crash leaves
//!
//! One call of openraft is one *frame*, one write and one `fdatasync`, and nothing is written behind a frame before its
//! sync has succeeded. So a crash can tear only the last frame of the last segment. On opening, an incomplete last
//! frame is cut and reported; a fault anywhere else was durable once and is refused.
//!
//! # What the host may do
//!
//! Each frame carries a MAC, under a key the host does not know, over its bytes and the MAC of the frame before it. So
//! the host can neither change, drop, reorder nor insert frames, nor mix logs. What it can do is what this module
//! cannot see: put back an older state of the whole directory, or cut frames off the end, which looks like a crash.
//! Rewinding is detected by those who pin what they saw, not here.
//!
//! # Format, version 1
//!
//! All numbers are little-endian. A segment `segment-<number, 16 digits>.log` is 12 bytes `cgs raft log`, a `u32`
//! version, and frames up to the first that is missing; zeros follow to the preallocated size.
//!
//! | bytes | frame |
//! |---|---|
//! | 4 | `cgsF` |
//! | 4 | length of the body |
//! | 8 | number of the frame: one more than the frame before it, across segments |
//! | 8 | tag: the first bytes of the HMAC-SHA256 of the 16 bytes before, under the header key |
//! | 32 | MAC of the frame before |
//! | n | body: records; zeros up to a total that 8 divides |
//! | 32 | MAC: HMAC-SHA256 of everything before, under the frame key |
//! | 4 | CRC-32 of everything before |
//!
//! A frame whose checksum fits was written as a whole, so if its MAC does not fit then no crash did that. The tag lets a
//! search for frames behind a fault reject what is none without reading on, whatever a batch contains.
//!
//! | kind | record |
//! |---|---|
//! | 1 | first of a segment: number `u64`, then vote, purge mark and last index at that time, each behind a flag byte |
//! | 2 | blank entry: term `u64`, index `u64` |
//! | 3 | batch: term, index, length `u32`, bytes |
//! | 4 | membership: term, index, length `u32`, JSON |
//! | 5 | vote: term `u64`, flag byte and node `u64`, committed `u8` |
//! | 6 | truncated: entries from this index `u64` on do not count |
//! | 7 | purged: term, index of the last entry that is not needed any more |
//!
//! Since each segment begins with the state so far, the oldest ones can be removed once their entries are purged: mark
//! synced first, then file by file, oldest first, with the directory synced after each.

mod encoding;
mod error;
mod frame;
mod memory;
mod open;
mod record;
mod segment;
mod storage;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crypto::Zeroizing;
use disk::Disk;

pub use error::LogError;
use memory::Memory;
use record::Record;
pub use storage::LogReader;
use writer::Writer;

use crate::{
    planted::{self, Fault},
    types::TypeConfig,
};

/// An entry of the raft log.
pub type Entry = openraft::Entry<TypeConfig>;
/// Term and index of an entry.
pub type LogId = openraft::LogId<u64>;
/// Whom a node has voted for, in which term.
pub type Vote = openraft::Vote<u64>;

/// Size of a segment file unless configured otherwise: 16 MiB.
pub const DEFAULT_SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// The most bytes of records one frame takes, and so the longest batch: 64 MiB.
pub const MAX_FRAME_BYTES: usize = 64 * 1024 * 1024;

/// Entries appended together share a frame up to this many bytes; a longer one has a frame of its own.
const FRAME_BYTES: usize = 8 * 1024 * 1024;

/// How to open a log.
pub struct LogOptions {
    /// Bytes of a segment file, preallocated. A longer frame gets a longer file.
    pub segment_bytes: u64,
    /// The secret that authenticates this log, and no other.
    pub mac_key: Zeroizing<[u8; 32]>,
}

impl LogOptions {
    /// Segments of [`DEFAULT_SEGMENT_BYTES`].
    #[must_use]
    pub fn new(mac_key: [u8; 32]) -> Self {
        Self { segment_bytes: DEFAULT_SEGMENT_BYTES, mac_key: Zeroizing::new(mac_key) }
    }
}

impl std::fmt::Debug for LogOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogOptions").field("segment_bytes", &self.segment_bytes).finish_non_exhaustive()
    }
}

/// What opening a log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The incomplete last frame, if a crash had left one.
    pub cut: Option<Cut>,
    /// Number of segment files.
    pub segments: usize,
    /// Number of entries that are not purged.
    pub entries: usize,
    /// The last purged entry.
    pub purged: Option<LogId>,
    /// The last entry, purged or not.
    pub last: Option<LogId>,
    /// The last vote.
    pub vote: Option<Vote>,
}

/// An incomplete frame that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The segment file.
    pub file: PathBuf,
    /// Where the frame began, in bytes from the start of the file.
    pub offset: u64,
    /// Bytes from there to the last that was not zero; they are zero now.
    pub bytes: u64,
}

/// The raft log of one node. It keeps every entry that is not purged in memory; the files are read on opening only.
///
/// Writes block the thread they run on: the log belongs on a runtime of its own.
///
/// After a failed write or sync it is poisoned: every later write fails with [`LogError::Poisoned`], and the process must
/// stop.
pub struct SegmentLog {
    memory: Shared,
    writer: Writer,
}

type Shared = Arc<RwLock<Memory>>;

impl SegmentLog {
    /// Opens the log in `dir`, or makes a new one if there is no segment. Everything found is durable when this
    /// returns. One process at a time: the caller holds a lock.
    ///
    /// # Errors
    /// [`LogError::Disk`]; any other variant if something is wrong with the files that no crash explains: then nothing
    /// was changed, and the text says what to do.
    pub fn open(disk: Arc<dyn Disk>, dir: PathBuf, options: LogOptions) -> Result<(Self, Opened), LogError> {
        let (memory, writer, opened) = open::open(disk, dir, &options)?;
        Ok((Self { memory: Arc::new(RwLock::new(memory)), writer }, opened))
    }

    /// The entries that are not purged, in order, as they are now. Batches are shared, not copied.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + use<> {
        self.memory().range(&(..)).into_iter()
    }

    /// The last entry, purged or not.
    #[must_use]
    pub fn last_log_id(&self) -> Option<LogId> {
        self.memory().last()
    }

    /// The last purged entry.
    #[must_use]
    pub fn purged(&self) -> Option<LogId> {
        self.memory().purged()
    }

    /// The last vote.
    #[must_use]
    pub fn vote(&self) -> Option<Vote> {
        self.memory().vote()
    }

    fn append_entries(&mut self, mut entries: Vec<Entry>) -> Result<(), LogError> {
        // What is purged was committed, so an entry there says nothing new.
        entries.retain(|entry| self.purged().is_none_or(|purged| entry.log_id.index > purged.index));
        self.memory().check_entries(&entries)?;
        let mut frame = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            let size = record::size_hint(&entry);
            if bytes + size > FRAME_BYTES && !frame.is_empty() {
                self.write(std::mem::take(&mut frame))?;
                bytes = 0;
            }
            bytes += size;
            frame.push(Record::Entry(entry));
        }
        if frame.is_empty() { Ok(()) } else { self.write(frame) }
    }

    fn set_vote(&mut self, vote: Vote) -> Result<(), LogError> {
        if planted::is(Fault::VoteNotWritten) {
            self.memory_mut().apply(Record::Vote(vote));
            return Ok(());
        }
        self.write(vec![Record::Vote(vote)])
    }

    fn truncate_since(&mut self, index: u64) -> Result<(), LogError> {
        if !self.memory().truncates(index)? {
            return Ok(());
        }
        self.write(vec![Record::Truncate { since: index }])
    }

    fn purge_upto(&mut self, upto: LogId) -> Result<(), LogError> {
        if self.purged().is_some_and(|purged| purged.index >= upto.index) {
            return Ok(());
        }
        self.write(vec![Record::Purge { upto }])?;
        self.writer.remove_purged(Some(upto.index))
    }

    /// Makes the records durable as one frame, and only then visible.
    fn write(&mut self, records: Vec<Record>) -> Result<(), LogError> {
        let summary = self.memory().summary();
        self.writer.write(&records, summary)?;
        let mut memory = self.memory_mut();
        records.into_iter().for_each(|record| memory.apply(record));
        Ok(())
    }

    fn memory(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory_mut(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
