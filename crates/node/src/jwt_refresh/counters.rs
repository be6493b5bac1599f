use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How often issuers were asked for their keys, since the node started.
#[derive(Debug, Default)]
pub struct Counters {
    successes: AtomicU64,
    failures: AtomicU64,
}

/// The numbers at one moment (CCF, `/node/jwt_keys/refresh/metrics`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Issuers that were asked, each time.
    pub attempts: u64,
    /// Those that answered with keys that could be taken.
    pub successes: u64,
    /// The others.
    pub failures: u64,
}

impl Counters {
    pub(super) fn count(&self, success: bool) {
        let counter = if success { &self.successes } else { &self.failures };
        counter.fetch_add(1, Relaxed);
    }

    /// The numbers now.
    #[must_use]
    pub fn read(&self) -> Counts {
        let (successes, failures) = (self.successes.load(Relaxed), self.failures.load(Relaxed));
        Counts { attempts: successes + failures, successes, failures }
    }
}
