//! Mistakes that tests plant in this crate, to see that they are found.
//!
//! Only with the feature `planted`, which nothing but the tests of this crate asks for. Without it [`is`] is a constant,
//! and what it guards is not in the binary.

/// A mistake that the code could have. The name says what is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(not(feature = "planted"), expect(unreachable_pub, reason = "public for tests only"))]
pub enum Fault {
    /// Whoever submitted is answered when the batch is sealed, before it is durable.
    AnswerBeforeDurable,
    /// A start cuts the last frame of the raft log though it is whole.
    SignedTailCut,
    /// A start takes the last frame of the raft log though it is torn.
    TornTailAccepted,
    /// A start leaves a torn frame where it was and writes over its beginning.
    CutNotErased,
    /// A start goes on under a ledger secret that an earlier process had.
    SecretReused,
    /// The file that says how far chunk files reach is written before they do.
    CoveredBeforeChunk,
    /// How far the chunk files reach is remembered only, and the raft log cut there.
    CoveredNotWritten,
    /// The raft log is cut before the chunk that holds the same is complete.
    CutBeforeChunk,
    /// A start trusts what an earlier process left of its open chunk.
    OpenChunkTrusted,
    /// A new segment of the raft log gets its name before its content is durable.
    SegmentRenamedFirst,
    /// A vote is remembered only.
    VoteNotWritten,
    /// After a failed sync of the raft log, it goes on with another handle.
    FailedSyncIgnored,
    /// A failed write to the raft log is taken for a good one.
    FailedWriteIgnored,
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Fault>> = const { std::cell::Cell::new(None) };
}

/// From now on this thread makes this mistake, and so do the threads of ledgers that it starts.
#[cfg(feature = "planted")]
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}

/// Whether this thread makes this mistake.
#[cfg(feature = "planted")]
#[must_use]
pub fn is(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

/// Whether this thread makes this mistake: never.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_fault: Fault) -> bool {
    false
}

/// The same work for another thread, with the mistakes of this one.
#[cfg(feature = "planted")]
pub(crate) fn carry<T>(work: impl FnOnce() -> T + Send) -> impl FnOnce() -> T + Send {
    let planted = PLANTED.get();
    move || {
        plant(planted);
        work()
    }
}

/// The same work for another thread.
#[cfg(not(feature = "planted"))]
pub(crate) fn carry<T>(work: impl FnOnce() -> T + Send) -> impl FnOnce() -> T + Send {
    work
}
