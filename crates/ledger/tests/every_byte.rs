//! Every byte of a ledger, changed: found where it is, or one of the few that nothing covers, which are listed here.
//!
//! The test command takes a sample; with `EVERY_BYTE=1` all positions are tried (minutes).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a panic is the failure report")]

mod common;
#[path = "common/own.rs"]
mod own;

use std::{collections::BTreeSet, io::Cursor, path::Path};

use common::{Copy, EXPIRED, FLIPFLOP, decoded, entries, ledger, secrets, service};
use ledger::{
    LedgerError,
    chunk::{ChunkName, ChunkReader},
    entry::{Entry, HEADER_LEN, decode},
    secrets::LedgerSecrets,
    snapshot::Snapshot,
    tables,
    verify::{Options, Validator, Voucher, verify_directories},
};

/// One of so many positions is tried, unless all are.
fn stride(sampled: usize) -> usize {
    if std::env::var_os("EVERY_BYTE").is_some() { 1 } else { sampled }
}

/// Where a fault is told to be, reading on from a state before a changed transaction; `None` if nothing is found.
fn found(mut validator: Validator<'_>, changed: &[u8], behind: &[Vec<u8>], seqno: u64) -> Option<(u64, LedgerError)> {
    let entries = [changed].into_iter().chain(behind.iter().map(Vec::as_slice));
    for (at, bytes) in (seqno..).zip(entries) {
        match decode(bytes).and_then(|entry| validator.add(&entry)) {
            Ok(()) => {}
            Err(LedgerError::Changed { seqno, expected, got }) => {
                return Some((seqno, LedgerError::Changed { seqno, expected, got }));
            }
            Err(error) => return Some((at, error)),
        }
    }
    // A last signature that is none any more is reported as what it is: a transaction that no signature covers.
    let tail = validator.finish().unwrap().unverified_tail();
    (tail > 0).then_some((seqno, LedgerError::Truncated { field: "the last signature" }))
}

/// Changes each byte (or some) of each transaction. The offsets in the last one that are not found.
fn flip_all(name: &str, entries: &[Vec<u8>], secrets: Option<&LedgerSecrets>, step: usize) -> BTreeSet<usize> {
    let mut validator = Validator::new(Options { secrets, ..Options::default() });
    let mut unfound = BTreeSet::new();
    let mut phase = 0;
    for (seqno, bytes) in (1..).zip(entries) {
        let is_last = seqno as usize == entries.len();
        let mut offset = if is_last { 0 } else { phase % step };
        while offset < bytes.len() {
            let mut changed = bytes.clone();
            changed[offset] ^= 1 << (offset % 8);
            let what = format!("{name} seqno {seqno} offset {offset} of {}", bytes.len());
            match found(validator.clone(), &changed, &entries[seqno as usize..], seqno) {
                // A view that is too high is seen where it falls again; a last signature that is none any more by the
                // recovery behind it (in files, already by the end of its chunk).
                Some((at, error)) => {
                    let text = error.to_string();
                    let late = ["view of the entry", tables::PREVIOUS_SERVICE_LAST_SIGNED_ROOT];
                    let next = at == seqno + 1 && late.iter().any(|late| text.starts_with(late));
                    assert!(at == seqno || next, "{what}: {error} at {at}");
                }
                None => {
                    assert!(is_last, "{what}: not found");
                    unfound.insert(offset);
                }
            }
            offset += if is_last { 1 } else { step };
        }
        phase += bytes.len() + 1;
        validator.add(&decode(bytes).unwrap()).unwrap();
    }
    unfound
}

/// The bytes of the last transaction, a signature, that no signature covers: the flag that a chunk ends here, and what only
/// the ledger secret can check, which are the tag and the commit evidence digest.
fn uncovered(entry: &Entry<'_>, with_secrets: bool) -> BTreeSet<usize> {
    assert!(entry.public.map(tables::SIGNATURES).is_some());
    let flags = [1].into_iter().filter(|_| entry.header.flags == 0 || entry.header.flags == 1);
    if with_secrets {
        return flags.collect();
    }
    let tag = HEADER_LEN..HEADER_LEN + 16;
    // Tag, IV and length of the public domain; type, seqno and claims digest.
    let evidence = HEADER_LEN + 16 + 12 + 8 + 1 + 8 + 32;
    flags.chain(tag).chain(evidence..evidence + 32).collect()
}

