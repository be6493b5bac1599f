mod encoding;
mod missing;
mod part;
mod range;

use std::sync::Arc;

use crypto::Digest;
use kv::TxId;
use ledger::merkle::Tree;

pub(crate) use missing::Missing;
pub use missing::{Known, Progress};
pub(crate) use part::{Part, watched_keys};
pub use range::{Order, Range};

/// Where everything is: derived from the ledger, never the other way round.
///
/// It is kept chunk by chunk. Behind a snapshot it begins without what the snapshot replaces; that is put before it when
/// it has been read and found to lead to the root at the snapshot.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct History {
    /// The tree over all entries; of the single leaves it has those since the last signature.
    tree: Tree,
    /// First transaction of each view.
    views: Vec<TxId>,
    last_signature: u64,
    /// What lies before the first part and is not known.
    gap: Option<Gap>,
    /// The complete chunks, in order.
    complete: Vec<Arc<Part>>,
    /// The chunk that is being written, if it has any entries.
    open: Option<Part>,
}

/// What lies before a snapshot.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Gap {
    /// The last transaction.
    last: u64,
    /// The root over all of it.
    root: Digest,
    /// Why it is not known.
    why: Missing,
}

/// Where an entry lies, and what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// First seqno of the chunk.
    pub(crate) chunk: u64,
    pub(crate) offset: u64,
    pub(crate) leaf: Digest,
}

impl History {
    /// What begins behind a snapshot, whose transaction is a signature and the last one in `tree`. `views` are as
    /// [`Self::view_history`] has them.
    pub(crate) fn behind(views: Vec<TxId>, mut tree: Tree) -> Self {
        let last = tree.size() - 1;
        tree.forget(last);
        let why = Missing::Indexing(Progress { done: 0, total: last });
        let gap = (last > 0).then(|| Gap { last, root: tree.root(), why });
        Self { tree, views, last_signature: last, gap, ..Self::default() }
    }

    /// The last transaction before the snapshot and the root there, if what lies before it is not known.
    pub(crate) fn gap(&self) -> Option<(u64, Digest)> {
        self.gap.as_ref().map(|gap| (gap.last, gap.root))
    }

    /// So many transactions before the snapshot have been read.
    pub(crate) fn progress(&mut self, done: u64) {
        if let Some(gap) = &mut self.gap {
            gap.why = Missing::Indexing(Progress { done, total: gap.last });
        }
    }

    /// What lies before the snapshot, which leads to the root there.
    pub(crate) fn fill(&mut self, parts: Vec<Arc<Part>>) {
        if self.gap.take().is_some() {
            self.complete.splice(0..0, parts);
        }
    }

    /// What lies before the snapshot cannot be known.
    pub(crate) fn give_up(&mut self, why: &str) {
        if let Some(gap) = &mut self.gap {
            gap.why = Missing::Unreadable(why.into());
        }
    }

    /// How much is known.
    pub(crate) fn known(&self) -> Known {
        let missing = self.gap.as_ref().map_or(0, |gap| match gap.why {
            Missing::Indexing(progress) => progress.total.saturating_sub(progress.done),
            Missing::Unreadable(_) => gap.last,
        });
        let unreadable = self.gap.as_ref().is_some_and(|gap| matches!(gap.why, Missing::Unreadable(_)));
        Known { transactions: self.last_seqno() - missing, missing, unreadable }
    }

    /// The first complete chunk that begins behind a seqno.
    pub(crate) fn complete_behind(&self, seqno: u64) -> Option<Arc<Part>> {
        let at = self.complete.partition_point(|part| part.start() <= seqno);
        self.complete.get(at).cloned()
    }

    /// The next entry is the first one of a new chunk file.
    pub(crate) fn starts_chunk(&mut self) {
        self.complete.extend(self.open.take().map(Arc::new));
    }

