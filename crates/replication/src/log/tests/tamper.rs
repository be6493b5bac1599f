//! What the host can do to the files.

use std::path::PathBuf;

use super::*;

const SEGMENT: u64 = 768;

/// A log of several segments, and the frames of the last one.
fn log() -> ForgetfulDisk {
    let disk = ForgetfulDisk::new();
    let (mut log, _) = open(&disk, SEGMENT).unwrap();
    log.set_vote(Vote::new(1, 1)).unwrap();
    for index in 0..8 {
        log.append_entries(vec![entry(1, index, vec![index as u8 + 1; 70])]).unwrap();
    }
    disk
}

fn path(number: u64) -> PathBuf {
    segment::path(Path::new("/log"), number)
}

fn change(disk: &ForgetfulDisk, number: u64, edit: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.read(&path(number)).unwrap();
    edit(&mut bytes);
    disk.remove(&path(number)).unwrap();
    disk.create_new(&path(number)).unwrap().append(&bytes).unwrap();
}

/// Offsets at which frames begin.
fn frames(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"cgsF")).collect()
}

fn refusal(disk: &ForgetfulDisk) -> String {
    open(disk, SEGMENT).err().expect("the log must not open").to_string()
}

#[test]
fn every_flipped_bit_is_refused_or_cut_off_the_end() {
    let disk = log();
    let last = disk.list(Path::new("/log")).unwrap().len() as u64;
    assert!(last >= 3);
    for number in 1..=last {
        let good = disk.read(&path(number)).unwrap();
        let last_frame = *frames(&good).last().unwrap();
        let mut file = disk.open(&path(number)).unwrap();
        for (at, byte) in good.iter().enumerate() {
            for bit in 0..8 {
                file.write_at(at as u64, &[byte ^ (1 << bit)]).unwrap();
                match open(&disk, SEGMENT) {
                    Err(_) => {}
                    Ok((log, opened)) => {
                        assert!(number == last && at >= last_frame, "segment {number}, byte {at}, bit {bit}");
                        assert!(opened.cut.is_some());
                        assert!(opened.entries >= 7);
                        assert_eq!(indexes(&log), (0..opened.entries as u64).collect::<Vec<_>>());
                    }
                }
                file.write_at(0, &good).unwrap();
            }
        }
    }
    assert_eq!(open(&disk, SEGMENT).unwrap().1.entries, 8, "the files are as they were");
}

#[test]
fn a_torn_last_frame_is_cut_and_reported() {
    let disk = log();
    let last = disk.list(Path::new("/log")).unwrap().len() as u64;
    let good = disk.read(&path(last)).unwrap();
    let begin = *frames(&good).last().unwrap();
    let end = good.iter().rposition(|byte| *byte != 0).unwrap();
    for kept in begin + 1..=end {
        change(&disk, last, |bytes| {
            bytes.clone_from(&good);
            bytes[kept..].fill(0);
        });
        let (mut log, opened) = open(&disk, SEGMENT).unwrap();
        let cut = opened.cut.unwrap();
        assert_eq!((cut.file, cut.offset), (path(last), begin as u64));
        assert!(cut.bytes <= (kept - begin) as u64);
        assert_eq!(opened.entries, 7);
        log.append_entries(vec![entry(2, 7, "instead")]).unwrap();
        let (log, opened) = open(&disk, SEGMENT).unwrap();
        assert_eq!((opened.cut, log.last_log_id()), (None, Some(id(2, 7))));
    }
}

