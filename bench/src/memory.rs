//! How much memory a node has in use after a day's work.

use std::path::Path;

use serde_json::json;
use suites::{Consortium, KeyFolder, Node, Result, Settings};

use crate::load::{Case, Target};

/// Contracts that are written, one after the other, each of about 1 KiB.
const WRITES: u32 = 50_000;

/// What the operating system says about the process of the node, in MiB.
pub struct Memory {
    /// Writes before it was asked.
    pub writes: u32,
    /// Resident.
    pub resident: f64,
    /// The most that was ever resident.
    pub peak: f64,
}

/// Writes to a fresh node, then asks.
pub async fn measure(directory: &Path, keys: &KeyFolder) -> Result<Memory> {
    let consortium = Consortium::of(keys)?;
    let mut node = Node::prepare(&directory.join("memory"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    let body = json!({"data": {"text": "x".repeat(crate::TEXT)}}).to_string();
    let case = Case::fill(64);
    Target::node(&node, consortium.first()).write_many(case, WRITES, &body)?;
    let pid = node.pid().ok_or("the node has ended")?;
    let memory = Memory { writes: WRITES, resident: mebibytes(pid, "VmRSS:")?, peak: mebibytes(pid, "VmHWM:")? };
    println!("{:.0} MiB resident after {WRITES} writes, at most {:.0} MiB", memory.resident, memory.peak);
    node.stop().await?;
    Ok(memory)
}

/// A line of `/proc/PID/status`.
fn mebibytes(pid: u32, name: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("the system does not say")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}
