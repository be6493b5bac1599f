//! What the handlers of a node answer.

use api::{ApiError, Output};
use kv::TxId;

/// An answer, and the transaction that it is about if the client is to know it.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub output: Output,
    /// The transaction that was written, or whose state was read.
    pub tx_id: Option<TxId>,
}

/// The outcome of a handler that looks at the node.
pub type Answered = Result<Reply, ApiError>;
