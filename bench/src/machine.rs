//! What the machine is like in the minutes of the measurement: whoever reads a figure has to know.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use suites::Result;

/// Appends of the probe, each with its sync.
const APPENDS: u64 = 300;
/// Bytes of one append: a transaction of about 1 KiB with its signature.
const APPENDED: usize = 1536;

/// The machine at one moment.
pub struct Moment {
    /// Load average of the last minute.
    load: String,
    /// Milliseconds of an append with fdatasync to an allocated file: the median, and nine out of ten.
    sync: (f64, f64),
}

impl Moment {
    /// Asks the machine, and probes the disk that the measured services write to.
    pub fn now(directory: &Path) -> Result<Self> {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or("?").to_owned();
        Ok(Self { load, sync: probe(&directory.join("probe"))? })
    }

    /// A line for the table.
    pub fn describe(&self) -> String {
        let (median, most) = self.sync;
        format!(
            "load average {}; append and fdatasync of 1.5 KiB {median:.2} ms, 9 of 10 within {most:.2} ms",
            self.load
        )
    }
}

fn probe(path: &Path) -> Result<(f64, f64)> {
    let file = File::create(path)?;
    let bytes = [7_u8; APPENDED];
    // Allocated and written before, as the segments of the raft log are.
    file.write_all_at(&vec![0; APPENDED * usize::try_from(APPENDS)?], 0)?;
    file.sync_all()?;
    let mut times = Vec::new();
    for number in 0..APPENDS {
        let started = Instant::now();
        file.write_all_at(&bytes, number * APPENDED as u64)?;
        file.sync_data()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    drop(file);
    std::fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[times.len() * 9 / 10]))
}

/// Processors, and their name.
pub fn processors() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{processors} processors, {}", name.trim_start_matches(['\t', ' ', ':']))
}
