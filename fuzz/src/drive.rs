use std::{
    fs,
    panic::{catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

use crate::mutate::Mutator;

/// Enough to be worth it, and few enough for every test run.
const EXECUTIONS: u64 = 3000;

/// Runs a body over the files of `corpus/name/`, and then over changes of them.
///
/// # Panics
/// As the body, after keeping the input; and if there is no corpus.
pub fn drive(name: &str, run: fn(&[u8])) {
    drive_some(name, run, EXECUTIONS);
}

/// As [`drive`], over so many changes unless `FUZZ_EXECUTIONS` says otherwise: for bodies that take longer.
///
/// # Panics
/// As [`drive`].
pub fn drive_some(name: &str, run: fn(&[u8]), executions: u64) {
    let corpus = corpus(name);
    for input in &corpus {
        execute(name, run, input);
    }
    let mut mutator = Mutator::new(number("FUZZ_SEED").unwrap_or(1));
    for _ in 0..number("FUZZ_EXECUTIONS").unwrap_or(executions) {
        execute(name, run, &mutator.input(&corpus));
    }
}

/// The files of a corpus, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = here().join("corpus").join(name);
    let entries = fs::read_dir(&directory).unwrap_or_else(|why| panic!("{}: {why}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file of the corpus").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", directory.display());
    files.iter().map(|file| fs::read(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))).collect()
}

fn execute(name: &str, run: fn(&[u8]), input: &[u8]) {
    let Err(panic) = catch_unwind(|| run(input)) else { return };
    let directory = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| here().join("../target"), PathBuf::from);
    let file = directory.join("fuzz").join(format!("{name}-{}", short_digest(input)));
    // The panic is what counts; the file only helps.
    let _ = fs::create_dir_all(directory.join("fuzz")).and_then(|()| fs::write(&file, input));
    eprintln!("{name}: {} bytes make it fail, kept in {}", input.len(), file.display());
    resume_unwind(panic);
}

fn short_digest(input: &[u8]) -> String {
    crypto::sha256(input).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, must be a number")))
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "only the corpus is short")]
    fn a_body_that_fails_is_noticed() {
        drive("jwt", |input| assert!(input.len() < 4096, "only the corpus is short"));
    }
}
