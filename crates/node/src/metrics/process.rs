use std::{fmt, fs};

use prometheus_client::{collector::Collector, encoding::DescriptorEncoder};

use super::page::Page;

/// Clock ticks a second in `/proc/self/stat`: 100 on every architecture that Linux has today.
const TICKS: f64 = 100.0;

/// The process, as the operating system sees it, under the names that all clients of Prometheus use. What cannot be read
/// is left out.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        if let Some(bytes) = kilobytes(&read("/proc/self/status"), "VmRSS:") {
            page.gauge("process_resident_memory_bytes", "Resident memory", bytes)?;
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            let open = u64::try_from(files.count()).unwrap_or(u64::MAX);
            page.gauge("process_open_fds", "Open file descriptors", open)?;
        }
        if let Some(most) = descriptors(&read("/proc/self/limits")) {
            page.gauge("process_max_fds", "Most file descriptors that can be open", most)?;
        }
        let stat = read("/proc/self/stat");
        if let (Some(user), Some(system), Some(threads)) = (field(&stat, 14), field(&stat, 15), field(&stat, 20)) {
            page.counter("process_cpu_seconds", "Processor time of user and system", (user + system) / TICKS)?;
            page.gauge("process_threads", "Threads", threads)?;
        }
        let booted =
            read("/proc/stat").lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
        if let (Some(booted), Some(started)) = (booted, field(&stat, 22)) {
            let help = "When the process was started, in seconds since 1970";
            page.gauge("process_start_time_seconds", help, booted + started / TICKS)?;
        }
        Ok(())
    }
}

/// A line like `VmRSS:  12 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The soft limit in a line like `Max open files   1024   4096   files`.
fn descriptors(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A numbered field of `/proc/self/stat` (proc_pid_stat(5)). The second one is a name that may hold anything.
fn field(text: &str, number: usize) -> Option<f64> {
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_system_are_read() {
        assert_eq!(kilobytes("Name:\tx\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12 * 1024));
        assert_eq!(descriptors("Limit  Soft\nMax open files            1024   4096  files\n"), Some(1024));
        let stat = "17 (a) b) S 1 17 17 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 12345 1000 77";
        assert_eq!((field(stat, 14), field(stat, 15)), (Some(250.0), Some(50.0)));
        assert_eq!((field(stat, 20), field(stat, 22), field(stat, 99)), (Some(9.0), Some(12345.0), None));
    }
}
