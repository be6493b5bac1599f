//! What an earlier process has left of a chunk, against what the raft log says must be there.

use ledger::{
    chunk::{CHUNK_HEADER_LEN, ChunkName},
    entry,
};

use crate::ReplicationError;

/// Whether a file says nothing: it is empty, or holds zeros only.
pub(crate) fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Checks that the file `left` of the chunk that starts with `start` agrees with `entries`.
///
/// The file was never synced, so after a power loss any part of it may be missing or zero. Everything else must be equal
/// byte for byte, and there must be no more than `entries` (and, of a chunk that is to be completed, its position table).
pub(crate) fn check(start: u64, left: &[u8], entries: &[u8], complete: bool) -> Result<(), ReplicationError> {
    let table = CHUNK_HEADER_LEN + entries.len() as u64;
    let header = if complete { table.to_le_bytes() } else { [0; 8] };
    let positions = positions(entries);
    let table: Vec<u8> = if complete { positions.iter().flat_map(|at| at.to_le_bytes()).collect() } else { Vec::new() };
    let expected = header.iter().chain(entries).chain(&table).copied().chain(std::iter::repeat(0));
    let wrong = left.iter().zip(expected).position(|(found, expected)| *found != expected && *found != 0);
    match wrong {
        None => Ok(()),
        Some(at) => {
            let before = positions.iter().filter(|position| **position as usize <= at).count() as u64;
            let beyond = u64::from(at as u64 >= CHUNK_HEADER_LEN + entries.len() as u64);
            let seqno = start + before.saturating_sub(1) + beyond;
            Err(ReplicationError::Diverged { file: ChunkName::open(start).to_string(), seqno })
        }
    }
}

/// Where each of the entries starts in its chunk.
pub(crate) fn positions(entries: &[u8]) -> Vec<u32> {
    let (mut rest, mut found) = (entries, Vec::new());
    while let Ok((_, behind)) = entry::split_first(rest) {
        let at = CHUNK_HEADER_LEN as usize + entries.len() - rest.len();
        found.push(u32::try_from(at).unwrap_or(u32::MAX));
        rest = behind;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two entries of 4 bytes each behind their headers.
    fn entries() -> Vec<u8> {
        [[1u8, 0, 4, 0, 0, 0, 0, 0, 9, 9, 9, 9], [1, 1, 4, 0, 0, 0, 0, 0, 8, 8, 8, 8]].concat()
    }

    fn file(header: u64) -> Vec<u8> {
        [&header.to_le_bytes()[..], &entries()].concat()
    }

    fn seqno(left: &[u8], complete: bool) -> Option<u64> {
        match check(5, left, &entries(), complete) {
            Ok(()) => None,
            Err(ReplicationError::Diverged { seqno, .. }) => Some(seqno),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn missing_and_zeroed_parts_are_what_a_crash_leaves() {
        let whole = file(0);
        for length in 0..=whole.len() {
            assert_eq!(seqno(&whole[..length], false), None);
        }
        let mut zeroed = whole.clone();
        zeroed[10..20].fill(0);
        assert_eq!(seqno(&zeroed, false), None);
        assert_eq!(seqno(&[whole, vec![0; 100]].concat(), false), None);
    }

    #[test]
    fn other_bytes_are_named_by_seqno() {
        let mut changed = file(0);
        changed[17] ^= 1;
        assert_eq!(seqno(&changed, false), Some(5));
        let mut changed = file(0);
        changed[30] ^= 1;
        assert_eq!(seqno(&changed, false), Some(6));
        assert_eq!(seqno(&[file(0), vec![1]].concat(), false), Some(7), "more than the log has");
    }

    #[test]
    fn a_position_table_is_expected_of_a_complete_chunk_only() {
        let complete = [file(32), 8u32.to_le_bytes().to_vec(), 20u32.to_le_bytes().to_vec()].concat();
        assert_eq!(seqno(&complete, true), None);
        assert!(seqno(&complete, false).is_some());
    }
}
