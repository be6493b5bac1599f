//! Snapshots: the state behind some transaction in a file of its own, so that a start need not read what came before (CCF).
//!
//! The file `snapshot_<seqno>_<evidence>.committed` is one entry followed by a receipt. The entry holds all maps, public
//! ones in the clear and private ones under the ledger secret of `seqno`; the receipt is that of a later transaction, the
//! evidence, whose claims digest is SHA-256 of the entry. So a service vouches for each byte of it.
//!
//! ```text
//! entry   header (flags 0) | GCM tag | IV: seqno, view 0 with the top bit | u64 length of the public domain
//!         public domain | private domain, encrypted, the public domain being additional data
//! public  u8 1 | u64 seqno | u64 0 | u64 32 | leaf of seqno | u64 8 * n | n * u64 first seqno of views 1, 2, … | maps
//! private maps
//! map     u64 length | name | u64 last change | u64 length | entries      names ascend
//! entry   u64 length | key | zeros to a multiple of 8 | u64 8 + length | u64 written | value | zeros to a multiple of 8
//! ```
//!
//! The way out: [`Contents::seal`], [`Sealed::write`], [`evidence()`], [`receipt_bytes`]. The way in: [`restore`]; or
//! [`Snapshot::read`] for somebody who has no ledger secret and compares with a ledger.
//!
//! No IV is used twice for one key: what is written at `seqno` is a function of the state there, and a ledger secret
//! belongs to one life of one service.

mod contents;
mod fields;
mod file;
mod layout;
mod maps;
mod name;
mod restored;
mod scan;
mod views;

pub use contents::{Contents, Sealed};
pub use file::Snapshot;
pub use name::SnapshotName;
pub use restored::{Restored, restore};

use crypto::{Certificate, Digest};
use kv::{UNIT_KEY, WriteSet};
use serde::{Deserialize, Serialize};

use crate::{LedgerError, receipt::Receipt, tables};

/// What is read, encrypted, hashed or written at once.
const PIECE: usize = 1 << 16;
/// Longest accepted receipt behind a snapshot: certificates of a few service identities.
const MAX_RECEIPT: u64 = 1 << 20;

/// The value of [`tables::SNAPSHOT_EVIDENCE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Evidence {
    /// Hex of the digest of the entry.
    pub(crate) hash: String,
    /// The last transaction in the state.
    pub(crate) version: u64,
}

/// What the evidence of a snapshot writes. Its claims digest must be `digest`, SHA-256 of the snapshot's entry.
#[must_use]
pub fn evidence(digest: &Digest, seqno: u64) -> WriteSet {
    let json = format!(r#"{{"hash":"{}","version":{seqno}}}"#, hex::encode(digest));
    let mut writes = WriteSet::default();
    writes.put(tables::SNAPSHOT_EVIDENCE, UNIT_KEY.as_slice(), json);
    writes
}

/// The receipt of the evidence as it stands behind the entry.
///
/// # Errors
/// A certificate that is not in the form that OpenSSL writes, which readers demand.
pub fn receipt_bytes(receipt: &Receipt) -> Result<Vec<u8>, LedgerError> {
    let bytes = serde_json::to_vec(receipt).map_err(|error| malformed(format!("its receipt: {error}")))?;
    parse_receipt(&bytes)?;
    Ok(bytes)
}

/// A receipt in the one form in which CCF writes it.
fn parse_receipt(bytes: &[u8]) -> Result<Receipt, LedgerError> {
    let receipt: Receipt = serde_json::from_slice(bytes).map_err(|error| malformed(format!("its receipt: {error}")))?;
    let is_pem = |text: &String| Certificate::from_pem(text).is_ok_and(|certificate| certificate.to_pem() == *text);
    let canonical = serde_json::to_vec(&receipt).is_ok_and(|written| written == bytes);
    if !canonical || ![&receipt.cert].into_iter().chain(&receipt.service_endorsements).all(is_pem) {
        return Err(malformed("its receipt is not in the form that CCF writes"));
    }
    Ok(receipt)
}

fn malformed(reason: impl std::fmt::Display) -> LedgerError {
    LedgerError::malformed("snapshot", reason)
}

/// Zeros behind a key or value.
fn padding(len: u64) -> u64 {
    len.wrapping_neg() % 8
}
