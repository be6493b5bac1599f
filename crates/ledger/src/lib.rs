//! The bytes of the ledger: entries, Merkle tree, signatures, receipts, chunk files, snapshots, verification.
//!
//! Everything here is what CCF (the Confidential Consortium Framework) reads and writes, so that its tools work on our
//! ledgers and ours on its. The way of a transaction through this crate: [`entry::Domains`] lays out a write set,
//! `seal` makes the entry and its leaf, [`merkle::Tree`] takes the leaf, [`signature::Signer`] signs the root,
//! [`chunk::ChunkWriter`] puts the bytes into a file. The way back: [`chunk::ChunkReader`], [`entry::decode`],
//! [`verify::Validator`].
//!
//! Invariant: no clock, no randomness, no sockets. Keys, times and random bytes come in as arguments. Files are read
//! through `std::io` traits and written through [`disk::Disk`]; only [`files`] opens any by itself, and only to read.

pub mod chunk;
pub mod entry;
mod error;
pub mod files;
pub mod merkle;
pub mod receipt;
pub mod secrets;
pub mod shares;
pub mod show;
pub mod signature;
pub mod snapshot;
pub mod tables;
pub mod verify;
mod wire;

pub use error::LedgerError;
