//! `cargo xtask lint`: rustfmt, clippy, rustdoc and the project's own rules.

use crate::places::cargo;
use crate::report::Report;
use crate::suites::SUITES;
use crate::{Result, tidy};

/// Warnings are errors, and so is a function of more lines than `clippy.toml` says.
const CLIPPY: [&str; 5] = ["--", "-D", "warnings", "-D", "clippy::too_many_lines"];
const AGAIN: &str = "cargo xtask lint";
/// Nothing here is published, so the documentation is read with private items, and may link to them.
const RUSTDOC: &str = "-D warnings -A rustdoc::private-intra-doc-links";

/// Runs the checks; true if all passed.
pub(crate) fn run() -> Result<bool> {
    let mut report = Report::default();
    report.check("rustfmt", "cargo fmt --all", cargo().args(["fmt", "--all", "--check"]))?;
    let loadgen = ["fmt", "--manifest-path", "bench/loadgen/Cargo.toml", "--check"];
    report.check("rustfmt of the load generator", AGAIN, cargo().args(loadgen))?;
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets"]).args(CLIPPY);
    report.check("clippy", AGAIN, &mut clippy)?;
    report.check("clippy of the suites", AGAIN, &mut clippy_of_the_suites())?;
    let mut doc = cargo();
    doc.args(["doc", "--workspace", "--no-deps", "--document-private-items"]).env("RUSTDOCFLAGS", RUSTDOC);
    report.check("rustdoc", AGAIN, &mut doc)?;
    report.complaints("tidy: the project's own rules", AGAIN, tidy::complaints)?;
    Ok(report.finish())
}

/// `--all-targets` leaves out tests that `cargo test` does not run by itself.
fn clippy_of_the_suites() -> std::process::Command {
    let mut command = cargo();
    command.args(["clippy", "-p", "suites"]);
    for suite in &SUITES {
        command.args(["--test", suite.name]);
    }
    command.args(CLIPPY);
    command
}
