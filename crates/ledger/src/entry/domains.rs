use crypto::{Digest, sha256};
use kv::{MapWrites, TxId, WriteSet};

use super::{EntryType, HEADER_LEN, Header, PREFIX_LEN, iv, leaf};
use crate::{
    LedgerError,
    secrets::{LedgerSecrets, Secret},
    wire::{put_framed, put_len},
};

/// Bytes of a public domain in front of its maps: type, version, two digests, max conflict version.
const PUBLIC_HEADER_LEN: usize = 1 + 8 + 32 + 32 + 8;
const MAPS_AT: usize = PREFIX_LEN + PUBLIC_HEADER_LEN;

/// Everything that an entry is made from.
#[derive(Debug, Clone, Copy)]
pub struct EntryInput<'a> {
    /// Where the transaction stands in the ledger.
    pub tx_id: TxId,
    /// [`FLAG_CHUNK_AFTER`](super::FLAG_CHUNK_AFTER) and [`FLAG_CHUNK_BEFORE`](super::FLAG_CHUNK_BEFORE).
    pub flags: u8,
    /// What the transaction changes.
    pub writes: &'a WriteSet,
    /// Digest of what the application claims about the transaction; 32 zero bytes for nothing.
    pub claims_digest: Digest,
    /// The ledger secrets; the one for the seqno is used.
    pub secrets: &'a LedgerSecrets,
}

/// An entry with what receipts and the Merkle tree need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The entry as it stands in the ledger.
    pub bytes: Vec<u8>,
    /// Its leaf in the Merkle tree.
    pub leaf: Digest,
    /// SHA-256 of `bytes`.
    pub write_set_digest: Digest,
    /// SHA-256 of the commit evidence.
    pub commit_evidence_digest: Digest,
}

/// Makes an entry of type 4.
///
/// # Errors
/// No ledger secret for the seqno, or a view or size that the format cannot hold.
pub fn encode(input: EntryInput<'_>) -> Result<Sealed, LedgerError> {
    let secret = input.secrets.require(input.tx_id.seqno)?;
    Domains::from_writes(input.writes).seal(input.tx_id, input.flags, &input.claims_digest, secret)
}

/// The maps of an entry laid out, before its place in the ledger is known.
///
/// Laying out needs no key and no seqno, so it can be done before transactions are put in order. The entry is made in
/// the same buffer.
#[derive(Clone)]
pub struct Domains {
    /// Room for everything in front of the public maps, public maps, private maps.
    bytes: Vec<u8>,
    private_at: usize,
}

impl std::fmt::Debug for Domains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (public, private) = (self.public().len(), self.private().len());
        f.debug_struct("Domains").field("public_bytes", &public).field("private_bytes", &private).finish()
    }
}

impl Domains {
    /// Lays out the maps of a write set.
    #[must_use]
    pub fn from_writes(writes: &WriteSet) -> Self {
        let len: usize = writes.maps().map(|(name, map)| map_len(name, map)).sum();
        let mut bytes = Vec::with_capacity(MAPS_AT + len);
        bytes.resize(MAPS_AT, 0);
        for (name, map) in writes.maps().filter(|(name, _)| kv::is_public(name)) {
            put_map(&mut bytes, name, map);
        }
        let private_at = bytes.len();
        for (name, map) in writes.maps().filter(|(name, _)| !kv::is_public(name)) {
            put_map(&mut bytes, name, map);
        }
        Self { bytes, private_at }
    }

    /// The records of the public maps.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.bytes.get(MAPS_AT..self.private_at).unwrap_or_default()
    }

    /// The records of the private maps, not encrypted yet.
    #[must_use]
    pub fn private(&self) -> &[u8] {
        self.bytes.get(self.private_at..).unwrap_or_default()
    }

    /// Bytes that the entry will have.
    #[must_use]
    pub fn entry_len(&self) -> usize {
        self.bytes.len()
    }

    /// Makes the entry.
    ///
    /// # Errors
    /// A view or size that the format cannot hold.
    pub fn seal(self, tx_id: TxId, flags: u8, claims: &Digest, secret: &Secret) -> Result<Sealed, LedgerError> {
        let Self { mut bytes, private_at } = self;
        let size = (bytes.len() - HEADER_LEN) as u64;
        let header = Header { flags, size }.to_bytes()?;
        let iv = iv(tx_id)?;
        let commit_evidence_digest = secret.commit_evidence_digest(tx_id);

        let (head, private) = bytes.split_at_mut(private_at);
        let (prefix, public) = head.split_at_mut(PREFIX_LEN);
        let public_len = (public.len() as u64).to_le_bytes();
        let kind = [EntryType::WriteSetWithCommitEvidenceAndClaims as u8];
        fill(public, &[&kind, &tx_id.seqno.to_le_bytes(), claims, &commit_evidence_digest]);
        let tag = secret.key().seal_in_place(&iv, public, private)?;
        fill(prefix, &[&header, &tag, &iv, &public_len]);

        let write_set_digest = sha256(&bytes);
        let leaf = leaf(&write_set_digest, &commit_evidence_digest, claims);
        Ok(Sealed { bytes, leaf, write_set_digest, commit_evidence_digest })
    }
}

/// Copies the fields one behind the other to the front of `out`.
fn fill(out: &mut [u8], fields: &[&[u8]]) {
    let bytes = fields.iter().flat_map(|field| field.iter());
    out.iter_mut().zip(bytes).for_each(|(out, byte)| *out = *byte);
}

/// Bytes of a map's record.
fn map_len(name: &str, map: &MapWrites) -> usize {
    let frame = |len: usize| 8 + len;
    let entries = map.iter().map(|(key, value)| frame(key.len()) + value.as_ref().map_or(0, |v| frame(v.len())));
    frame(name.len()) + 4 * 8 + entries.sum::<usize>()
}

/// Name, read version and read count (always 0), writes, removals; both in key order.
fn put_map(out: &mut Vec<u8>, name: &str, map: &MapWrites) {
    put_framed(out, name.as_bytes());
    put_len(out, 0);
    put_len(out, 0);
    let written = map.values().flatten().count();
    put_len(out, written);
    for (key, value) in map.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
        put_framed(out, key);
        put_framed(out, value);
    }
    put_len(out, map.len() - written);
    for (key, _) in map.iter().filter(|(_, value)| value.is_none()) {
        put_framed(out, key);
    }
}
