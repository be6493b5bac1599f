use std::path::{Path, PathBuf};

use disk::{Disk, DiskFile};

use super::LogError;
use super::encoding::Reader;
use super::record::Record;
use crate::planted::{self, Fault as Planted};

/// The version of the format that this build reads and writes.
pub(super) const VERSION: u32 = 1;
/// Bytes before the first frame.
pub(super) const PREAMBLE: usize = 16;

const MAGIC: [u8; 12] = *b"cgs raft log";
/// Behind the name of a segment that is being made.
const UNFINISHED: &str = ".new";

/// A segment file that is complete.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) path: PathBuf,
    /// Index of the last entry in it that was not truncated.
    pub(super) last: Option<u64>,
}

/// The segment file that is written to.
pub(super) struct Active {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    /// Where the next frame begins.
    pub(super) offset: u64,
    /// Bytes of the file.
    pub(super) size: u64,
    /// Index of the last entry in it that was not truncated.
    pub(super) last: Option<u64>,
}

impl Active {
    pub(super) fn close(self) -> Closed {
        Closed { path: self.path, last: self.last }
    }

    /// Makes a segment that holds one frame, durable with its name. Until then no file has that name, so a segment
    /// always has its first frame.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &Path,
        number: u64,
        size: u64,
        first_frame: &[u8],
    ) -> Result<Self, LogError> {
        let path = path(dir, number);
        let unfinished = dir.join(name(number) + UNFINISHED);
        if disk.exists(&unfinished)? {
            disk.remove(&unfinished)?; // left by a crash
        }
        let mut file = disk.create_new(&unfinished)?;
        let start = [preamble().as_slice(), first_frame].concat();
        file.preallocate(size)?;
        file.write_at(0, &start)?;
        if planted::is(Planted::SegmentRenamedFirst) {
            disk.rename(&unfinished, &path)?;
            file.sync_all("new segment of the raft log")?;
        } else {
            file.sync_all("new segment of the raft log")?;
            disk.rename(&unfinished, &path)?;
        }
        disk.sync_dir(dir, "name of a new segment of the raft log")?;
        let file = disk.open(&path)?; // under the name that errors shall say
        Ok(Self { file, path, number, offset: start.len() as u64, size, last: None })
    }
}

/// Follows which segment holds which entries: the last index in each of the older ones, and in the newest, behind a record.
pub(super) fn account<'a>(
    older: impl Iterator<Item = &'a mut Option<u64>>,
    newest: &'a mut Option<u64>,
    record: &Record,
) {
    match record {
        Record::Entry(entry) => *newest = Some(entry.log_id.index),
        Record::Truncate { since } => older.chain([newest]).for_each(|last| *last = truncated(*last, *since)),
        Record::Segment { .. } | Record::Vote(_) | Record::Purge { .. } => {}
    }
}

fn truncated(last: Option<u64>, since: u64) -> Option<u64> {
    last.and_then(|last| if last >= since { since.checked_sub(1) } else { Some(last) })
}

/// The path of a segment.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(name(number))
}

fn name(number: u64) -> String {
    format!("segment-{number:016}.log")
}

/// The number in the name of a segment; `None` for another file.
pub(super) fn number(file_name: &str) -> Option<u64> {
    let number = file_name.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok()?;
    (name(number) == file_name).then_some(number)
}

fn preamble() -> Vec<u8> {
    [MAGIC.as_slice(), &VERSION.to_le_bytes()].concat()
}

/// The version a segment says it has; `None` if it does not begin like one.
pub(super) fn version(bytes: &[u8]) -> Option<u32> {
    let mut reader = Reader(bytes);
    (reader.array()? == MAGIC).then(|| reader.u32()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_fit() {
        assert_eq!(path(Path::new("/log"), 17), Path::new("/log/segment-0000000000000017.log"));
        assert_eq!(number("segment-0000000000000017.log"), Some(17));
        for other in ["segment-17.log", "segment-0000000000000017.log.new", "segment-+000000000000017.log", "lock"] {
            assert_eq!(number(other), None, "{other}");
        }
    }

    #[test]
    fn the_preamble_says_the_version() {
        assert_eq!(preamble().len(), PREAMBLE);
        assert_eq!(version(&preamble()), Some(VERSION));
        assert_eq!(version(b"cgs raft lag\x01\0\0\0"), None);
        assert_eq!(version(b"cgs raft log\x01"), None);
    }
}
