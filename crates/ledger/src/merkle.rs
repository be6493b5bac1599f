//! The Merkle tree over all transactions (CCF): leaf 0 is 32 zero bytes, leaf i is transaction i, a node is SHA-256 of
//! its two children, and an odd last node moves up unchanged.

mod serialised;

use crypto::{Digest, sha256_parts};

use crate::LedgerError;

/// One step from a leaf to the root: the sibling, and the side it stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The sibling is the left child.
    Left(Digest),
    /// The sibling is the right child.
    Right(Digest),
}

/// The root that a leaf and its proof lead to.
#[must_use]
pub fn fold(leaf: Digest, proof: &[Step]) -> Digest {
    proof.iter().fold(leaf, |node, step| match step {
        Step::Left(sibling) => join(sibling, &node),
        Step::Right(sibling) => join(&node, sibling),
    })
}

/// An append-only tree that answers for any leaf and any size it ever had.
///
/// Kept are the hashes of all complete subtrees, 64 bytes for each leaf. A tree that was read from a signature
/// transaction starts at a later leaf: what lies before is known by the hashes of a few subtrees, and proofs exist from
/// that leaf on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Level `k` has the complete subtrees of 2^k leaves.
    levels: Vec<Level>,
    first: u64,
    size: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Level {
    /// The index of the first node that is kept.
    first: u64,
    nodes: Vec<Digest>,
}

impl Level {
    fn get(&self, index: u64) -> Option<&Digest> {
        self.nodes.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }

    fn end(&self) -> u64 {
        self.first + self.nodes.len() as u64
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// The tree before the first transaction: leaf 0 only.
    #[must_use]
    pub fn new() -> Self {
        let mut tree = Self { levels: Vec::new(), first: 0, size: 0 };
        tree.append([0; 32]);
        tree
    }

    /// The number of leaves, which is the seqno of the next transaction.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The first leaf that the tree can prove; 0 unless it was read from a signature transaction.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The leaf of a transaction, if the tree has it.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<&Digest> {
        self.levels.first().filter(|_| index >= self.first)?.get(index)
    }

    /// Adds the leaf of the next transaction.
    pub fn append(&mut self, leaf: Digest) {
        let mut node = leaf;
        for k in 0.. {
            if self.levels.len() == k {
                self.levels.push(Level::default());
            }
            let Some(level) = self.levels.get_mut(k) else { break };
            level.nodes.push(node);
            if !level.end().is_multiple_of(2) {
                break;
            }
            let Some(left) = level.get(level.end() - 2) else { break };
            node = join(left, &node);
        }
        self.size += 1;
    }

    /// Forgets all leaves from `size` on: they were not committed.
    ///
    /// # Errors
    /// `size` is larger than the tree or does not reach its first leaf.
    pub fn truncate(&mut self, size: u64) -> Result<(), LedgerError> {
        self.check_size(size)?;
        for (k, level) in (0u32..).zip(&mut self.levels) {
            let keep = (size >> k).saturating_sub(level.first);
            level.nodes.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        }
        self.size = size;
        Ok(())
    }

    /// Forgets the single leaves below `before`; of them only what the root needs is kept, as in a tree that was read
    /// from a signature transaction. Does nothing where `before` is not a later leaf of the tree.
    pub fn forget(&mut self, before: u64) {
        if before <= self.first || before >= self.size {
            return;
        }
        for (k, level) in (0u32..).zip(&mut self.levels) {
            let (at, is_peak) = (before >> k, before >> k & 1);
            let surplus = usize::try_from((at - is_peak).saturating_sub(level.first)).unwrap_or(usize::MAX);
            let surplus = surplus.min(level.nodes.len());
            level.nodes.drain(..surplus);
            level.first += surplus as u64;
        }
        self.first = before;
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.partial(self.size, 64).unwrap_or_default()
    }

    /// The root over the first `size` leaves: what the signature transaction with that seqno signs.
    ///
    /// # Errors
    /// `size` is larger than the tree or does not reach its first leaf.
    pub fn root_at(&self, size: u64) -> Result<Digest, LedgerError> {
        self.check_size(size)?;
        self.partial(size, 64).ok_or_else(|| self.no_leaf(size, size))
    }

    /// The steps from leaf `index` to the root over the first `size` leaves.
    ///
    /// # Errors
    /// The leaf is not below `size`, or the tree does not have it (any more).
    pub fn proof(&self, index: u64, size: u64) -> Result<Vec<Step>, LedgerError> {
        self.check_size(size)?;
        if index < self.first || index >= size {
            return Err(self.no_leaf(index, size));
        }
        let mut steps = Vec::new();
        let (mut at, mut last, mut level) = (index, size - 1, 0u32);
        while last > 0 {
            let step = if at % 2 == 1 {
                self.node(level, at - 1, size).map(Step::Left)
            } else if at < last {
                self.node(level, at + 1, size).map(Step::Right)
            } else {
                None
            };
            if step.is_none() && (at % 2 == 1 || at < last) {
                return Err(self.no_leaf(index, size));
            }
            steps.extend(step);
            (at, last, level) = (at / 2, last / 2, level + 1);
        }
        Ok(steps)
    }

