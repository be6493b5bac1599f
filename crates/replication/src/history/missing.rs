use std::sync::Arc;

/// How far the index of the past has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Transactions that have been read.
    pub done: u64,
    /// Transactions that are to be read.
    pub total: u64,
}

/// How many of the committed transactions can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Those that have been read.
    pub transactions: u64,
    /// Those before the snapshot that the node has started from that are still to be read.
    pub missing: u64,
    /// Whether reading them has failed.
    pub unreadable: bool,
}

/// Why nothing is known of the transactions before a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// They are still being read.
    Indexing(Progress),
    /// They cannot be read, or do not lead to the root at the snapshot; the text says which file is wrong.
    Unreadable(Arc<str>),
}
