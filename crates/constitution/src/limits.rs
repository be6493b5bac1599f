//! Every bound that scripts live under, in one place.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits that members can raise by vote (`js_runtime_options`), never lower, and only so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeLimits {
    heap_bytes: u32,
    stack_bytes: u32,
    time_ms: u32,
}

impl RuntimeLimits {
    /// What scripts have without a vote: 100 MiB of heap, 1 MiB of stack (CCF), and 1 second for all scripts of one
    /// request.
    pub const BASE: Self = Self { heap_bytes: 100 << 20, stack_bytes: 1 << 20, time_ms: 1000 };
    /// What no vote can exceed: 256 MiB of heap, 4 MiB of stack, and 5 seconds for all scripts of one request.
    pub const MOST: Self = Self { heap_bytes: 256 << 20, stack_bytes: 4 << 20, time_ms: 5000 };

    /// The limits that a vote asks for, as near as [`Self::BASE`] and [`Self::MOST`] allow.
    #[must_use]
    pub fn asked(heap_bytes: u64, stack_bytes: u64, time_ms: u64) -> Self {
        let within = |asked: u64, least: u32, most: u32| u32::try_from(asked).unwrap_or(most).clamp(least, most);
        Self {
            heap_bytes: within(heap_bytes, Self::BASE.heap_bytes, Self::MOST.heap_bytes),
            stack_bytes: within(stack_bytes, Self::BASE.stack_bytes, Self::MOST.stack_bytes),
            time_ms: within(time_ms, Self::BASE.time_ms, Self::MOST.time_ms),
        }
    }

    /// Heap of one interpreter, in bytes.
    #[must_use]
    pub fn heap_bytes(self) -> usize {
        self.heap_bytes as usize
    }

    /// Stack of one interpreter, in bytes.
    #[must_use]
    pub fn stack_bytes(self) -> usize {
        self.stack_bytes as usize
    }

    /// Time of all scripts of one request.
    #[must_use]
    pub fn time(self) -> Duration {
        Duration::from_millis(self.time_ms.into())
    }
}

impl Default for RuntimeLimits {
    fn default() -> Self {
        Self::BASE
    }
}

/// Stack of the thread that runs an interpreter: native builtins need some beyond what the engine counts.
pub(crate) const THREAD_STACK: usize = 16 << 20;
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
/// Lists and objects in each other in what a script hands over: those of the frame around it come on top, and a parser
/// that stops at 128 reads both.
pub(crate) const NESTING: usize = 100;
/// Effects asked for in one call.
pub(crate) const EFFECTS: usize = 64;
/// Certificates asked for in one call.
pub(crate) const CERTIFICATES: usize = 64;
/// Texts that one certificate is asked for with, in bytes: a signing request has about one thousand.
pub(crate) const CERTIFICATE_REQUEST_BYTES: usize = 16 << 10;
/// Text of an exception, in bytes.
pub(crate) const REASON_BYTES: usize = 4 << 10;
/// Trace of an exception, in bytes.
pub(crate) const TRACE_BYTES: usize = 16 << 10;
/// Calls after which a process is replaced, so that its processor time stays below [`CPU_SECONDS`].
pub(crate) const CALLS_PER_PROCESS: u32 = 100;
/// Processor time of one process, in seconds: the last resort against a process that outlived its service.
pub(crate) const CPU_SECONDS: u64 = 600;
/// Address space of one process, in bytes.
pub(crate) const ADDRESS_SPACE: u64 = 1 << 30;
/// Data segment of one process, in bytes: the largest heap, and what the host itself keeps.
pub(crate) const DATA: u64 = 576 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vote_raises_and_never_lowers() {
        assert_eq!(RuntimeLimits::asked(0, 0, 0), RuntimeLimits::BASE);
        assert_eq!(RuntimeLimits::asked(u64::MAX, u64::MAX, u64::MAX), RuntimeLimits::MOST);
        let asked = RuntimeLimits::asked(200 << 20, 2 << 20, 1500);
        assert_eq!((asked.heap_bytes(), asked.stack_bytes()), (200 << 20, 2 << 20));
        assert_eq!(asked.time(), Duration::from_millis(1500));
    }

    #[test]
    fn a_process_that_always_works_as_long_as_it_may_is_replaced_in_time() {
        let longest = RuntimeLimits::MOST.time().as_secs() * u64::from(CALLS_PER_PROCESS);
        assert!(longest < CPU_SECONDS);
    }
}
