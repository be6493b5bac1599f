//! How long a page of old events takes, out of a short history and out of a long one.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use suites::{Result, run};

/// The figures.
pub struct Pages {
    /// States in the short history and in the long one.
    pub states: (u64, u64),
    /// Milliseconds of a page of 100 out of each, medians.
    pub milliseconds: (f64, f64),
}

/// Runs the example of the replication crate that writes histories and asks for pages; the long one has so many states.
pub fn measure(states: u32) -> Result<Option<Pages>> {
    let Some(program) = std::env::var_os("CGS_PAGES").map(PathBuf::from).filter(|program| program.exists()) else {
        println!("pages are not measured: start this with cargo xtask bench");
        return Ok(None);
    };
    let said = run(Command::new(program).arg(states.to_string()))?.succeeded("pages")?;
    print!("{said}");
    let line = said.lines().rev().find(|line| line.starts_with('{')).ok_or("pages printed no figures")?;
    let figures: Value = serde_json::from_str(line)?;
    let of = |name: &str| figures[name].as_f64().ok_or_else(|| format!("pages: {name} is missing in {line}"));
    let count = |name: &str| figures[name].as_u64().ok_or_else(|| format!("pages: {name} is missing in {line}"));
    Ok(Some(Pages {
        states: (count("short_states")?, count("long_states")?),
        milliseconds: (of("short_ms")?, of("long_ms")?),
    }))
}
