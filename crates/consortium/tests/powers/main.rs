//! Who has to agree (D32): a table written by hand, `tests/data/powers.tsv`, against the shipped constitution in real
//! script hosts; and a search for what any single party could reach alone.
//!
//! The table knows the decisions, not the rules that it judges. The test binary starts itself as script host, so it has a
//! `main` of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test with its own main: a panic is the failure report"
)]

mod people;
mod permissive;
mod phases;
mod questions;
mod search;
mod service;
mod table;
mod walk;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(service::SCRIPT_HOST) {
        return constitution::script_host_main();
    }
    let tests: [(&str, fn()); 7] = [
        ("the_table_is_whole", table::the_table_is_whole),
        ("d32_everybody_has_the_powers_of_the_table", walk::d32_everybody_has_the_powers_of_the_table),
        ("d32_permissive_is_noticed", permissive::d32_permissive_is_noticed),
        ("d32_an_operator_alone_only_tightens", search::d32_an_operator_alone_only_tightens),
        ("d32_all_roles_together_only_tighten", search::d32_all_roles_together_only_tighten),
        ("d32_nobody_gains_once_the_counted_are_gone", search::d32_nobody_gains_once_the_counted_are_gone),
        ("d32_other_roles_change_nothing_alone", search::d32_other_roles_change_nothing_alone),
    ];
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        let started = std::time::Instant::now();
        test();
        println!("test {name} ... ok ({:.1} s)", started.elapsed().as_secs_f32());
    }
    ExitCode::SUCCESS
}
