//! One transaction as bytes (CCF ledger entry): header, GCM tag and IV, public domain, encrypted private domain.

mod decode;
mod domains;

pub use decode::{Entry, decode};
pub use domains::{Domains, EntryInput, Sealed, encode};

use crypto::{Digest, sha256_parts};
use kv::TxId;

use crate::LedgerError;

/// Flag of an entry behind which a new chunk starts.
pub const FLAG_CHUNK_AFTER: u8 = 0x01;
/// Flag of an entry before which a new chunk starts.
pub const FLAG_CHUNK_BEFORE: u8 = 0x02;

/// Bytes of the header: version, flags, size of the rest.
pub const HEADER_LEN: usize = 8;
/// Bytes in front of the public domain: header, tag, IV, length of the public domain.
const PREFIX_LEN: usize = HEADER_LEN + 16 + 12 + 8;
const VERSION: u8 = 1;
const MAX_SIZE: u64 = (1 << 48) - 1;
/// The top bit of the view's field in an IV marks a snapshot.
const MAX_VIEW: u64 = (1 << 31) - 1;
const SNAPSHOT_VIEW: u32 = 1 << 31;

/// The first eight bytes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// [`FLAG_CHUNK_AFTER`] and [`FLAG_CHUNK_BEFORE`].
    pub flags: u8,
    /// Bytes that follow the header.
    pub size: u64,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// An unknown version or flag.
    pub fn from_bytes(bytes: [u8; HEADER_LEN]) -> Result<Self, LedgerError> {
        let [version, flags, size @ ..] = bytes;
        if version != VERSION {
            return Err(LedgerError::differs("version of the entry", VERSION, version));
        }
        if flags & !(FLAG_CHUNK_AFTER | FLAG_CHUNK_BEFORE) != 0 {
            return Err(LedgerError::differs("flags of the entry", "0, 1, 2 or 3", flags));
        }
        let size = size.iter().rev().fold(0, |size, byte| size << 8 | u64::from(*byte));
        Ok(Self { flags, size })
    }

    /// The bytes of the header.
    ///
    /// # Errors
    /// [`LedgerError::TooLarge`] if the size needs more than 48 bits.
    pub fn to_bytes(self) -> Result<[u8; HEADER_LEN], LedgerError> {
        let Self { flags, size } = self;
        if size > MAX_SIZE {
            return Err(LedgerError::TooLarge { field: "size of the entry", value: size, max: MAX_SIZE });
        }
        let [a, b, c, d, e, f, _, _] = size.to_le_bytes();
        Ok([VERSION, flags, a, b, c, d, e, f])
    }
}

/// What the public domain holds besides the maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EntryType {
    /// Maps only (legacy).
    WriteSet = 0,
    /// A snapshot, which is not a transaction.
    Snapshot = 1,
    /// Maps and a claims digest (legacy).
    WriteSetWithClaims = 2,
    /// Maps and a commit evidence digest (legacy).
    WriteSetWithCommitEvidence = 3,
    /// Maps and both digests: what is written today.
    WriteSetWithCommitEvidenceAndClaims = 4,
}

impl EntryType {
    fn from_byte(byte: u8) -> Result<Self, LedgerError> {
        Ok(match byte {
            0 => Self::WriteSet,
            1 => Self::Snapshot,
            2 => Self::WriteSetWithClaims,
            3 => Self::WriteSetWithCommitEvidence,
            4 => Self::WriteSetWithCommitEvidenceAndClaims,
            _ => return Err(LedgerError::differs("type of the entry", "0 to 4", byte)),
        })
    }

    /// Whether the public domain has a claims digest.
    #[must_use]
    pub fn has_claims(self) -> bool {
        matches!(self, Self::WriteSetWithClaims | Self::WriteSetWithCommitEvidenceAndClaims)
    }

    /// Whether the public domain has a commit evidence digest.
    #[must_use]
    pub fn has_commit_evidence(self) -> bool {
        matches!(self, Self::WriteSetWithCommitEvidence | Self::WriteSetWithCommitEvidenceAndClaims)
    }
}

/// The leaf of a transaction of type 4 in the Merkle tree.
#[must_use]
pub fn leaf(write_set_digest: &Digest, commit_evidence_digest: &Digest, claims_digest: &Digest) -> Digest {
    sha256_parts(&[write_set_digest, commit_evidence_digest, claims_digest])
}

/// Splits the first entry off a sequence of entries.
///
/// # Errors
/// A header that is not one, or an entry that is cut off.
pub fn split_first(bytes: &[u8]) -> Result<(&[u8], &[u8]), LedgerError> {
    let header = bytes.first_chunk().ok_or(LedgerError::Truncated { field: "header of the entry" })?;
    let size = Header::from_bytes(*header)?.size;
    usize::try_from(size)
        .ok()
        .and_then(|size| bytes.split_at_checked(size.checked_add(HEADER_LEN)?))
        .ok_or(LedgerError::Truncated { field: "entry" })
}

/// The IV of a transaction: unique for a ledger secret, because a seqno is used again only in a higher view.
fn iv(tx_id: TxId) -> Result<[u8; 12], LedgerError> {
    let view = u32::try_from(tx_id.view).ok().filter(|view| u64::from(*view) <= MAX_VIEW);
    let view = view.ok_or(LedgerError::TooLarge { field: "view", value: tx_id.view, max: MAX_VIEW })?;
    let mut iv = [0; 12];
    let (seqno_bytes, view_bytes) = iv.split_at_mut(8);
    seqno_bytes.copy_from_slice(&tx_id.seqno.to_le_bytes());
    view_bytes.copy_from_slice(&view.to_le_bytes());
    Ok(iv)
}

/// The IV of a snapshot: a seqno, and no view but the top bit.
pub(crate) fn snapshot_iv(seqno: u64) -> [u8; 12] {
    let mut iv = [0; 12];
    let bytes = seqno.to_le_bytes().into_iter().chain(SNAPSHOT_VIEW.to_le_bytes());
    iv.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    iv
}

#[cfg(test)]
mod tests;
