use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The last chains that were of use. Which one is for a report is found out by trying: a chip has one at a time, and a
/// process one chip.
#[derive(Debug)]
pub(super) struct Cache {
    capacity: usize,
    chains: Mutex<VecDeque<String>>,
}

impl Cache {
    /// A cache of at most `capacity` chains, which forgets the oldest.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, chains: Mutex::new(VecDeque::new()) }
    }

    /// The first chain that fits, the newest first.
    pub(super) fn find(&self, fits: impl Fn(&str) -> bool) -> Option<String> {
        // Fitting takes a while, so nobody waits for it.
        let chains: Vec<String> = self.lock().iter().rev().cloned().collect();
        chains.into_iter().find(|chain| fits(chain))
    }

    pub(super) fn keep(&self, chain: String) {
        let mut chains = self.lock();
        chains.retain(|one| *one != chain);
        chains.push_back(chain);
        while chains.len() > self.capacity {
            chains.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        // A list of texts is whole whatever its last user did.
        self.chains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let cache = Cache::new(2);
        for chain in ["a", "b", "a", "c"] {
            cache.keep(chain.into());
        }
        assert_eq!(cache.lock().iter().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(cache.find(|_| true).as_deref(), Some("c"));
        assert_eq!(cache.find(|chain| chain == "b"), None);
    }
}
