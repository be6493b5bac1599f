//! Ledgers of CCF, damaged: every change is found and named.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a panic is the failure report")]

mod common;

use std::io::Cursor;

use common::{Copy, EXPIRED, FLIPFLOP, certificate, decoded, entries, secrets};
use ledger::{
    chunk::{ChunkName, ChunkReader, Positioned},
    entry::decode,
    receipt::verify_cose_receipt,
    signature::NodeSignature,
    verify::{Options, VerifyError},
};
use proptest::prelude::*;

const OPEN: &str = "ledger_62";

/// The entries of a chunk, with their places.
fn positioned(copy: &Copy, name: &str) -> Vec<Positioned> {
    let name: ChunkName = name.parse().unwrap();
    let mut reader = ChunkReader::open(name, Cursor::new(&copy.files[&name.to_string()])).unwrap();
    std::iter::from_fn(|| reader.next_entry().unwrap()).collect()
}

/// A chunk with these entries and a fitting position table.
fn chunk(entries: &[Vec<u8>], complete: bool) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    let mut table = Vec::new();
    for entry in entries {
        table.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        bytes.extend_from_slice(entry);
    }
    if complete {
        let at = (bytes.len() as u64).to_le_bytes();
        bytes[..8].copy_from_slice(&at);
        bytes.extend(table);
    }
    bytes
}

/// What a flipped byte belongs to: `None` for header and position table.
fn seqno_at(copy: &Copy, name: &str, offset: usize) -> Option<u64> {
    let within =
        |entry: &Positioned| (entry.offset..entry.offset + entry.bytes.len() as u64).contains(&(offset as u64));
    positioned(copy, name).iter().find(|entry| within(entry)).map(|entry| entry.seqno)
}

fn last_seqno(name: &str) -> u64 {
    if name == EXPIRED { 74 } else { 46 }
}

/// Flips a byte of a ledger, and checks that it is found where it is. The last entry is covered by no signature: there
/// only the ledger secret finds every change.
fn flip(name: &str, at: usize, with: u8, options: Options<'_>) {
    let original = Copy::of(name);
    let mut copy = original.clone();
    let mut offset = at % copy.files.values().map(Vec::len).sum::<usize>();
    let (file, bytes) = copy
        .files
        .iter_mut()
        .find(|(_, bytes)| {
            let here = offset < bytes.len();
            offset -= if here { 0 } else { bytes.len() };
            here
        })
        .unwrap();
    let file = file.clone();
    bytes[offset] ^= with;
    let seqno = seqno_at(&original, &file, offset);
    let what = format!("{name} {file} offset {offset} (seqno {seqno:?}) ^ {with}");
    match copy.verify(options) {
        Err(error) => assert_names(&error, &file, seqno, &what),
        Ok(report) => {
            assert_eq!(seqno, Some(last_seqno(name)), "{what}: not found");
            assert!(report.verified.unwrap().seqno <= last_seqno(name));
            let entry = positioned(&original, &file).pop().unwrap();
            assert!(options.secrets.is_none() || offset as u64 == entry.offset + 1, "{what}: not found with secrets");
        }
    }
}

/// The fault is reported where it is; a wrong size is sometimes seen only at the next entry.
fn assert_names(error: &VerifyError, file: &str, seqno: Option<u64>, what: &str) {
    assert_eq!(error.file, file, "{what}: {error}");
    if let Some(seqno) = seqno {
        let found = error.seqno.unwrap_or_else(|| panic!("{what}: {error}"));
        assert!(found == seqno || found == seqno + 1, "{what}: {error}");
    }
}

#[test]
fn every_flipped_byte_is_found_where_it_is() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(250));
    for name in [EXPIRED, FLIPFLOP] {
        let bytes = entries(name);
        let secrets = secrets(name, &decoded(&bytes));
        let with_secrets = Options { secrets: Some(&secrets), ..Options::default() };
        runner
            .run(&(any::<usize>(), 1u8.., any::<bool>()), |(at, with, secret)| {
                flip(name, at, with, if secret { with_secrets } else { Options::default() });
                Ok(())
            })
            .unwrap();
    }
}

/// All of the last entry, header and table of the last chunk, where the interesting bytes lie close together.
#[test]
fn every_bit_at_the_end() {
    for (name, file) in [(EXPIRED, OPEN), (FLIPFLOP, "ledger_15-46.committed")] {
        let copy = Copy::of(name);
        let before: usize = copy.files.iter().take_while(|(name, _)| name.as_str() != file).map(|(_, b)| b.len()).sum();
        let from = positioned(&copy, file).pop().unwrap().offset as usize;
        let bytes = entries(name);
        let secrets = secrets(name, &decoded(&bytes));
        let options = Options { secrets: Some(&secrets), ..Options::default() };
        for offset in (0..8).chain((from..copy.files[file].len()).step_by(17)) {
            flip(name, before + offset, 1 << (offset % 8), options);
        }
    }
}

