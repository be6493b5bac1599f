use std::collections::BTreeMap;

use bytes::Bytes;
use crypto::Digest;
use kv::WriteSet;
use ledger::{merkle::Tree, tables};

/// Maps whose every write can be found again by key. They must be public, so that a chunk file can be indexed without
/// ledger secrets.
const WATCHED: [&str; 1] = [tables::PROPOSALS_INFO];

/// The writes to watched maps in a write set, by map and key.
pub(crate) fn watched_keys(writes: &WriteSet) -> impl Iterator<Item = (&str, &Bytes)> {
    let watched = writes.maps().filter(|(map, _)| WATCHED.contains(map));
    watched.flat_map(|(map, writes)| writes.keys().map(move |key| (map, key)))
}

/// Map to key to the places of its writes, counted from the start of the chunk.
pub(crate) type Writes = BTreeMap<Box<str>, BTreeMap<Box<[u8]>, Vec<u32>>>;

/// What is known of the transactions of one chunk file: 36 bytes for each, and 4 for each write that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(super) start: u64,
    pub(super) leaves: Vec<Digest>,
    /// Where each entry starts in the file.
    pub(super) offsets: Vec<u32>,
    /// Which of them are signature transactions.
    pub(super) signatures: Vec<u32>,
    pub(super) writes: Writes,
}

impl Part {
    /// Nothing yet of the chunk that starts with this seqno.
    pub(crate) fn new(start: u64) -> Self {
        Self { start, leaves: Vec::new(), offsets: Vec::new(), signatures: Vec::new(), writes: Writes::new() }
    }

    /// The first seqno.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The last seqno; that before the start if there is none.
    pub(crate) fn last(&self) -> u64 {
        self.start + self.leaves.len() as u64 - 1
    }

    /// Puts the leaves behind those of a tree, which forgets them but for the last one.
    pub(crate) fn append_to(&self, tree: &mut Tree) {
        self.leaves.iter().for_each(|leaf| tree.append(*leaf));
        tree.forget(tree.size() - 1);
    }

    /// The next entry.
    pub(crate) fn entry(&mut self, offset: u64, leaf: Digest) {
        // A chunk file of more than 4 GiB cannot be written.
        self.offsets.push(u32::try_from(offset).unwrap_or(u32::MAX));
        self.leaves.push(leaf);
    }

    /// The last entry was a signature transaction.
    pub(crate) fn signed(&mut self) {
        let last = self.place(self.last());
        self.signatures.extend(last);
    }

    /// A watched key was written.
    pub(crate) fn wrote(&mut self, map: &str, key: &[u8], seqno: u64) {
        let Some(place) = self.place(seqno) else { return };
        if !self.writes.contains_key(map) {
            self.writes.insert(map.into(), BTreeMap::new());
        }
        let Some(keys) = self.writes.get_mut(map) else { return };
        match keys.get_mut(key) {
            Some(places) => places.push(place),
            None => drop(keys.insert(key.into(), vec![place])),
        }
    }

    /// Offset and leaf of a transaction.
    pub(crate) fn get(&self, seqno: u64) -> Option<(u64, Digest)> {
        let index = usize::try_from(seqno.checked_sub(self.start)?).ok()?;
        Some((u64::from(*self.offsets.get(index)?), *self.leaves.get(index)?))
    }

    /// The first signature transaction at or behind a seqno.
    pub(crate) fn signature_for(&self, seqno: u64) -> Option<u64> {
        let at = self.signatures.partition_point(|place| self.start + u64::from(*place) < seqno);
        self.signatures.get(at).map(|place| self.start + u64::from(*place))
    }

    /// Seqnos of the writes to a watched key from one seqno to another, both included, oldest first.
    pub(crate) fn writes_to(
        &self,
        map: &str,
        key: &[u8],
        (from, to): (u64, u64),
    ) -> impl DoubleEndedIterator<Item = u64> + '_ {
        let places = self.writes.get(map).and_then(|keys| keys.get(key)).map_or(&[][..], Vec::as_slice);
        let seqno = |place: &u32| self.start + u64::from(*place);
        let first = places.partition_point(|place| seqno(place) < from);
        let end = places.partition_point(|place| seqno(place) <= to);
        places.get(first..end).unwrap_or_default().iter().map(seqno)
    }

    /// Which entry a seqno is.
    fn place(&self, seqno: u64) -> Option<u32> {
        u32::try_from(seqno.checked_sub(self.start)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_public() {
        assert!(WATCHED.iter().all(|map| kv::is_public(map)));
    }

    #[test]
    fn writes_are_found_by_range() {
        let mut part = Part::new(5);
        for seqno in 5..15 {
            part.entry(8 * seqno, [1; 32]);
            if seqno % 2 == 1 {
                part.wrote("m", b"k", seqno);
            }
        }
        let found = |from, to| part.writes_to("m", b"k", (from, to)).collect::<Vec<_>>();
        assert_eq!((found(1, 100), found(7, 11)), (vec![5, 7, 9, 11, 13], vec![7, 9, 11]));
        assert_eq!((found(8, 8), found(9, 8), found(14, 20)), (vec![], vec![], vec![]));
        assert_eq!(part.writes_to("m", b"other", (1, 100)).count() + part.writes_to("n", b"k", (1, 100)).count(), 0);
        assert_eq!(part.writes_to("m", b"k", (1, 100)).next_back(), Some(13));
    }
}
