/// Which writes to a key are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first seqno.
    pub from: u64,
    /// The last seqno; those that are not committed yet have no writes.
    pub to: u64,
    /// Writes on a page at most.
    pub at_most: usize,
    /// Which of them come first.
    pub order: Order,
}

/// From where a range is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From `from` on.
    OldestFirst,
    /// From `to` on back.
    NewestFirst,
}
