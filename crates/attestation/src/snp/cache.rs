use std::collections::{HashMap, VecDeque};

use crypto::{Digest, sha256};

use crate::Result;

use super::Chain;

/// Chains that were verified before: a chip sends the same one with each report, and its three RSA signatures of 4096
/// bits are most of the work.
///
/// It holds a fixed number and forgets the oldest, so strangers can neither fill it nor make it forget much.
#[derive(Debug)]
pub struct ChainCache {
    capacity: usize,
    chains: HashMap<Digest, Chain>,
    order: VecDeque<Digest>,
}

impl ChainCache {
    /// A cache of at most `capacity` chains, about 3 KiB each.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, chains: HashMap::new(), order: VecDeque::new() }
    }

    /// The chain of a PEM text, verified now or before. What was not believed is not remembered.
    ///
    /// # Errors
    /// As [`Chain::verify`].
    pub fn verify(&mut self, pem: &str) -> Result<Chain> {
        let digest = sha256(pem.as_bytes());
        if let Some(chain) = self.chains.get(&digest) {
            return Ok(chain.clone());
        }
        let chain = Chain::verify(pem)?;
        self.keep(digest, chain.clone());
        Ok(chain)
    }

    /// How many chains are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chains.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }

    fn keep(&mut self, digest: Digest, chain: Chain) {
        if self.capacity == 0 {
            return;
        }
        if self.order.len() >= self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.chains.remove(&oldest);
        }
        self.order.push_back(digest);
        self.chains.insert(digest, chain);
    }
}
