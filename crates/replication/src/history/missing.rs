use std::sync::Arc;

/// How far the index of the past has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Transactions that have been read.
    pub done: u64,
    /// Transactions that are to be read.
    pub total: u64,
}

/// Why nothing is known of the transactions before a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// They are still being read.
    Indexing(Progress),
    /// They cannot be read, or do not lead to the root at the snapshot; the text says which file is wrong.
    #[allow(dead_code, reason = "the index says so")]
    Unreadable(Arc<str>),
}
