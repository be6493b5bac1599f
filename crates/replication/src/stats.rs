use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Upper bounds of the sizes that batches are counted by, in transactions without the signature; the last one is the
/// most that a batch can have.
pub const BATCH_SIZES: [u64; 7] = [1, 4, 16, 64, 256, 1024, 4096];

/// What the commit thread has done since it was started. Only it writes, so nothing is waited for.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    transactions: AtomicU64,
    conflicts: AtomicU64,
    sizes: [AtomicU64; BATCH_SIZES.len()],
}

impl Stats {
    /// A transaction was refused, since something that it had read was changed.
    pub(crate) fn conflict(&self) {
        self.conflicts.fetch_add(1, Relaxed);
    }

    /// A batch was committed.
    pub(crate) fn batch(&self, transactions: usize) {
        let size = u64::try_from(transactions).unwrap_or(u64::MAX);
        self.transactions.fetch_add(size, Relaxed);
        let last = BATCH_SIZES.len() - 1;
        let at = BATCH_SIZES.partition_point(|bound| *bound < size).min(last);
        if let Some(count) = self.sizes.get(at) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Work {
        Work {
            transactions: self.transactions.load(Relaxed),
            conflicts: self.conflicts.load(Relaxed),
            batches: self.sizes.each_ref().map(|count| count.load(Relaxed)),
        }
    }
}

/// What a replica has done since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Transactions that were committed, without signatures.
    pub transactions: u64,
    /// Transactions that were sent back, since something that they had read was changed.
    pub conflicts: u64,
    /// Batches that were committed, by size: each counted once, at the smallest of [`BATCH_SIZES`] that holds it.
    pub batches: [u64; BATCH_SIZES.len()],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counted_by_size() {
        let stats = Stats::default();
        for size in [1, 1, 2, 4, 5, 4096, 5000] {
            stats.batch(size);
        }
        stats.conflict();
        let work = stats.read();
        assert_eq!(work.batches, [2, 2, 1, 0, 0, 0, 2]);
        assert_eq!((work.transactions, work.conflicts), (1 + 1 + 2 + 4 + 5 + 4096 + 5000, 1));
    }
}
