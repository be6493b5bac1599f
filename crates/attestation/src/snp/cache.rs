use std::collections::{HashMap, VecDeque};

use crypto::{Certificate, Digest, sha256_parts};

use crate::{Result, Trail};

use super::{Chain, chain};

/// Chains that were verified before: a chip sends the same one with each report, and its three RSA signatures of 4096
/// bits are most of the work.
///
/// It holds a fixed number and forgets the oldest. What counts are the certificates, not how their text is broken into
/// lines, so a stranger needs as many genuine chains as it holds to make it forget.
#[derive(Debug)]
pub struct ChainCache {
    capacity: usize,
    chains: HashMap<Digest, Chain>,
    order: VecDeque<Digest>,
}

impl ChainCache {
    /// A cache of at most `capacity` chains, about 3 KiB each. With 0 it remembers nothing.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity, chains: HashMap::new(), order: VecDeque::new() }
    }

    /// The chain of a PEM text, verified now or before. What was not believed is not remembered.
    ///
    /// # Errors
    /// As [`Chain::verify`].
    pub fn verify(&mut self, pem: &str, trail: &mut Trail) -> Result<Chain> {
        let certificates = chain::parse(pem, trail)?;
        let digest = sha256_parts(&certificates.each_ref().map(Certificate::der));
        if let Some(chain) = self.chains.get(&digest) {
            return chain::CHECKS.iter().try_for_each(|check| trail.note(*check, Ok(()))).map(|()| chain.clone());
        }
        let chain = Chain::of(certificates, trail)?;
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