#[test]
fn frames_cannot_be_dropped_repeated_or_reordered() {
    let splice = |order: &[usize]| {
        let disk = log();
        change(&disk, 1, |bytes| {
            let mut starts = frames(bytes);
            let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            starts.push(end.next_multiple_of(8));
            let mut edited = bytes[..starts[0]].to_vec();
            order.iter().for_each(|frame| edited.extend(&bytes[starts[*frame]..starts[*frame + 1]]));
            edited.resize(bytes.len(), 0);
            *bytes = edited;
        });
        open(&disk, SEGMENT).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(splice(&[0, 1, 2, 3]), Ok(()), "the frames there are");
    let order = "frames were removed, repeated or put in another order";
    for frames in [vec![0, 2, 3], vec![0, 1, 1, 2, 3], vec![0, 2, 1, 3], vec![0, 1, 2], vec![0]] {
        let refused = splice(&frames).unwrap_err();
        assert!(
            refused.contains(order) || refused.contains("does not fit the segments before"),
            "{frames:?}: {refused}"
        );
    }
    assert!(splice(&[1, 2, 3]).unwrap_err().contains("does not describe a segment"));
}

#[test]
fn a_batch_that_looks_like_a_frame_does_not_keep_a_torn_one_from_being_cut() {
    let disk = log();
    let last = disk.list(Path::new("/log")).unwrap().len() as u64;
    let forged = disk.read(&path(last)).unwrap();
    let (mut log, _) = open(&disk, SEGMENT).unwrap();
    // Old frames of this very log, at every alignment, and one under another key.
    let mut content = Vec::new();
    for shift in 0..8 {
        content.extend(vec![0xaa; shift]);
        content.extend(&forged);
    }
    let other = frame::Chain { number: 10_000, mac: [0; 32] };
    frame::seal(&frame::Keys::new(&[1; 32]), other, b"records", &mut content);
    log.append_entries(vec![entry(1, 8, content)]).unwrap();
    let number = disk.list(Path::new("/log")).unwrap().len() as u64;
    change(&disk, number, |bytes| {
        let torn = frames(bytes)[1];
        bytes[torn..torn + 20].fill(0);
    });
    let (log, opened) = open(&disk, SEGMENT).unwrap();
    assert!(opened.cut.is_some());
    assert_eq!(indexes(&log), (0..8).collect::<Vec<_>>());
}

#[test]
fn another_key_is_named_as_such() {
    let disk = log();
    let mut options = options(SEGMENT);
    options.mac_key[0] ^= 1;
    let refused = SegmentLog::open(Arc::new(disk), "/log".into(), options).err().unwrap();
    assert!(matches!(refused, LogError::WrongKey { .. }), "{refused}");
}

#[test]
fn a_segment_of_another_log_with_the_same_key_does_not_fit() {
    let disk = log();
    let other = ForgetfulDisk::new();
    let (mut log, _) = open(&other, SEGMENT).unwrap();
    log.set_vote(Vote::new(1, 2)).unwrap();
    for index in 0..8 {
        log.append_entries(vec![entry(1, index, vec![1; 70])]).unwrap();
    }
    change(&disk, 2, |bytes| *bytes = other.read(&path(2)).unwrap());
    assert!(refusal(&disk).contains("does not fit the segments before"));
}

#[test]
fn a_missing_segment_is_named() {
    let disk = log();
    disk.remove(&path(2)).unwrap();
    let refused = refusal(&disk);
    assert!(refused.starts_with("/log/segment-0000000000000002.log is missing, behind log entry "), "{refused}");

    let disk = log();
    disk.remove(&path(1)).unwrap();
    let refused = refusal(&disk);
    assert!(refused.starts_with("the log entries 0 to "), "{refused}");
    assert!(refused.contains("/log/segment-0000000000000002.log is the first segment"), "{refused}");
}

#[test]
fn a_renamed_segment_is_refused() {
    let disk = log();
    disk.remove(&path(1)).unwrap();
    disk.rename(&path(2), &path(1)).unwrap();
    disk.remove(&path(3)).unwrap();
    assert!(refusal(&disk).contains("written as another segment and renamed"));
}

#[test]
fn an_unknown_version_is_named() {
    let disk = log();
    change(&disk, 2, |bytes| bytes[12] = 2);
    let refused = refusal(&disk);
    assert!(
        refused.contains("segment-0000000000000002.log has version 2") && refused.contains("version 1"),
        "{refused}"
    );
}

#[test]
fn damage_is_named_with_file_offset_and_index() {
    let disk = log();
    let mut begin = 0;
    change(&disk, 1, |bytes| {
        begin = frames(bytes)[3]; // description, vote, entry 0, entry 1
        bytes[begin + 80] ^= 1;
    });
    let refused = refusal(&disk);
    let expected = format!("/log/segment-0000000000000001.log is damaged at byte {begin}, behind log entry 0: ");
    assert!(refused.starts_with(&expected), "{refused}");
    assert!(refused.contains("Nothing was changed"));
}

#[test]
fn a_refused_log_is_left_as_it_is() {
    let disk = log();
    change(&disk, 2, |bytes| bytes[100] ^= 1);
    let all = |disk: &ForgetfulDisk| -> Vec<Vec<u8>> {
        let names = disk.list(Path::new("/log")).unwrap();
        names.iter().map(|name| disk.read(&Path::new("/log").join(name)).unwrap()).collect()
    };
    let before = all(&disk);
    refusal(&disk);
    assert_eq!(all(&disk), before);
}

#[test]
fn other_files_are_left_alone() {
    let disk = log();
    disk.create_new(Path::new("/log/notes.txt")).unwrap();
    disk.create_new(Path::new("/log/segment-0000000000000099.log.new")).unwrap();
    assert_eq!(open(&disk, SEGMENT).unwrap().1.entries, 8);
    assert!(disk.exists(Path::new("/log/notes.txt")).unwrap());
}
