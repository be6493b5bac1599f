use std::path::PathBuf;

use disk::DiskError;

/// Why the raft log cannot be opened or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The disk failed.
    #[error("the raft log cannot use its disk: {0}")]
    Disk(#[from] DiskError),
    /// Something that was durable is not what it was.
    #[error(
        "{} is damaged at byte {offset}, behind {}: {fault}. Nothing was changed. Let this node join again with an empty \
         state directory; if it is the last one, recover the service from its ledger",
        file.display(), position(*index)
    )]
    Damaged {
        /// The segment file.
        file: PathBuf,
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// Index of the last log entry before the fault.
        index: Option<u64>,
        /// What is wrong.
        fault: &'static str,
    },
    /// The first frame is whole, but not under the key of this log.
    #[error(
        "{} (byte {offset}) was written under another key: it belongs to another node, or the sealed state beside it was \
         replaced. Nothing was changed. Restore the state directory as a whole, or let this node join again with an empty one",
        file.display()
    )]
    WrongKey {
        /// The segment file.
        file: PathBuf,
        /// Where its first frame begins.
        offset: u64,
    },
    /// A segment of a format this build does not know.
    #[error(
        "{} has version {version} of the raft log; this build knows version {known}. Nothing was changed. Start the build \
         that wrote it, or let this node join again with an empty state directory",
        file.display()
    )]
    UnknownVersion {
        /// The segment file.
        file: PathBuf,
        /// The version found.
        version: u32,
        /// The version this build reads and writes.
        known: u32,
    },
    /// A segment file is not there.
    #[error(
        "{} is missing, behind {}, though a later segment is there. Nothing was changed. Put it back, or let this node \
         join again with an empty state directory; if it is the last one, recover the service from its ledger",
        file.display(), position(*index)
    )]
    MissingSegment {
        /// The segment file that should be there.
        file: PathBuf,
        /// Index of the last log entry before it.
        index: Option<u64>,
    },
    /// The first segments are gone though their entries are still needed.
    #[error(
        "the log entries {first} to {last} are missing: {} is the first segment, and the files before it are gone. Nothing \
         was changed. Put them back, or let this node join again with an empty state directory; if it is the last one, \
         recover the service from its ledger",
        file.display()
    )]
    MissingEntries {
        /// The first segment file that is there.
        file: PathBuf,
        /// Index of the first entry that is missing.
        first: u64,
        /// Index of the last entry that is missing.
        last: u64,
    },
    /// An entry does not follow the one before it.
    #[error(
        "log entry {found} cannot follow: the next index is {expected}. This is a fault of the caller; nothing was written"
    )]
    Hole {
        /// The index that would follow.
        expected: u64,
        /// The index that was given.
        found: u64,
    },
    /// A truncation would reach into what is purged, which is committed.
    #[error("cannot truncate from log entry {since} on: entries up to {purged} are purged, so they were committed")]
    TruncatesPurged {
        /// First index to truncate.
        since: u64,
        /// Last purged index.
        purged: u64,
    },
    /// A frame would be too long.
    #[error("a log frame of {bytes} bytes is above the limit of {limit}: make batches smaller")]
    FrameTooLong {
        /// Bytes of its records.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A membership cannot be written as JSON.
    #[error("the membership of log entry {index} cannot be encoded: {reason}")]
    Membership {
        /// Index of the entry.
        index: u64,
        /// Why.
        reason: String,
    },
    /// A write or sync failed before.
    #[error("the raft log takes no more writes; this process must stop. The first failure was: {first}")]
    Poisoned {
        /// Text of the first failure.
        first: String,
    },
}

fn position(index: Option<u64>) -> String {
    index.map_or_else(|| "no log entry".to_owned(), |index| format!("log entry {index}"))
}
