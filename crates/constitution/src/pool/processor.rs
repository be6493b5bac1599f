//! The processor time of other processes (proc(5), `/proc/PID/stat`).

use std::time::Duration;

/// The unit of the times in that file, the same on all machines.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Processor time of a process so far, to within two [`TICK`]s. `None` if the process is gone or its times cannot be read.
pub(super) fn used(pid: u32) -> Option<Duration> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Fields 14 and 15: time in the process's own code, and in the kernel's for it. The second field is a name in
/// parentheses, which may hold anything.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
    let ticks = times.next()?.ok()?.checked_add(times.next()?.ok()?)?;
    Some(TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_a_name_that_may_hold_anything() {
        let line = "7 (a) R 1 (b) S 2 2 2 0 -1 0 99 0 0 0 250 17 0 0 20 0 1";
        assert_eq!(parse(line), Some(Duration::from_millis(2670)));
        assert_eq!((parse(""), parse("7 (a) S 1 2"), parse("7 (a) S 2 2 2 0 -1 0 99 0 0 0 x 17")), (None, None, None));
    }

    #[test]
    fn this_process_uses_what_it_uses() {
        let before = used(std::process::id()).unwrap();
        while used(std::process::id()).unwrap() < before + TICK * 3 {
            std::hint::black_box((0..100_000_u64).sum::<u64>());
        }
        assert_eq!(used(u32::MAX), None);
    }
}
