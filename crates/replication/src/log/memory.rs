use std::collections::VecDeque;
use std::ops::{Bound, RangeBounds};

use super::record::{Record, Summary};
use super::{Entry, LogError, LogId, Vote};

/// What the records so far amount to. Writing and opening apply the same records, so they cannot come to differ.
///
/// Invariant: the indexes of `entries` have no hole, and what is purged is not among them.
#[derive(Debug, Default)]
pub(super) struct Memory {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    /// While opening: the last index held by segments that are gone. The purge marks to come must cover it.
    absent: Option<u64>,
    entries: VecDeque<Entry>,
}

impl Memory {
    pub(super) fn at_segment(summary: Summary) -> Self {
        let absent = summary.last.filter(|last| summary.purged.is_none_or(|purged| *last > purged.index));
        Self { vote: summary.vote, purged: summary.purged, absent, ..Self::default() }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary { vote: self.vote, purged: self.purged, last: self.last_index() }
    }

    /// First and last index of entries that should be there and are not.
    pub(super) fn missing(&self) -> Option<(u64, u64)> {
        self.absent.map(|last| (self.purged.map_or(0, |purged| purged.index + 1), last))
    }

    pub(super) fn vote(&self) -> Option<Vote> {
        self.vote
    }

    pub(super) fn purged(&self) -> Option<LogId> {
        self.purged
    }

    pub(super) fn committed(&self) -> Option<LogId> {
        self.committed
    }

    pub(super) fn set_committed(&mut self, committed: Option<LogId>) {
        self.committed = committed;
    }

    pub(super) fn last(&self) -> Option<LogId> {
        self.entries.back().map(|entry| entry.log_id).or(self.purged)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn last_index(&self) -> Option<u64> {
        let present = self.entries.back().map(|entry| entry.log_id.index);
        present.or(self.absent).or(self.purged.map(|purged| purged.index))
    }

    /// The entries in a range of indexes. Batches are shared, not copied.
    pub(super) fn range(&self, range: &impl RangeBounds<u64>) -> Vec<Entry> {
        self.slice(range).cloned().collect()
    }

    /// As [`Memory::range`], up to so many bytes of batches, but at least one entry if there is one.
    pub(super) fn range_limited(&self, range: &impl RangeBounds<u64>, limit: usize) -> Vec<Entry> {
        let mut bytes = 0;
        let within = |entry: &&Entry| {
            let first = bytes == 0;
            bytes += super::record::size_hint(entry);
            first || bytes <= limit
        };
        self.slice(range).take_while(within).cloned().collect()
    }

    fn slice(&self, range: &impl RangeBounds<u64>) -> impl Iterator<Item = &Entry> {
        let first = self.entries.front().map_or(0, |entry| entry.log_id.index);
        let from = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(end) => end.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        let position = |index: u64| usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
        let to = position(to).min(self.entries.len());
        self.entries.range(position(from).min(to)..to)
    }

    /// Whether entries could be appended. An empty log that was never purged takes any first index.
    pub(super) fn check_entries<'a>(&self, entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), LogError> {
        let mut last = self.last_index();
        for entry in entries {
            let found = entry.log_id.index;
            match last.map(|last| last + 1) {
                Some(expected) if expected != found => return Err(LogError::Hole { expected, found }),
                _ => last = Some(found),
            }
        }
        Ok(())
    }

    /// Whether truncating from an index on changes anything.
    pub(super) fn truncates(&self, since: u64) -> Result<bool, LogError> {
        match self.purged {
            Some(purged) if purged.index >= since => Err(LogError::TruncatesPurged { since, purged: purged.index }),
            _ => Ok(self.last_index().is_some_and(|last| last >= since)),
        }
    }

    /// Whether a record read from a file can follow.
    pub(super) fn check(&self, record: &Record) -> Result<(), &'static str> {
        let fits = match record {
            Record::Entry(entry) => self.check_entries([entry]).is_ok(),
            Record::Truncate { since } => self.truncates(*since).is_ok(),
            Record::Segment { .. } | Record::Vote(_) | Record::Purge { .. } => true,
        };
        if fits { Ok(()) } else { Err("its log entries do not follow those before") }
    }

    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Segment { .. } => {}
            Record::Entry(entry) => self.entries.push_back(entry),
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Truncate { since } => self.truncate(since),
            Record::Purge { upto } => self.purge(upto),
        }
    }

    fn truncate(&mut self, since: u64) {
        while self.entries.back().is_some_and(|entry| entry.log_id.index >= since) {
            self.entries.pop_back();
        }
        if self.absent.is_some_and(|absent| absent >= since) {
            self.absent = since.checked_sub(1).filter(|last| self.purged.is_none_or(|purged| *last > purged.index));
        }
    }

    fn purge(&mut self, upto: LogId) {
        while self.entries.front().is_some_and(|entry| entry.log_id.index <= upto.index) {
            self.entries.pop_front();
        }
        self.absent = self.absent.filter(|absent| *absent > upto.index);
        self.purged = Some(upto);
    }
}
