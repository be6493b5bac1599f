mod cluster;
mod crash;
mod machine;
mod suite;
mod tamper;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use disk::{Disk, ForgetfulDisk};
use openraft::{CommittedLeaderId, EntryPayload};

use super::*;
use crate::types::Batch;

const KEY: [u8; 32] = [7; 32];

fn options(segment_bytes: u64) -> LogOptions {
    LogOptions { segment_bytes, ..LogOptions::new(KEY) }
}

fn id(term: u64, index: u64) -> LogId {
    LogId { leader_id: CommittedLeaderId::new(term, 0), index }
}

fn entry(term: u64, index: u64, bytes: impl Into<Bytes>) -> Entry {
    Entry { log_id: id(term, index), payload: EntryPayload::Normal(Batch(bytes.into())) }
}

fn open(disk: &ForgetfulDisk, segment_bytes: u64) -> Result<(SegmentLog, Opened), LogError> {
    SegmentLog::open(Arc::new(disk.clone()), "/log".into(), options(segment_bytes))
}

fn indexes(log: &SegmentLog) -> Vec<u64> {
    log.entries().map(|entry| entry.log_id.index).collect()
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    let disk = ForgetfulDisk::new();
    let (mut log, opened) = open(&disk, 4096).unwrap();
    let nothing = Opened { cut: None, segments: 1, entries: 0, purged: None, last: None, vote: None };
    assert_eq!(opened, nothing);
    let entries = [entry(1, 0, "zero"), entry(1, 1, "one"), entry(2, 2, "two")];
    log.append_entries(entries[..2].to_vec()).unwrap();
    log.append_entries(entries[2..].to_vec()).unwrap();
    log.set_vote(Vote::new_committed(2, 5)).unwrap();

    let (log, opened) = open(&disk, 4096).unwrap();
    assert_eq!(opened, Opened { entries: 3, last: Some(id(2, 2)), vote: Some(Vote::new_committed(2, 5)), ..nothing });
    assert_eq!(log.entries().collect::<Vec<_>>(), entries);
    assert_eq!((log.last_log_id(), log.vote()), (opened.last, opened.vote));
}

#[test]
fn one_append_is_one_write_and_one_sync() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1 << 20).unwrap();
    let before = disk.operations();
    log.append_entries((0..50).map(|index| entry(1, index, "batch")).collect()).unwrap();
    assert_eq!(disk.operations() - before, 2);
}

#[test]
fn entries_of_one_append_share_frames_up_to_a_limit() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1 << 20).unwrap();
    let before = disk.operations();
    let large = Bytes::from(vec![1; FRAME_BYTES / 2 - 100]);
    log.append_entries((0..3).map(|index| entry(1, index, large.clone())).collect()).unwrap();
    let grown: u64 = 2 * 6; // each of the two frames is longer than a segment: create, write, sync, rename, sync, frame
    assert!(disk.operations() - before > grown);
    assert_eq!(indexes(&open(&disk, 1 << 20).unwrap().0), [0, 1, 2]);

    let too_long = entry(1, 3, vec![0; MAX_FRAME_BYTES]);
    assert!(matches!(log.append_entries(vec![too_long]), Err(LogError::FrameTooLong { .. })));
    log.append_entries(vec![entry(1, 3, "shorter")]).unwrap();
}

#[test]
fn purged_segments_are_removed_and_the_rest_opens() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1024).unwrap();
    log.set_vote(Vote::new(3, 1)).unwrap();
    for index in 0..40 {
        log.append_entries(vec![entry(1, index, vec![9; 200])]).unwrap();
    }
    let segments = disk.list(Path::new("/log")).unwrap().len();
    assert!(segments > 10);
    log.purge_upto(id(1, 30)).unwrap();
    log.purge_upto(id(1, 20)).unwrap(); // purged already
    let left = disk.list(Path::new("/log")).unwrap().len();
    assert!(left < 7, "{left} of {segments}");

    let (log, opened) = open(&disk, 1024).unwrap();
    assert_eq!(indexes(&log), (31..40).collect::<Vec<_>>());
    assert_eq!((opened.segments, opened.purged, opened.vote), (left, Some(id(1, 30)), Some(Vote::new(3, 1))));
}

