//! The project's own chores, as `cargo xtask TASK`.

mod bench;
mod dist;
mod lint;
mod places;
mod python;
mod report;
mod suites;
mod test;
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask test [--only STEP]... [--raise]
       cargo xtask lint
       cargo xtask bench [--quick] [--only STEP,...] [--rounds N] [--seconds S] [--transactions N] [--write]
       cargo xtask dist [--check [--in DIR]]

test   builds the binary and runs everything: unit and property tests, then the suites over real processes. --only
       takes one step (a wrong one lists all); --raise writes higher numbers of matches into tests/conformance/pending.txt
lint   rustfmt, clippy, rustdoc and the project's own rules, warnings being errors
dist   builds the binary so that others get the same bytes, and prints its digest; --check builds the last commit twice,
       in two directories, and compares
bench  figures of a release build beside the floors of the same run; --write puts them into bench/README.md";

/// What a task can fail with: a text for the one who ran it.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test", options @ ..] => test::run(options),
        ["lint"] => lint::run(),
        ["bench", options @ ..] => bench::run(options),
        ["dist", options @ ..] => dist::run(options),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}