#[test]
fn a_shorter_ledger_verifies_as_far_as_it_goes() {
    let mut copy = Copy::of(EXPIRED);
    copy.files.remove(OPEN);
    let report = copy.verify(Options::default()).unwrap();
    assert_eq!(report.verified.unwrap().seqno, 61);

    let entries: Vec<Vec<u8>> = positioned(&Copy::of(EXPIRED), OPEN).into_iter().map(|entry| entry.bytes).collect();
    // From a chunk that was just made.
    for count in 0..entries.len() {
        copy.files.insert(OPEN.into(), chunk(&entries[..count], false));
        let report = copy.verify(Options::default()).unwrap();
        assert_eq!(report.last.unwrap().seqno, 61 + count as u64);
        assert!(report.verified.unwrap().seqno >= 61);
        assert_eq!(report.verified.unwrap().seqno + report.unverified_tail(), report.last.unwrap().seqno);
    }
}

#[test]
fn an_incomplete_tail_is_accepted_only_on_request() {
    let mut copy = Copy::of(EXPIRED);
    let bytes = copy.files.get_mut(OPEN).unwrap();
    bytes.truncate(bytes.len() - 100);
    let error = copy.verify(Options::default()).unwrap_err();
    assert_eq!((error.file.as_str(), error.seqno), (OPEN, Some(74)));
    let report = copy.verify(Options { incomplete_tail: true, ..Options::default() }).unwrap();
    assert_eq!((report.verified.unwrap().seqno, report.last.unwrap().seqno), (72, 73));
    assert!(report.incomplete_tail > 100);

    let committed = copy.files.get_mut("ledger_1-4.committed").unwrap();
    committed.truncate(committed.len() - 100);
    assert!(copy.verify(Options { incomplete_tail: true, ..Options::default() }).is_err());
}

#[test]
fn transactions_left_out_added_or_moved() {
    let name = "ledger_15-46.committed";
    let original = Copy::of(FLIPFLOP);
    let entries: Vec<Vec<u8>> = positioned(&original, name).into_iter().map(|entry| entry.bytes).collect();
    let fails = |change: &dyn Fn(&mut Vec<Vec<u8>>), file: &str, expected: &str| {
        let mut entries = entries.clone();
        change(&mut entries);
        let mut copy = original.clone();
        copy.files.remove(name);
        copy.files.insert(file.into(), chunk(&entries, true));
        let error = copy.verify(Options::default()).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains(expected), "{error}");
    };
    fails(&|e| drop(e.remove(3)), "ledger_15-45.committed", "seqno 18: seqno of the entry is 19, expected 18");
    fails(&|e| drop(e.remove(3)), name, "number of positions is 31, expected 32");
    fails(&|e| e.swap(2, 3), name, "seqno 17: seqno of the entry is 18, expected 17");
    fails(&|e| e.insert(3, e[2].clone()), "ledger_15-47.committed", "seqno of the entry is 17, expected 18");
    fails(&|e| e.truncate(31), "ledger_15-45.committed", "seqno 45: last entry of a committed chunk is another");
}

#[test]
fn files_missing_or_misnamed() {
    let fails = |change: &dyn Fn(&mut Copy), expected: &str| {
        let mut copy = Copy::of(EXPIRED);
        change(&mut copy);
        let error = copy.verify(Options::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let rename = |copy: &mut Copy, from: &str, to: &str| {
        let bytes = copy.files.remove(from).unwrap();
        copy.files.insert(to.into(), bytes);
    };
    fails(&|c| drop(c.files.remove("ledger_5-15.committed")), "behind ledger_1-4.committed ledger_5…");
    fails(&|c| drop(c.files.remove("ledger_1-4.committed")), "first chunk is ledger_5-15.committed");
    fails(&|c| c.files.clear(), "first chunk is nothing");
    fails(&|c| rename(c, OPEN, "ledger_62.commited"), "name of a chunk file");
    fails(&|c| rename(c, OPEN, "ledger_62-74"), "position table is 0");
    fails(&|c| rename(c, "ledger_29-46.committed", "ledger_29-45.committed"), "chunk is ledger_47-48.committed");
    fails(&|c| drop(c.files.insert(OPEN.into(), vec![0; 7])), "ledger_62: the bytes end inside header");
}

proptest! {
    #[test]
    fn a_mutated_entry_never_panics(
        pick in any::<usize>(),
        flips in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cut in any::<usize>(),
    ) {
        thread_local!(static ENTRIES: Vec<Vec<u8>> = [entries(EXPIRED), entries(FLIPFLOP)].concat());
        let mut bytes = ENTRIES.with(|entries| entries[pick % entries.len()].clone());
        for (at, with) in flips {
            // The first kilobyte has the structure; the rest is mostly one large value.
            let at = at % bytes.len().min(1024);
            bytes[at] ^= with;
        }
        if cut % 3 == 0 {
            bytes.truncate(cut / 3 % bytes.len());
        }
        if let Ok(entry) = decode(&bytes) {
            let _ = entry.leaf();
        }
        let _ = ChunkReader::open(ChunkName::open(1), Cursor::new(&bytes)).map(|mut reader| reader.next_entry());
    }

    #[test]
    fn anything_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        let _ = NodeSignature::from_json(&bytes);
        let _ = verify_cose_receipt(&bytes, &certificate(FLIPFLOP));
        let mut reader = ChunkReader::open(ChunkName::open(1), Cursor::new(&bytes));
        while let Ok(Ok(Some(_))) = reader.as_mut().map(ChunkReader::next_entry) {}
    }
}
