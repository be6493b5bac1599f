//! What strangers send, changed at random: nothing panics, and limits hold.
//!
//! A *body* is a module with `pub fn run(data: &[u8])` that hands bytes to the code under test and asserts what must hold
//! whatever they are. [`drive()`] runs a body over the files of `corpus/NAME/` and over changed ones; so does any other fuzzer,
//! since a body needs nothing else. To add one: a module, files in its corpus, a line in `tests/bodies.rs`.
//!
//! `FUZZ_EXECUTIONS` says how many inputs a body is run on (3000), `FUZZ_SEED` which ones. An input that makes a body fail is
//! written to `target/fuzz/` and belongs into the corpus once its cause is mended.

pub mod attestation;
pub mod certificate;
pub mod chunk;
pub mod cose;
mod drive;
pub mod entry;
pub mod jwks;
pub mod jwt;
mod member;
pub mod mutate;
pub mod path;
pub mod pipe;
pub mod proposal;
pub mod query;
pub mod receipt;
pub mod segment;
pub mod snapshot;

pub use drive::{drive, drive_some};
