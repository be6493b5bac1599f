//! Every bound that scripts live under, in one place.

/// Heap of one interpreter, in bytes.
pub(crate) const HEAP: usize = 64 << 20;
/// Stack of one interpreter, in bytes.
pub(crate) const STACK: usize = 1 << 20;
/// Stack of the thread that runs it: native builtins need some beyond what the engine counts.
pub(crate) const THREAD_STACK: usize = 8 << 20;
/// One frame on the pipe, in bytes.
pub(crate) const FRAME: usize = 24 << 20;
/// Table bytes put into one frame of a listing; longer listings take several frames.
pub(crate) const PAGE: usize = 1 << 20;
/// Questions about tables in one call.
pub(crate) const READS: usize = 20_000;
/// Table bytes read in one call.
pub(crate) const READ_BYTES: usize = 32 << 20;
/// Keys and values written in one call, in bytes.
pub(crate) const WRITE_BYTES: usize = 8 << 20;
/// Returned value as JSON, in bytes.
pub(crate) const VALUE_BYTES: usize = 1 << 20;
/// Effects asked for in one call.
pub(crate) const EFFECTS: usize = 64;
/// Text of an exception, in bytes.
pub(crate) const REASON_BYTES: usize = 4 << 10;
/// Trace of an exception, in bytes.
pub(crate) const TRACE_BYTES: usize = 16 << 10;
/// Calls after which a process is replaced, so that its processor time stays below [`CPU_SECONDS`].
pub(crate) const CALLS_PER_PROCESS: u32 = 100;
/// Processor time of one process, in seconds: the last resort against a process that outlived its service.
pub(crate) const CPU_SECONDS: u64 = 200;
/// Address space of one process, in bytes.
pub(crate) const ADDRESS_SPACE: u64 = 1 << 30;
/// Data segment of one process, in bytes.
pub(crate) const DATA: u64 = 320 << 20;
