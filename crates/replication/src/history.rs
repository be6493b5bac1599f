use std::collections::BTreeMap;

use bytes::Bytes;
use crypto::Digest;
use kv::{TxId, WriteSet};
use ledger::{merkle::Tree, tables};

/// Maps whose every write can be found again by key.
const WATCHED: [&str; 1] = [tables::PROPOSALS_INFO];

/// Where everything is: derived from the ledger, never the other way round.
///
/// It takes about 72 bytes a transaction (leaf, tree, offset).
#[derive(Debug, Default)]
pub(crate) struct History {
    tree: Tree,
    /// Offset in its chunk file of the entry of seqno `index + 1`.
    offsets: Vec<u64>,
    /// First seqno of each chunk.
    chunks: Vec<u64>,
    /// Seqnos of signature transactions.
    signatures: Vec<u64>,
    /// First transaction of each view.
    views: Vec<TxId>,
    /// Map and key to the seqnos of its writes.
    writes: BTreeMap<(String, Bytes), Vec<u64>>,
}

impl History {
    /// The keys of watched maps that a write set touches.
    pub(crate) fn watched_keys(writes: &WriteSet) -> impl Iterator<Item = (&'static str, &Bytes)> {
        WATCHED.iter().flat_map(move |map| {
            writes.map(map).into_iter().flat_map(move |writes| writes.keys().map(move |key| (*map, key)))
        })
    }

    /// A new chunk file starts with the next entry.
    pub(crate) fn starts_chunk(&mut self) {
        self.chunks.push(self.last_seqno() + 1);
    }

    /// The next entry lies at `offset` of the current chunk.
    pub(crate) fn entry(&mut self, view: u64, offset: u64, leaf: Digest) {
        let seqno = self.last_seqno() + 1;
        if self.views.last().is_none_or(|last| last.view != view) {
            self.views.push(TxId::new(view, seqno));
        }
        self.offsets.push(offset);
        self.tree.append(leaf);
    }

    /// The last entry was a signature transaction.
    pub(crate) fn signed(&mut self) {
        self.signatures.push(self.last_seqno());
    }

    /// A watched key was written.
    pub(crate) fn wrote(&mut self, map: &str, key: Bytes, seqno: u64) {
        self.writes.entry((map.to_owned(), key)).or_default().push(seqno);
    }

    /// The last seqno.
    pub(crate) fn last_seqno(&self) -> u64 {
        self.offsets.len() as u64
    }

    /// The tree over all entries.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The last signature transaction; 0 if there is none.
    pub(crate) fn last_signature(&self) -> u64 {
        self.signatures.last().copied().unwrap_or_default()
    }

    /// The first signature transaction at or behind a seqno: the one that covers it.
    pub(crate) fn signature_for(&self, seqno: u64) -> Option<u64> {
        let at = self.signatures.partition_point(|signed| *signed < seqno);
        self.signatures.get(at).copied()
    }

    /// First seqno of the chunk that holds `seqno`, and the offset in it.
    pub(crate) fn location(&self, seqno: u64) -> Option<(u64, u64)> {
        let index = usize::try_from(seqno.checked_sub(1)?).ok()?;
        let offset = *self.offsets.get(index)?;
        let chunk = self.chunks.partition_point(|first| *first <= seqno).checked_sub(1)?;
        Some((*self.chunks.get(chunk)?, offset))
    }

    /// The view of a transaction.
    pub(crate) fn view_of(&self, seqno: u64) -> Option<u64> {
        if seqno == 0 || seqno > self.last_seqno() {
            return None;
        }
        let at = self.views.partition_point(|first| first.seqno <= seqno).checked_sub(1)?;
        self.views.get(at).map(|first| first.view)
    }

    /// The first transaction of each view, from view 1 on; a view that wrote nothing has the start of the next one.
    pub(crate) fn view_history(&self) -> Vec<TxId> {
        let mut views = Vec::new();
        for first in &self.views {
            while (views.len() as u64) < first.view {
                views.push(TxId::new(views.len() as u64 + 1, first.seqno));
            }
        }
        views
    }

    /// Seqnos of the writes to a watched key, oldest first.
    pub(crate) fn writes_to(&self, map: &str, key: &[u8]) -> &[u64] {
        self.writes.get(&(map.to_owned(), Bytes::copy_from_slice(key))).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let mut history = History::default();
        history.starts_chunk();
        for (view, offset) in [(2, 8), (2, 100), (4, 200)] {
            history.entry(view, offset, [1; 32]);
        }
        history.signed();
        history.starts_chunk();
        history.entry(4, 8, [2; 32]);
        history
    }

    #[test]
    fn finds_entries_views_and_signatures() {
        let history = history();
        assert_eq!(history.location(2), Some((1, 100)));
        assert_eq!(history.location(4), Some((4, 8)));
        assert_eq!((history.location(0), history.location(5)), (None, None));
        assert_eq!([1, 2, 3, 4].map(|seqno| history.view_of(seqno)), [Some(2), Some(2), Some(4), Some(4)]);
        assert_eq!((history.view_of(0), history.view_of(5)), (None, None));
        assert_eq!(
            (history.signature_for(1), history.signature_for(3), history.signature_for(4)),
            (Some(3), Some(3), None)
        );
    }

    #[test]
    fn skipped_views_repeat_the_next_start() {
        let shown: Vec<_> = history().view_history().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["1.1", "2.1", "3.3", "4.3"]);
    }
}
