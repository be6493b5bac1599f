use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time that a call may still use.
///
/// It is not the time on a clock: whoever runs the machine decides when this process gets the processor, and must not
/// decide thereby which ballots fail.
#[derive(Clone, Copy)]
pub(super) struct Allowance {
    end: Duration,
}

impl Allowance {
    /// So much from now on.
    pub(super) fn of(time: Duration) -> Self {
        Self { end: used().saturating_add(time) }
    }

    /// Whether it is used up.
    pub(super) fn is_over(self) -> bool {
        used() >= self.end
    }
}

/// Processor time of this process so far.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, thread};

    use super::*;

    #[test]
    fn waiting_uses_nothing_up_and_working_does() {
        let allowance = Allowance::of(Duration::from_secs(3600));
        thread::sleep(Duration::from_millis(5));
        assert!(!allowance.is_over());
        let allowance = Allowance::of(Duration::from_millis(2));
        while !allowance.is_over() {
            black_box((0..1000_u64).sum::<u64>());
        }
    }
}
