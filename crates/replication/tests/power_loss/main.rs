//! The whole commit path over a disk that forgets, tears and reorders every write, rename and directory entry that is not
//! synced yet, at every operation.
//!
//! Each test says how many seeds it runs in the test command; `SEEDS=100000` runs as many, `SEED=17` that one alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a panic is the failure report"
)]

#[path = "../common/mod.rs"]
mod common;
mod course;
mod errors;
mod everywhere;
mod faults;
mod life;
mod nonces;
mod seeds;
mod service;

use course::{Omitted, random_course};
use seeds::all;

#[test]
fn whatever_happens_by_seed_loses_nothing() {
    let done =
        all("whatever_happens_by_seed_loses_nothing", faults::SEEDS, |seed| random_course(seed, Omitted::Nothing));
    println!("{done:?}");
}
