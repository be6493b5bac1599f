//! Chunk files, the ledger in pieces (CCF): eight bytes with the offset of the position table, entries back to back,
//! and once the chunk is complete the position table, one u32 for each entry.

mod reader;
mod writer;

pub use reader::{ChunkReader, Positioned, read_entry_at};
pub use writer::ChunkWriter;

use std::{fmt, str::FromStr};

use crate::LedgerError;

/// Bytes in front of the first entry.
pub const CHUNK_HEADER_LEN: u64 = 8;

const PREFIX: &str = "ledger_";
const COMMITTED: &str = ".committed";
const RECOVERY: &str = ".recovery";
const IGNORED: &str = ".ignored";

/// The name of a chunk file: `ledger_<start>[-<end>][.committed][.recovery][.ignored]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkName {
    /// Seqno of the first entry.
    pub start: u64,
    /// Seqno of the last entry; `None` while the chunk is written.
    pub end: Option<u64>,
    /// All entries are committed; the file does not change any more.
    pub committed: bool,
    /// Written by a recovery that is not finished.
    pub recovery: bool,
    /// Left over, to be skipped by everybody.
    pub ignored: bool,
}

impl ChunkName {
    /// A chunk that is written: `ledger_<start>`.
    #[must_use]
    pub const fn open(start: u64) -> Self {
        Self { start, end: None, committed: false, recovery: false, ignored: false }
    }

    /// A chunk that is complete and committed: `ledger_<start>-<end>.committed`.
    #[must_use]
    pub const fn committed(start: u64, end: u64) -> Self {
        Self { start, end: Some(end), committed: true, recovery: false, ignored: false }
    }

    /// Whether a file of this name belongs to a ledger at all (and must then have a proper name).
    #[must_use]
    pub fn is_chunk(name: &str) -> bool {
        name.starts_with(PREFIX)
    }
}

impl fmt::Display for ChunkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.start)?;
        if let Some(end) = self.end {
            write!(f, "-{end}")?;
        }
        let suffixes = [(self.committed, COMMITTED), (self.recovery, RECOVERY), (self.ignored, IGNORED)];
        suffixes.into_iter().filter(|(set, _)| *set).try_for_each(|(_, suffix)| f.write_str(suffix))
    }
}

impl FromStr for ChunkName {
    type Err = LedgerError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let malformed = || LedgerError::malformed("name of a chunk file", format!("{name:?}"));
        let rest = name.strip_prefix(PREFIX).ok_or_else(malformed)?;
        let (rest, ignored) = strip(rest, IGNORED);
        let (rest, recovery) = strip(rest, RECOVERY);
        let (rest, committed) = strip(rest, COMMITTED);
        let (start, end) = match rest.split_once('-') {
            Some((start, end)) => (start, Some(seqno(end).ok_or_else(malformed)?)),
            None => (rest, None),
        };
        let start = seqno(start).ok_or_else(malformed)?;
        if end.map_or(committed, |end| end < start) {
            return Err(malformed());
        }
        Ok(Self { start, end, committed, recovery, ignored })
    }
}

fn strip<'a>(name: &'a str, suffix: &str) -> (&'a str, bool) {
    name.strip_suffix(suffix).map_or((name, false), |rest| (rest, true))
}

/// A positive decimal number as it is written, without sign or leading zeros.
fn seqno(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|number| *number > 0 && number.to_string() == text)
}

/// Which chunk files make up a ledger.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection {
    /// Only chunks that are committed.
    pub committed_only: bool,
    /// Also chunks of a recovery that is not finished.
    pub recovery: bool,
}

/// The chunks of a ledger in order, from the names of all files of its directory. Files of other kinds (snapshots) and
/// `.ignored` ones are left out.
///
/// # Errors
/// A name that starts like a chunk's and is none; two files for one seqno; a gap; a chunk behind one without an end.
pub fn sequence<'a>(
    names: impl IntoIterator<Item = &'a str>,
    selection: Selection,
) -> Result<Vec<ChunkName>, LedgerError> {
    let mut chunks = Vec::new();
    for name in names.into_iter().filter(|name| ChunkName::is_chunk(name)) {
        let chunk: ChunkName = name.parse()?;
        let wanted = chunk.committed || !selection.committed_only;
        if wanted && !chunk.ignored && (selection.recovery || !chunk.recovery) {
            chunks.push(chunk);
        }
    }
    chunks.sort();
    for (chunk, next) in chunks.iter().zip(chunks.iter().skip(1)) {
        let expected = chunk.end.and_then(|end| end.checked_add(1));
        if expected != Some(next.start) {
            let expected =
                expected.map_or("nothing, for it is still written".into(), |seqno| format!("ledger_{seqno}…"));
            return Err(LedgerError::differs("chunk", format!("behind {chunk} {expected}"), next));
        }
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_what_they_write() {
        for name in [
            "ledger_1",
            "ledger_1-14",
            "ledger_1-14.committed",
            "ledger_15.recovery",
            "ledger_15-46.committed.recovery",
            "ledger_7.ignored",
            "ledger_7-8.recovery.ignored",
        ] {
            assert_eq!(name.parse::<ChunkName>().unwrap().to_string(), name);
        }
        assert_eq!(ChunkName::open(7).to_string(), "ledger_7");
        assert_eq!(ChunkName::committed(7, 9).to_string(), "ledger_7-9.committed");
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "",
            "ledger_",
            "ledger_0",
            "ledger_01",
            "ledger_+1",
            "ledger_1-",
            "ledger_2-1",
            "ledger_1.committed",
            "ledger_1-2-3",
            "ledger_1-2.commited",
            "ledger_1-2.committed.committed",
            "Ledger_1",
            "ledger_1-2.bak",
            "ledger_99999999999999999999",
        ] {
            assert!(name.parse::<ChunkName>().is_err(), "{name}");
        }
    }

    fn names(names: &[&str], selection: Selection) -> Result<Vec<String>, String> {
        let chunks = sequence(names.iter().copied(), selection).map_err(|error| error.to_string())?;
        Ok(chunks.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_ledger_is_contiguous() {
        let all = Selection::default();
        let files = ["ledger_10-11", "snapshot_9_10", "ledger_1-9.committed", "ledger_12", "ledger_3.ignored"];
        assert_eq!(names(&files, all).unwrap(), ["ledger_1-9.committed", "ledger_10-11", "ledger_12"]);
        let committed = Selection { committed_only: true, ..all };
        assert_eq!(names(&files, committed).unwrap(), ["ledger_1-9.committed"]);
        for bad in [
            ["ledger_1-9.committed", "ledger_11-12"],
            ["ledger_1-9.committed", "ledger_9-12"],
            ["ledger_1-9.committed", "ledger_1-9"],
            ["ledger_1", "ledger_2"],
            ["ledger_1-9.committed", "ledger_10.tmp"],
        ] {
            assert!(names(&bad, all).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn chunks_of_a_recovery_are_asked_for() {
        let files = ["ledger_1-9.committed", "ledger_10.recovery"];
        assert_eq!(names(&files, Selection::default()).unwrap().len(), 1);
        assert_eq!(names(&files, Selection { recovery: true, committed_only: false }).unwrap().len(), 2);
    }
}