#[test]
fn every_byte_of_ccfs_ledgers() {
    for name in [EXPIRED, FLIPFLOP] {
        let bytes = entries(name);
        let entries = decoded(&bytes);
        let secrets = secrets(name, &entries);
        for (secrets, step) in [(None, stride(211)), (Some(&secrets), stride(499))] {
            let unfound = flip_all(name, &bytes, secrets, step);
            let allowed = uncovered(entries.last().unwrap(), secrets.is_some());
            assert!(unfound.is_subset(&allowed), "{name}: {:?}", unfound.difference(&allowed));
        }
    }
}

#[test]
fn every_byte_of_our_own() {
    let directory = tempfile::tempdir().unwrap();
    let service = own::build(directory.path());
    for (secrets, step) in [(None, stride(97)), (Some(&service.secrets), stride(197))] {
        let unfound = flip_all("our own", &service.entries, secrets, step);
        let last = service.entries.last().unwrap();
        assert_eq!(unfound, uncovered(&decode(last).unwrap(), secrets.is_some()));
    }
}

/// Offsets of a chunk file outside its transactions, and of the headers of these.
fn structure(name: &str, bytes: &[u8]) -> Vec<usize> {
    let name: ChunkName = name.parse().unwrap();
    let mut reader = ChunkReader::open(name, Cursor::new(bytes)).unwrap();
    let mut offsets: Vec<usize> = (0..8).collect();
    while let Some(entry) = reader.next_entry().unwrap() {
        offsets.extend((0..HEADER_LEN).map(|at| at + entry.offset as usize));
    }
    offsets.extend(reader.offset() as usize..bytes.len());
    offsets
}

/// Headers of files, position tables, and headers of transactions, in the files as they are.
fn flip_structure(original: &Copy, step: usize) {
    let last_file = original.files.keys().max_by_key(|name| name.parse::<ChunkName>().unwrap().start).unwrap();
    for (file, bytes) in &original.files {
        let offsets = structure(file, bytes);
        for (index, offset) in offsets.iter().enumerate().filter(|(index, _)| index % step == 0 || *index < 8) {
            let mut copy = original.clone();
            copy.files.get_mut(file).unwrap()[*offset] ^= 1 << (index / step % 8);
            let what = format!("{file} offset {offset}");
            match copy.verify(Options::default()) {
                Err(error) => assert_eq!(error.file, *file, "{what}: {error}"),
                // The flag of the very last transaction: see `uncovered`.
                Ok(_) => {
                    let last = bytes.len() - 4 * table_len(bytes) - last_entry(file, bytes);
                    assert_eq!((file, *offset), (last_file, last + 1), "{what}: not found");
                }
            }
        }
    }
}

fn table_len(bytes: &[u8]) -> usize {
    let table = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    if table == 0 { 0 } else { (bytes.len() - table) / 4 }
}

fn last_entry(file: &str, bytes: &[u8]) -> usize {
    let mut reader = ChunkReader::open(file.parse().unwrap(), Cursor::new(bytes)).unwrap();
    std::iter::from_fn(|| reader.next_entry().unwrap()).last().unwrap().bytes.len()
}

#[test]
fn every_byte_around_the_transactions() {
    flip_structure(&Copy::of(EXPIRED), stride(17));
    flip_structure(&Copy::of(FLIPFLOP), stride(11));
    let directory = tempfile::tempdir().unwrap();
    own::build(directory.path());
    flip_structure(&Copy::read(directory.path()), stride(29));
}

