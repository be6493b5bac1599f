use std::fmt;

use crypto::CryptoError;

/// Why bytes are not a part of a ledger, or why a part of a ledger could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The bytes end before the field does.
    #[error("the bytes end inside {field}")]
    Truncated {
        /// The field that is cut off.
        field: &'static str,
    },
    /// A chunk that is still written ends inside an entry, as a crash of its writer leaves it.
    #[error("the file ends inside the entry at offset {offset}, of which {bytes} bytes are there")]
    IncompleteTail {
        /// Where the entry starts.
        offset: u64,
        /// How much of it there is.
        bytes: u64,
    },
    /// A transaction is not the one that was signed.
    #[error(
        "transaction {seqno} was changed after it was signed: its leaf is {got}, in the signed tree it is {expected}"
    )]
    Changed {
        /// The transaction.
        seqno: u64,
        /// Hex of the leaf that was signed.
        expected: String,
        /// Hex of the leaf of the transaction as it is now.
        got: String,
    },
    /// A field has another value than it must have.
    #[error("{field} is {got}, expected {expected}")]
    Differs {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A field cannot be read at all.
    #[error("{field} is malformed: {reason}")]
    Malformed {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A value is larger than its field in the format.
    #[error("{field} is {value}, more than the format can hold ({max})")]
    TooLarge {
        /// The field.
        field: &'static str,
        /// What was to be written.
        value: u64,
        /// The largest value.
        max: u64,
    },
    /// No ledger secret is known for this position.
    #[error("no ledger secret is known for seqno {seqno}: the secrets given start at a later one")]
    NoSecret {
        /// The position in the ledger.
        seqno: u64,
    },
    /// A record of the chain of ledger secrets introduces one that is not known, or leads to another one than was in use.
    #[error(
        "the ledger secret that applies from seqno {version} on is not known, or does not lead to the one before it"
    )]
    UnknownSecret {
        /// The first seqno under the secret.
        version: u64,
    },
    /// A leaf or a range lies outside the tree.
    #[error("leaf {index} is not in a Merkle tree of {size} leaves that starts at {first}")]
    NoLeaf {
        /// The leaf asked for.
        index: u64,
        /// The first leaf that the tree still has.
        first: u64,
        /// The size asked for.
        size: u64,
    },
    /// Too few shares, shares that do not belong together, or a threshold that cannot be met.
    #[error("recovery shares: {reason}")]
    Shares {
        /// What is wrong.
        reason: String,
    },
    /// A key, certificate, signature or ciphertext is not good.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A file could not be written.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
    /// A file could not be read.
    #[error("{file}: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the file system says.
        source: std::io::Error,
    },
}

impl LedgerError {
    pub(crate) fn differs(field: &'static str, expected: impl fmt::Display, got: impl fmt::Display) -> Self {
        Self::Differs { field, expected: expected.to_string(), got: got.to_string() }
    }

    pub(crate) fn malformed(field: &'static str, reason: impl fmt::Display) -> Self {
        Self::Malformed { field, reason: reason.to_string() }
    }

    pub(crate) fn io(file: impl fmt::Display, source: std::io::Error) -> Self {
        Self::Io { file: file.to_string(), source }
    }
}
