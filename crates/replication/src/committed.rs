use crypto::Digest;
use kv::State;

/// What is committed: durable on a majority and signed. It always ends with a signature transaction.
#[derive(Debug, Clone)]
pub struct Committed {
    /// All maps.
    pub state: State,
    /// The Merkle root over all transactions, the last signature included.
    pub root: Digest,
}