    /// A node of the tree over the first `size` leaves; the last one of a level may be incomplete.
    fn node(&self, level: u32, index: u64, size: u64) -> Option<Digest> {
        if index < size >> level {
            return self.complete(level, index);
        }
        self.partial(size, level)
    }

    fn complete(&self, level: u32, index: u64) -> Option<Digest> {
        self.levels.get(level as usize)?.get(index).copied()
    }

    /// The node over the last leaves up to `size`, as many as the low `bits` bits of `size` say: the complete subtrees
    /// that these bits stand for, joined from the right.
    fn partial(&self, size: u64, bits: u32) -> Option<Digest> {
        let mut node: Option<Digest> = None;
        for k in (0..bits.min(u64::BITS - size.leading_zeros())).filter(|k| size >> k & 1 == 1) {
            let left = self.complete(k, (size >> k) - 1)?;
            node = Some(node.map_or(left, |right| join(&left, &right)));
        }
        node
    }

    fn check_size(&self, size: u64) -> Result<(), LedgerError> {
        if size > self.first && size <= self.size {
            Ok(())
        } else {
            Err(self.no_leaf(size.saturating_sub(1), self.size))
        }
    }

    fn no_leaf(&self, index: u64, size: u64) -> LedgerError {
        LedgerError::NoLeaf { index, first: self.first, size }
    }
}

fn join(left: &Digest, right: &Digest) -> Digest {
    sha256_parts(&[left, right])
}

#[cfg(test)]
mod tests {
    use crypto::sha256;
    use proptest::prelude::*;

    use super::*;

    /// Level by level, as the format is described.
    fn naive_root(leaves: &[Digest]) -> Digest {
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| if let [l, r] = pair { join(l, r) } else { pair[0] }).collect();
        }
        level[0]
    }

    fn leaves(n: u64) -> Vec<Digest> {
        (0..n).map(|i| if i == 0 { [0; 32] } else { sha256(&i.to_le_bytes()) }).collect()
    }

    fn tree(leaves: &[Digest]) -> Tree {
        let mut tree = Tree::new();
        leaves.iter().skip(1).for_each(|leaf| tree.append(*leaf));
        tree
    }

    #[test]
    fn every_root_and_proof_of_small_trees() {
        let leaves = leaves(70);
        let tree = tree(&leaves);
        for size in 1..=70 {
            let root = naive_root(&leaves[..size as usize]);
            assert_eq!(tree.root_at(size).unwrap(), root);
            for index in 0..size {
                let proof = tree.proof(index, size).unwrap();
                assert_eq!(fold(leaves[index as usize], &proof), root, "{index} of {size}");
            }
        }
        assert_eq!(tree.root(), naive_root(&leaves));
    }

    #[test]
    fn nothing_outside_the_tree() {
        let tree = tree(&leaves(5));
        assert!(tree.root_at(0).is_err() && tree.root_at(6).is_err());
        assert!(tree.proof(5, 5).is_err() && tree.proof(0, 6).is_err() && tree.proof(0, 0).is_err());
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_tree(n in 2u64..3000, a in any::<u64>(), b in any::<u64>()) {
            let leaves = leaves(n);
            let tree = tree(&leaves);
            let size = 1 + a % n;
            let index = b % size;
            let root = naive_root(&leaves[..size as usize]);
            prop_assert_eq!(tree.root_at(size).unwrap(), root);
            let proof = tree.proof(index, size).unwrap();
            prop_assert_eq!(fold(leaves[index as usize], &proof), root);
            prop_assert!(fold(sha256(b"another leaf"), &proof) != root);
        }

        #[test]
        fn a_tree_that_forgot_is_the_one_that_was_read(n in 2u64..600, cuts in proptest::collection::vec(any::<u64>(), 1..4)) {
            let full = tree(&leaves(n));
            let mut cuts: Vec<u64> = cuts.into_iter().map(|cut| cut % n).collect();
            cuts.sort_unstable();
            let mut forgetful = tree(&leaves(n));
            for cut in cuts {
                forgetful.forget(cut);
                let read = Tree::parse(&full.serialise(cut, n).unwrap()).unwrap();
                prop_assert_eq!(forgetful.serialise(cut, n).unwrap(), read.serialise(cut, n).unwrap());
                prop_assert_eq!(forgetful.root(), full.root());
                prop_assert_eq!(forgetful.proof(cut, n).unwrap(), full.proof(cut, n).unwrap());
                prop_assert!(cut == 0 || forgetful.leaf(cut - 1).is_none());
                let mut longer = (forgetful.clone(), full.clone());
                for leaf in [[7; 32], [8; 32], [9; 32]] {
                    longer.0.append(leaf);
                    longer.1.append(leaf);
                    prop_assert_eq!(longer.0.root(), longer.1.root());
                }
            }
        }

        #[test]
        fn a_truncated_tree_goes_on_as_if_nothing_had_been(n in 2u64..600, cut in any::<u64>()) {
            let leaves = leaves(n);
            let size = 1 + cut % n;
            let mut cut = tree(&leaves);
            cut.truncate(size).unwrap();
            prop_assert_eq!(cut.root(), naive_root(&leaves[..size as usize]));
            leaves[size as usize..].iter().for_each(|leaf| cut.append(*leaf));
            prop_assert_eq!(cut.root(), tree(&leaves).root());
        }
    }
}
