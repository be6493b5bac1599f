//! Steps with a headline, a duration and a count of what passed.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;

/// What has run so far.
#[derive(Default)]
pub(crate) struct Report {
    passed: u64,
    failed: u64,
    lines: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    /// Runs a program whose success is one test.
    pub(crate) fn check(&mut self, title: &str, again: &str, command: &mut Command) -> Result<()> {
        self.step(title, again, command, |_| None)
    }

    /// Runs `cargo test`, and counts its tests.
    pub(crate) fn tests(&mut self, title: &str, again: &str, command: &mut Command) -> Result<()> {
        self.step(title, again, command, counted)
    }

    fn step(
        &mut self,
        title: &str,
        again: &str,
        command: &mut Command,
        count: impl Fn(&str) -> Option<(u64, u64)>,
    ) -> Result<()> {
        headline(title);
        let started = Instant::now();
        let (mut passed, mut failed) = (0, 0);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        if let Some(output) = child.stdout.take() {
            for line in BufReader::new(output).lines() {
                let line = line?;
                println!("{line}");
                if let Some((good, bad)) = count(&line) {
                    passed += good;
                    failed += bad;
                }
            }
        }
        let good = child.wait()?.success();
        if good && passed == 0 {
            passed = 1;
        }
        if !good && failed == 0 {
            failed = 1;
        }
        self.add(title, again, started.elapsed(), passed, failed);
        Ok(())
    }

    /// Runs a check of this program: every complaint counts as a failure.
    pub(crate) fn complaints(
        &mut self,
        title: &str,
        again: &str,
        check: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<()> {
        headline(title);
        let started = Instant::now();
        let complaints = check()?;
        for complaint in &complaints {
            println!("{complaint}");
        }
        let failed = complaints.len() as u64;
        self.add(title, again, started.elapsed(), u64::from(failed == 0), failed);
        Ok(())
    }

    fn add(&mut self, title: &str, again: &str, took: Duration, passed: u64, failed: u64) {
        let seconds = took.as_secs_f64();
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!("{verdict} after {seconds:.1} s");
        self.lines.push(format!("{verdict:7}{seconds:7.1} s  {title}"));
        if failed > 0 {
            self.failures.push(format!("{title} failed; to run it again: {again}"));
        }
        self.passed += passed;
        self.failed += failed;
    }

    /// Whether anything has failed so far.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// Prints what ran, how to repeat what failed, and, as the last line, the counts. True if nothing failed.
    pub(crate) fn finish(self) -> bool {
        headline("Summary");
        for line in self.lines.iter().chain(&self.failures) {
            println!("{line}");
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0
    }
}

fn headline(title: &str) {
    println!("\n=== {title}");
}

/// The counts in a line like `test result: ok. 12 passed; 0 failed; 0 ignored; …`.
fn counted(line: &str) -> Option<(u64, u64)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |what: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(what))?;
        part.trim().parse::<u64>().ok()
    };
    Some((number(" passed")?, number(" failed")?))
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn counts_what_cargo_test_reports() {
        let line = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 0.04s";
        assert_eq!(counted(line), Some((3, 2)));
        assert_eq!(counted("running 3 tests"), None);
    }
}
