//! The command line as its readers type it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use suites::{Finished, Result, cgs_binary, copy_directory, repository, run, scratch};

fn cgs(arguments: &[&str]) -> Result<Finished> {
    run(Command::new(cgs_binary()).args(arguments))
}

/// The first command of the README.
#[test]
fn the_demo_runs_to_its_end() -> Result<()> {
    let directory = scratch("demo")?;
    let started = Instant::now();
    let place = directory.display().to_string();
    let said = cgs(&["demo", "--dir", &place])?.succeeded("cgs demo")?;
    println!("{said}\n{:.2} s", started.elapsed().as_secs_f64());
    assert!(said.to_lowercase().contains("accepted"), "the timeline does not tell of the accepted contract");
    Ok(())
}

#[test]
fn a_genuine_ledger_verifies_and_a_changed_one_is_explained() -> Result<()> {
    let genuine = repository().join("tests/data/ccf-ledgers/cose_flipflop_service/ledger");
    verify(&genuine)?.succeeded("cgs ledger verify")?;
    let changed = scratch("changed-ledger")?;
    copy_directory(&genuine, &changed)?;
    let chunk = changed.join("ledger_15-46.committed");
    let mut bytes = std::fs::read(&chunk)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&chunk, bytes)?;
    let finished = verify(&changed)?;
    let said = format!("{}{}", finished.stdout, finished.stderr);
    assert_ne!(finished.code, 0, "{said}");
    assert!(said.contains("ledger_15-46.committed"), "the file is not named: {said}");
    Ok(())
}

fn verify(ledger: &Path) -> Result<Finished> {
    cgs(&["ledger", "verify", &ledger.display().to_string()])
}
