//! Agents, AMD and Azure, played by a server on the loopback address.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failure report of a test"
)]

mod agents;
mod certificates;
mod server;

use std::path::PathBuf;

/// A file of genuine evidence.
fn genuine(name: &str) -> Vec<u8> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation");
    std::fs::read(data.join(name)).unwrap()
}