/// A file that was cut off anywhere: refused, or, where a chunk is still written, a shorter ledger that says so.
fn truncate(original: &Copy, step: usize) {
    let last = original.verify(Options::default()).unwrap().last;
    for (file, bytes) in &original.files {
        let name: ChunkName = file.parse().unwrap();
        for length in 0..bytes.len() {
            let what = format!("{file} with {length} of {} bytes", bytes.len());
            // What the file shows by itself needs no reading of the others.
            let by_itself = ChunkReader::open(name, Cursor::new(&bytes[..length])).is_err();
            assert!(by_itself || name.end.is_none(), "{what}: not found");
            if (by_itself && length % (50 * step) != 0) || length % step != 0 {
                continue;
            }
            let mut copy = original.clone();
            copy.files.get_mut(file).unwrap().truncate(length);
            match copy.verify(Options::default()) {
                Err(error) => assert_eq!(error.file, *file, "{what}: {error}"),
                Ok(report) => {
                    assert!(name.end.is_none(), "{what}: not found");
                    assert_eq!(report.incomplete_tail, 0);
                    assert!(report.last < last, "{what}");
                }
            }
        }
    }
}

#[test]
fn files_cut_off_anywhere() {
    truncate(&Copy::of(EXPIRED), stride(501));
    truncate(&Copy::of(FLIPFLOP), stride(701));
    let directory = tempfile::tempdir().unwrap();
    own::build(directory.path());
    truncate(&Copy::read(directory.path()), stride(307));
}

#[test]
fn files_that_appear_twice_or_under_another_name() {
    let original = Copy::of(EXPIRED);
    for file in original.files.keys() {
        let name: ChunkName = file.parse().unwrap();
        let fails = |other: String, keep: bool| {
            let mut copy = original.clone();
            let bytes = if keep { copy.files[file].clone() } else { copy.files.remove(file).unwrap() };
            copy.files.insert(other.clone(), bytes);
            assert!(copy.verify(Options::default()).is_err(), "{file} {} {other}", if keep { "and" } else { "as" });
        };
        let end = name.end.unwrap_or(74);
        fails(format!("ledger_{}-{end}", name.start), true);
        fails(format!("ledger_{}-{end}.committed", name.start + 1), false);
        fails(format!("ledger_{}-{end}.committed", name.start + 1), true);
        fails(format!("ledger_{}-{}.committed", name.start, end + 1), false);
        if name.end.is_some() {
            fails(format!("ledger_{}", name.start), true);
            fails(format!("ledger_{}-{end}.committed.bak", name.start), true);
            // Out of the way, but then it is missing.
            fails(format!("ledger_{}-{end}.committed.ignored", name.start), false);
            fails(format!("ledger_{}-{end}.committed.recovery", name.start), false);
        }
        // For every other file too: another's contents.
        for (other, bytes) in original.files.iter().filter(|(other, _)| *other != file) {
            let mut copy = original.clone();
            copy.files.insert(file.clone(), bytes.clone());
            assert!(copy.verify(Options::default()).is_err(), "{other} as {file}");
        }
    }
}

const SNAPSHOT: &str = "snapshot_61_62.committed";

/// Verifies a ledger with one snapshot beside it, both written to a directory.
fn with_snapshot(ledger: &Path, snapshot: &[u8], name: &str) -> Result<Voucher, (String, String)> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(name), snapshot).unwrap();
    let report = verify_directories(ledger, &[directory.path()], Options::default(), &mut |_| {});
    report.map(|report| report.snapshots[0].voucher).map_err(|error| (error.file.clone(), error.to_string()))
}

