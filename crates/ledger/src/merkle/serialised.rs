use crypto::Digest;

use super::{Level, Tree};
use crate::LedgerError;

impl Tree {
    /// The tree of the first `size` leaves in CCF's form: leaves from `flushed` on, and of what lies before only the
    /// subtrees on the left of the path to that leaf, deepest first. Integers are big-endian.
    ///
    /// # Errors
    /// `flushed` or `size` lies outside the tree.
    pub fn serialise(&self, flushed: u64, size: u64) -> Result<Vec<u8>, LedgerError> {
        self.check_size(size)?;
        if flushed < self.first || flushed >= size {
            return Err(self.no_leaf(flushed, size));
        }
        let count = size - flushed;
        let mut out = Vec::with_capacity(16 + 32 * (usize::try_from(count).unwrap_or_default() + 64));
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&flushed.to_be_bytes());
        for index in flushed..size {
            out.extend_from_slice(&self.complete(0, index).ok_or_else(|| self.no_leaf(index, size))?);
        }
        for level in peaks(flushed) {
            let peak = self.complete(level, (flushed >> level) - 1);
            out.extend_from_slice(&peak.ok_or_else(|| self.no_leaf(flushed, size))?);
        }
        Ok(out)
    }

    /// The first leaf that a tree in CCF's form has.
    pub(crate) fn serialised_first(bytes: &[u8]) -> Result<u64, LedgerError> {
        let (_, rest) = take_u64(bytes)?;
        Ok(take_u64(rest)?.0)
    }

    /// Reads a tree from CCF's form; it can be appended to, and proves leaves from the flushed index on.
    ///
    /// # Errors
    /// A length that does not fit the two counts, or no leaves.
    pub fn parse(bytes: &[u8]) -> Result<Self, LedgerError> {
        let (count, rest) = take_u64(bytes)?;
        let (flushed, rest) = take_u64(rest)?;
        let (hashes, surplus) = rest.as_chunks::<32>();
        let peaks: Vec<u32> = peaks(flushed).collect();
        let expected = count.checked_add(peaks.len() as u64);
        if count == 0 || !surplus.is_empty() || expected != Some(hashes.len() as u64) {
            let expected = format!("{count} leaves (at least one) and {} subtrees of 32 bytes", peaks.len());
            return Err(LedgerError::differs("serialised tree", expected, format!("{} bytes", rest.len())));
        }
        if flushed.checked_add(count).is_none() {
            return Err(LedgerError::malformed("serialised tree", "more leaves than a ledger can have"));
        }
        let (leaves, subtrees) = hashes.split_at_checked(hashes.len() - peaks.len()).unwrap_or_default();
        let mut tree = Self::behind(flushed, peaks.into_iter().zip(subtrees));
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        Ok(tree)
    }

    /// A tree whose first `flushed` leaves are known by their subtrees only.
    fn behind<'a>(flushed: u64, peaks: impl Iterator<Item = (u32, &'a Digest)>) -> Self {
        let depth = u64::BITS - flushed.leading_zeros();
        let mut levels: Vec<Level> = (0..depth).map(|k| Level { first: flushed >> k, nodes: Vec::new() }).collect();
        for (k, peak) in peaks {
            if let Some(level) = levels.get_mut(k as usize) {
                *level = Level { first: level.first - 1, nodes: vec![*peak] };
            }
        }
        Self { levels, first: flushed, size: flushed }
    }
}

/// The levels of the complete subtrees that `size` leaves consist of, smallest (deepest) first.
fn peaks(size: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |k| size >> k & 1 == 1)
}

fn take_u64(bytes: &[u8]) -> Result<(u64, &[u8]), LedgerError> {
    let (first, rest) = bytes.split_first_chunk().ok_or(LedgerError::Truncated { field: "serialised tree" })?;
    Ok((u64::from_be_bytes(*first), rest))
}

#[cfg(test)]
mod tests {
    use crypto::sha256;
    use proptest::prelude::*;

    use super::*;
    use crate::merkle::fold;

    fn tree(n: u64) -> Tree {
        let mut tree = Tree::new();
        (1..n).for_each(|i| tree.append(sha256(&i.to_le_bytes())));
        tree
    }

    #[test]
    fn the_first_signature_has_two_leaves() {
        let bytes = tree(2).serialise(0, 2).unwrap();
        let leaf = hex::encode(sha256(&1u64.to_le_bytes()));
        assert_eq!(hex::encode(&bytes), format!("{:016x}{:016x}{}{leaf}", 2, 0, "0".repeat(64)));
    }

    proptest! {
        #[test]
        fn a_parsed_tree_is_the_tree_from_there_on(n in 2u64..500, a in any::<u64>(), more in 0u64..40) {
            let flushed = a % n;
            let full = tree(n + more);
            let bytes = full.serialise(flushed, n).unwrap();
            let mut parsed = Tree::parse(&bytes).unwrap();
            prop_assert_eq!(parsed.root(), full.root_at(n).unwrap());
            prop_assert_eq!(parsed.serialise(flushed, n).unwrap(), bytes);
            (n..n + more).for_each(|i| parsed.append(sha256(&i.to_le_bytes())));
            prop_assert_eq!(parsed.root(), full.root());
            for index in flushed..n + more {
                let proof = parsed.proof(index, n + more).unwrap();
                prop_assert_eq!(fold(*full.leaf(index).unwrap(), &proof), full.root());
            }
            prop_assert!(flushed == 0 || parsed.proof(flushed - 1, n).is_err());
            prop_assert!(flushed == 0 || parsed.leaf(flushed - 1).is_none());
        }

        #[test]
        fn other_lengths_are_refused(n in 2u64..50, a in any::<u64>(), cut in 1usize..64) {
            let bytes = tree(n).serialise(a % n, n).unwrap();
            prop_assert!(Tree::parse(&bytes[..bytes.len() - cut.min(bytes.len())]).is_err());
            prop_assert!(Tree::parse(&[bytes.as_slice(), &vec![0; cut]].concat()).is_err());
        }

        #[test]
        fn anything_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(tree) = Tree::parse(&bytes) {
                prop_assert!(tree.root_at(tree.size()).is_ok());
            }
        }
    }
}
