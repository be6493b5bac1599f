//! Segments of the raft log.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use disk::{Disk, ForgetfulDisk};
use replication::log::{Entry, LogError, LogOptions, Opened, SegmentLog};

const DIRECTORY: &str = "/log";
const KEY: [u8; 32] = [7; 32];
/// Longest segment that a log is opened with here.
const SEGMENT: u64 = 4096;

/// The bytes as a segment file, as the frames of one (each behind its length, two bytes), and the file of those frames with
/// one bit changed.
///
/// # Panics
/// If what is read is no log, if a log that was opened is another one the next time, or if a changed frame is taken.
pub fn run(data: &[u8]) {
    let _ = open_twice(data);
    let frames = frames(data);
    let file = frames.concat();
    if open_twice(&file).is_err() {
        return;
    }
    let mut changed = file;
    let at = data.iter().fold(0, |sum: usize, byte| sum.wrapping_mul(31) + usize::from(*byte)) % changed.len();
    changed[at] ^= 1 << (at % 8);
    if let Ok(after) = open_twice(&changed) {
        assert!(torn_off(&frames).any(|entries| entries == after), "a changed frame was taken, at {at}");
    }
}

/// What the log held before each of its last frames.
fn torn_off(frames: &[Vec<u8>]) -> impl Iterator<Item = Vec<Entry>> {
    (1..=frames.len()).rev().filter_map(|count| open_twice(&frames[..count].concat()).ok())
}

/// Opens a log of one segment; what it holds. A crash may have torn its end, which is cut off once.
fn open_twice(file: &[u8]) -> Result<Vec<Entry>, LogError> {
    let disk = Arc::new(ForgetfulDisk::new());
    write(&disk, file);
    let (log, opened) = open(&disk)?;
    let entries: Vec<Entry> = log.entries().collect();
    check(&entries, &opened);
    drop(log);
    let (log, again) = open(&disk).expect("it was opened before");
    assert_eq!(again, Opened { cut: None, ..opened });
    assert_eq!(log.entries().collect::<Vec<_>>(), entries);
    Ok(entries)
}

fn open(disk: &Arc<ForgetfulDisk>) -> Result<(SegmentLog, Opened), LogError> {
    let options = LogOptions { segment_bytes: SEGMENT, ..LogOptions::new(KEY) };
    SegmentLog::open(disk.clone(), PathBuf::from(DIRECTORY), options)
}

fn check(entries: &[Entry], opened: &Opened) {
    assert_eq!(entries.len(), opened.entries);
    let indexes: BTreeSet<u64> = entries.iter().map(|entry| entry.log_id.index).collect();
    assert_eq!(indexes.len(), entries.len(), "an index has one entry");
    if let (Some(first), Some(last)) = (indexes.first(), indexes.last()) {
        assert_eq!(last - first + 1, entries.len() as u64, "no index is missing");
        assert_eq!(opened.last.map(|last| last.index), Some(*last));
    }
}

fn write(disk: &ForgetfulDisk, file: &[u8]) {
    disk.create_dir(Path::new(DIRECTORY)).expect("a new directory");
    let path = Path::new(DIRECTORY).join("segment-0000000000000001.log");
    let mut opened = disk.create_new(&path).expect("a new file");
    opened.write_at(0, file).expect("room for a file");
}

/// The beginning of a segment and these frames, authenticated as the format says (`replication::log`). This code shares none
/// with the one under test.
fn frames(mut bodies: &[u8]) -> Vec<Vec<u8>> {
    let header_key = crypto::hmac_sha256(&KEY, b"cgs raft log header");
    let frame_key = crypto::hmac_sha256(&KEY, b"cgs raft log frame");
    let mut frames = vec![[b"cgs raft log".as_slice(), &1u32.to_le_bytes()].concat()];
    let (mut number, mut before) = (1u64, [0; 32]);
    while let Some((length, rest)) = bodies.split_first_chunk::<2>() {
        let (body, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        let padded = (92 + body.len()).next_multiple_of(8) - 92;
        let length = u32::try_from(padded).expect("small").to_le_bytes();
        let head = [b"cgsF".as_slice(), &length, &number.to_le_bytes()].concat();
        let mut frame = [&head, &crypto::hmac_sha256(&header_key, &head)[..8], &before, body].concat();
        frame.resize(56 + padded, 0);
        before = crypto::hmac_sha256(&frame_key, &frame);
        frame.extend(before);
        frame.extend(crc32fast::hash(&frame).to_le_bytes());
        frames.push(frame);
        (bodies, number) = (rest, number + 1);
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corpus_holds_logs() {
        let entries = |data: &[u8]| open_twice(&frames(data).concat()).expect("a log").len();
        assert_eq!(entries(include_bytes!("../corpus/segment/short")), 3);
        assert!(entries(include_bytes!("../corpus/segment/changes")) >= 1);
    }
}