#[test]
fn a_snapshot_of_ccf_verifies_with_and_without_the_ledger_behind_it() {
    let bytes = std::fs::read(service(EXPIRED).join("snapshots").join(SNAPSHOT)).unwrap();
    assert_eq!(with_snapshot(&ledger(EXPIRED), &bytes, SNAPSHOT), Ok(Voucher::Ledger));
    let shorter = tempfile::tempdir().unwrap();
    for (file, bytes) in Copy::of(EXPIRED).files.iter().filter(|(file, _)| *file != "ledger_62") {
        std::fs::write(shorter.path().join(file), bytes).unwrap();
    }
    assert_eq!(with_snapshot(shorter.path(), &bytes, SNAPSHOT), Ok(Voucher::Receipt));

    let (file, error) = with_snapshot(&ledger(FLIPFLOP), &bytes, SNAPSHOT).unwrap_err();
    assert!(file == SNAPSHOT && error.contains("was not issued by the service"), "another's: {error}");
    let entry =
        HEADER_LEN + u64::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], 0, 0]) as usize;
    let body = &bytes[..entry];
    assert_eq!(with_snapshot(&ledger(EXPIRED), body, "snapshot_61_62"), Ok(Voucher::Ledger));
    assert_eq!(with_snapshot(shorter.path(), body, "snapshot_61_62"), Ok(Voucher::Nothing));
    for (bytes, name) in [
        (body, SNAPSHOT),
        (&bytes, "snapshot_61_62"),
        (&bytes, "snapshot_61_63.committed"),
        (&bytes, "snapshot_60_62.committed"),
        (&bytes, "snapshot_61_62.commited"),
        (body, "snapshot_61_63"),
    ] {
        assert!(with_snapshot(&ledger(EXPIRED), bytes, name).is_err(), "{name}");
    }
    // Without the evidence in the ledger, its seqno still stands in the receipt.
    assert!(with_snapshot(shorter.path(), &bytes, "snapshot_61_63.committed").is_err());
}

#[test]
fn every_byte_of_a_snapshot() {
    let bytes = std::fs::read(service(EXPIRED).join("snapshots").join(SNAPSHOT)).unwrap();
    let name = SNAPSHOT.parse().unwrap();
    let receipt = bytes.iter().position(|byte| *byte == b'{').unwrap();
    let body_end = bytes.windows(9).rposition(|part| part == b"{\"cert\":\"").unwrap();
    assert!(receipt <= body_end);
    let shorter = tempfile::tempdir().unwrap();
    for (file, bytes) in Copy::of(EXPIRED).files.iter().filter(|(file, _)| *file != "ledger_62") {
        std::fs::write(shorter.path().join(file), bytes).unwrap();
    }
    let front = 0..200;
    for offset in front.chain((200..body_end).step_by(stride(499))) {
        let mut changed = bytes.clone();
        changed[offset] ^= 1 << (offset % 8);
        assert!(Snapshot::read(name, changed.as_slice()).is_err(), "offset {offset} of the body");
    }
    for length in (0..bytes.len()).step_by(stride(997)).chain([body_end, body_end + 1, bytes.len() - 1]) {
        assert!(Snapshot::read(name, &bytes[..length]).is_err(), "cut off at {length}");
    }
    for (index, offset) in (body_end..bytes.len()).enumerate().step_by(stride(13)) {
        let mut changed = bytes.clone();
        changed[offset] ^= 1 << (index % 8);
        for ledger in [&ledger(EXPIRED), &shorter.path().to_owned()] {
            let found = with_snapshot(ledger, &changed, SNAPSHOT);
            assert!(
                found.as_ref().is_err_and(|(file, _)| file == SNAPSHOT),
                "offset {offset} of the receipt: {found:?}"
            );
        }
    }
}

/// A recovery that is not finished leaves its chunks under names of their own.
#[test]
fn chunks_of_a_recovery() {
    let mut copy = Copy::of(EXPIRED);
    for (from, to) in [
        ("ledger_29-46.committed", "ledger_29-46.committed.recovery"),
        ("ledger_47-48.committed", "ledger_47-48.committed.recovery"),
        ("ledger_49-61.committed", "ledger_49-61.committed.recovery"),
        ("ledger_62", "ledger_62.recovery"),
    ] {
        let bytes = copy.files.remove(from).unwrap();
        copy.files.insert(to.into(), bytes);
    }
    let verified = |recovery| {
        let selection = ledger::chunk::Selection { recovery, ..Default::default() };
        copy.verify(Options { selection, ..Options::default() }).unwrap().verified.unwrap().seqno
    };
    assert_eq!((verified(false), verified(true)), (28, 74));
}