#[test]
fn truncated_entries_do_not_come_back_and_do_not_hold_segments() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1024).unwrap();
    for index in 0..20 {
        log.append_entries(vec![entry(1, index, vec![1; 200])]).unwrap();
    }
    log.truncate_since(5).unwrap();
    log.truncate_since(5).unwrap(); // nothing left to truncate
    assert_eq!(log.last_log_id(), Some(id(1, 4)));
    log.append_entries(vec![entry(2, 5, "new")]).unwrap();
    let (mut log, _) = open(&disk, 1024).unwrap();
    assert_eq!(indexes(&log), [0, 1, 2, 3, 4, 5]);
    assert_eq!(log.last_log_id(), Some(id(2, 5)));

    log.purge_upto(id(2, 5)).unwrap();
    assert_eq!(disk.list(Path::new("/log")).unwrap().len(), 1, "no segment has an entry that counts");
    assert!(matches!(log.truncate_since(3), Err(LogError::TruncatesPurged { since: 3, purged: 5 })));
    let (log, opened) = open(&disk, 1024).unwrap();
    assert_eq!((indexes(&log), opened.purged), (vec![], Some(id(2, 5))));
}

#[test]
fn a_snapshot_may_be_ahead_of_the_log() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1024).unwrap();
    log.append_entries(vec![entry(1, 0, "zero")]).unwrap();
    log.purge_upto(id(4, 100)).unwrap();
    assert!(matches!(log.append_entries(vec![entry(4, 102, "")]), Err(LogError::Hole { expected: 101, found: 102 })));
    log.append_entries(vec![entry(4, 99, "in the snapshot"), entry(4, 100, "too")]).unwrap();
    assert_eq!((indexes(&log), log.last_log_id()), (vec![], Some(id(4, 100))));
    log.append_entries(vec![entry(4, 101, "next")]).unwrap();
    let holes = vec![entry(4, 102, ""), entry(4, 104, "")];
    assert!(matches!(log.append_entries(holes), Err(LogError::Hole { expected: 103, found: 104 })));
    assert_eq!(indexes(&open(&disk, 1024).unwrap().0), [101]);
}

#[test]
fn a_failed_sync_poisons_the_log() {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, 1024).unwrap();
    disk.fail_sync_after(0);
    let failed = log.append_entries(vec![entry(1, 0, "lost")]).unwrap_err();
    assert!(
        failed.to_string().contains("syncing /log/segment-0000000000000001.log (frame of the raft log) failed"),
        "{failed}"
    );
    assert_eq!(indexes(&log), [] as [u64; 0]);
    let again = log.append_entries(vec![entry(1, 0, "again")]).unwrap_err();
    assert!(matches!(again, LogError::Poisoned { .. }));
    assert!(matches!(log.set_vote(Vote::new(1, 1)), Err(LogError::Poisoned { .. })));
    assert!(matches!(log.purge_upto(id(1, 0)), Err(LogError::Poisoned { .. })));
}

#[test]
fn peers_read_limited_pieces() {
    let mut memory = Memory::default();
    (5..10).for_each(|index| memory.apply(Record::Entry(entry(1, index, vec![0; 100]))));
    let read = |range, limit| -> Vec<u64> {
        memory.range_limited(&range, limit).iter().map(|entry: &Entry| entry.log_id.index).collect()
    };
    assert_eq!(read(0..100, usize::MAX), [5, 6, 7, 8, 9]);
    assert_eq!(read(6..8, usize::MAX), [6, 7]);
    assert_eq!(read(6..10, 250), [6, 7]);
    assert_eq!(read(6..10, 1), [6], "at least one");
    assert!(read(0..5, 250).is_empty());
    assert!(read(10..20, 250).is_empty());
    #[expect(clippy::reversed_empty_ranges)]
    let reversed = read(8..6, 250);
    assert!(reversed.is_empty());
}

#[test]
fn options_do_not_print_the_key() {
    assert_eq!(format!("{:?}", options(10)), "LogOptions { segment_bytes: 10, .. }");
}