    /// The next entry lies at `offset` of the current chunk.
    pub(crate) fn entry(&mut self, view: u64, offset: u64, leaf: Digest) {
        let seqno = self.last_seqno() + 1;
        if self.views.last().is_none_or(|last| last.view != view) {
            self.views.push(TxId::new(view, seqno));
        }
        self.open.get_or_insert_with(|| Part::new(seqno)).entry(offset, leaf);
        self.tree.append(leaf);
    }

    /// The last entry was a signature transaction.
    pub(crate) fn signed(&mut self) {
        self.last_signature = self.last_seqno();
        self.open.iter_mut().for_each(Part::signed);
        self.tree.forget(self.last_signature);
    }

    /// A watched key was written, in the current chunk.
    pub(crate) fn wrote(&mut self, map: &str, key: &[u8], seqno: u64) {
        self.open.iter_mut().for_each(|part| part.wrote(map, key, seqno));
    }

    /// The last seqno.
    pub(crate) fn last_seqno(&self) -> u64 {
        self.tree.size() - 1
    }

    /// The tree over all entries. It proves what comes from the last signature on.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The last signature transaction; 0 if there is none.
    pub(crate) fn last_signature(&self) -> u64 {
        self.last_signature
    }

    /// The first signature transaction at or behind a seqno: the one that covers it.
    pub(crate) fn signature_for(&self, seqno: u64) -> Result<Option<u64>, Missing> {
        self.check(seqno)?;
        Ok(self.parts_from(seqno).find_map(|part| part.signature_for(seqno)))
    }

    /// Where a transaction is.
    pub(crate) fn place(&self, seqno: u64) -> Result<Option<Place>, Missing> {
        self.check(seqno)?;
        let found = self.parts_from(seqno).next();
        Ok(found.and_then(|part| {
            let (offset, leaf) = part.get(seqno)?;
            Some(Place { chunk: part.start(), offset, leaf })
        }))
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

    /// Seqnos of the writes to a watched key in a range: at most as many as the range allows, and one more if there is
    /// one.
    pub(crate) fn writes_to(&self, map: &str, key: &[u8], range: &Range) -> Result<Vec<u64>, Missing> {
        let (from, to) = (range.from.max(1), range.to.min(self.last_seqno()));
        let (at_most, bounds) = (range.at_most.saturating_add(1), (from, to));
        let reaches = self.parts_from(from).take_while(|part| part.start() <= to);
        let found: Vec<u64> = match range.order {
            Order::OldestFirst => {
                self.check(from)?;
                reaches.flat_map(|part| part.writes_to(map, key, bounds)).take(at_most).collect()
            }
            Order::NewestFirst => {
                let newest_first = self.parts_back_from(to).take_while(|part| part.last() >= from);
                newest_first.flat_map(|part| part.writes_to(map, key, bounds).rev()).take(at_most).collect()
            }
        };
        if found.len() < at_most && from <= to {
            self.check(from)?;
        }
        Ok(found)
    }

    /// Refuses a question about a transaction that is not known yet.
    fn check(&self, seqno: u64) -> Result<(), Missing> {
        match &self.gap {
            Some(gap) if seqno <= gap.last => Err(gap.why.clone()),
            _ => Ok(()),
        }
    }

    /// The part that holds `seqno`, and those behind it.
    fn parts_from(&self, seqno: u64) -> impl Iterator<Item = &Part> {
        let at = self.complete.partition_point(|part| part.last() < seqno);
        let complete = self.complete.get(at..).unwrap_or_default();
        complete.iter().map(|part| &**part).chain(self.open.as_ref())
    }

    /// The part that holds `seqno`, and those before it, from there on back.
    fn parts_back_from(&self, seqno: u64) -> impl Iterator<Item = &Part> {
        let end = self.complete.partition_point(|part| part.start() <= seqno);
        let complete = self.complete.get(..end).unwrap_or_default();
        let open = self.open.as_ref().filter(|part| part.start() <= seqno);
        open.into_iter().chain(complete.iter().rev().map(|part| &**part))
    }
}

#[cfg(test)]
mod tests;
