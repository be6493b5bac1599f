//! Versioned maps, transactions, read and write sets; no I/O.
//!
//! A [`State`] is an immutable, structurally shared snapshot of all maps: cloning it costs nothing and a reader never
//! blocks a writer. A [`Tx`] runs against one snapshot, sees its own writes, and remembers what it read. Whoever
//! orders transactions asks the [`ReadSet`] whether anything it depends on has changed since, and either applies the
//! [`WriteSet`] or has the transaction run again.
//!
//! Map names, keys and values are what the ledger stores (CCF): a map is *public* exactly when its name starts with
//! `public:`; keys and values are bytes.

mod builder;
mod read_set;
mod state;
mod tx;
mod tx_id;
mod write_set;

#[cfg(test)]
mod tests;

pub use builder::{RestoreError, StateBuilder};
pub use read_set::{Conflict, ReadSet};
pub use state::{Map, State, Versioned};
pub use tx::Tx;
pub use tx_id::{ParseTxIdError, TxId};
pub use write_set::{MapWrites, WriteSet};

/// The key of the only entry of a single-value table: eight zero bytes (CCF).
pub const UNIT_KEY: [u8; 8] = [0; 8];

/// Whether a map is written to the ledger in the clear.
#[must_use]
pub fn is_public(map: &str) -> bool {
    map.starts_with("public:")
}
