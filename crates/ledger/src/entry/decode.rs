use bytes::Bytes;
use crypto::{Digest, sha256, sha256_parts};
use kv::{TxId, WriteSet};

use super::{EntryType, HEADER_LEN, Header, MAX_VIEW};
use crate::{LedgerError, secrets::LedgerSecrets, wire::Cursor};

/// An entry that was read: its public part decoded, its private part as it is.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Flags and size.
    pub header: Header,
    /// Where the transaction stands in the ledger.
    pub tx_id: TxId,
    /// What the public domain holds.
    pub entry_type: EntryType,
    /// Digest of what the application claims; 32 zero bytes for nothing. Absent in types 0 and 3.
    pub claims_digest: Option<Digest>,
    /// Digest of the commit evidence. Absent in types 0 and 2.
    pub commit_evidence_digest: Option<Digest>,
    /// The writes to public maps.
    pub public: WriteSet,
    /// The encrypted private domain; empty if no private map was written.
    pub private: &'a [u8],
    bytes: &'a [u8],
    public_domain: &'a [u8],
    tag: [u8; 16],
    iv: [u8; 12],
}

/// Reads an entry, which must be all of `bytes`.
///
/// Accepted is exactly what a CCF service writes: maps and keys in order and not twice, no reads, the same seqno in the
/// IV and in the public domain.
///
/// # Errors
/// Whatever is different, by the name of the field.
pub fn decode(bytes: &[u8]) -> Result<Entry<'_>, LedgerError> {
    let mut cursor = Cursor::new(bytes);
    let header = Header::from_bytes(cursor.array::<HEADER_LEN>("header of the entry")?)?;
    let rest = cursor.rest().len() as u64;
    if header.size != rest {
        return Err(LedgerError::differs("size of the entry", rest, header.size));
    }
    let tag = cursor.array("GCM tag")?;
    let iv = cursor.array("IV")?;
    let public_domain = cursor.framed("public domain")?;
    let domain = PublicDomain::decode(public_domain)?;
    Ok(Entry {
        header,
        tx_id: tx_id(iv, domain.version)?,
        entry_type: domain.entry_type,
        claims_digest: domain.claims_digest,
        commit_evidence_digest: domain.commit_evidence_digest,
        public: domain.maps,
        private: cursor.rest(),
        bytes,
        public_domain,
        tag,
        iv,
    })
}

impl<'a> Entry<'a> {
    /// The entry as it stands in the ledger.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// SHA-256 of the entry.
    #[must_use]
    pub fn write_set_digest(&self) -> Digest {
        sha256(self.bytes)
    }

    /// The leaf of the transaction in the Merkle tree: the digest of the entry, followed by those that its type has. (For
    /// type 2 that is what CCF's nodes do; its Python package reads no ledger with that type.)
    #[must_use]
    pub fn leaf(&self) -> Digest {
        self.leaf_from(&self.write_set_digest())
    }

    /// Like [`Entry::leaf`] for a digest of the entry that is known already.
    pub(crate) fn leaf_from(&self, write_set: &Digest) -> Digest {
        match (&self.commit_evidence_digest, &self.claims_digest) {
            (Some(evidence), Some(claims)) => super::leaf(write_set, evidence, claims),
            (Some(digest), None) | (None, Some(digest)) => sha256_parts(&[write_set, digest]),
            (None, None) => *write_set,
        }
    }

    /// All writes of the transaction, public and private; the whole entry is authenticated on the way.
    ///
    /// # Errors
    /// No secret for the seqno, a wrong one, or an entry that was changed.
    pub fn open(&self, secrets: &LedgerSecrets) -> Result<WriteSet, LedgerError> {
        let mut writes = self.public.clone();
        let plain = self.open_private(secrets)?;
        read_maps(&mut Cursor::new(&plain), &mut writes, false)?;
        Ok(writes)
    }

    fn open_private(&self, secrets: &LedgerSecrets) -> Result<zeroize::Zeroizing<Vec<u8>>, LedgerError> {
        let secret = secrets.require(self.tx_id.seqno)?;
        let mut plain = zeroize::Zeroizing::new(self.private.to_vec());
        secret.key().open_in_place(&self.iv, self.public_domain, &mut plain, &self.tag)?;
        Ok(plain)
    }
}

struct PublicDomain {
    entry_type: EntryType,
    version: u64,
    claims_digest: Option<Digest>,
    commit_evidence_digest: Option<Digest>,
    maps: WriteSet,
}

impl PublicDomain {
    fn decode(bytes: &[u8]) -> Result<Self, LedgerError> {
        let mut cursor = Cursor::new(bytes);
        let [entry_type] = cursor.array("type of the entry")?;
        let entry_type = EntryType::from_byte(entry_type)?;
        if entry_type == EntryType::Snapshot {
            return Err(LedgerError::differs("type of the entry", "a transaction (0, 2, 3 or 4)", "a snapshot (1)"));
        }
        let version = cursor.u64("version")?;
        let mut digest = |present: bool, field| present.then(|| cursor.array(field)).transpose();
        let claims_digest = digest(entry_type.has_claims(), "claims digest")?;
        let commit_evidence_digest = digest(entry_type.has_commit_evidence(), "commit evidence digest")?;
        cursor.zero("max conflict version")?;
        let mut maps = WriteSet::default();
        read_maps(&mut cursor, &mut maps, true)?;
        Ok(Self { entry_type, version, claims_digest, commit_evidence_digest, maps })
    }
}

/// Seqno and view from the IV, where the seqno must equal the version.
fn tx_id(iv: [u8; 12], version: u64) -> Result<TxId, LedgerError> {
    let mut cursor = Cursor::new(&iv);
    let seqno = cursor.u64("seqno in the IV")?;
    let view = u64::from(u32::from_le_bytes(cursor.array("view in the IV")?));
    if seqno != version {
        return Err(LedgerError::differs("seqno in the IV", version, seqno));
    }
    if view > MAX_VIEW {
        return Err(LedgerError::differs("view in the IV", "a transaction's", "that of a snapshot"));
    }
    Ok(TxId::new(view, seqno))
}

/// Reads map records to the end.
fn read_maps(cursor: &mut Cursor<'_>, writes: &mut WriteSet, public: bool) -> Result<(), LedgerError> {
    let mut previous = "";
    while !cursor.is_empty() {
        let name = std::str::from_utf8(cursor.framed("name of a map")?)
            .map_err(|error| LedgerError::malformed("name of a map", error))?;
        if name <= previous {
            return Err(LedgerError::differs("name of a map", format!("one behind {previous:?}"), format!("{name:?}")));
        }
        if kv::is_public(name) != public {
            let expected = if public { "a public map" } else { "a private map" };
            return Err(LedgerError::differs("name of a map", expected, format!("{name:?}")));
        }
        read_map(cursor, name, writes)?;
        previous = name;
    }
    Ok(())
}

fn read_map(cursor: &mut Cursor<'_>, name: &str, writes: &mut WriteSet) -> Result<(), LedgerError> {
    cursor.zero("read version of a map")?;
    cursor.zero("read count of a map")?;
    let written = read_keys(cursor, |cursor, key| {
        let value = Bytes::copy_from_slice(cursor.framed("value of a key")?);
        writes.set(name, Bytes::copy_from_slice(key), Some(value));
        Ok(())
    })?;
    let removed = read_keys(cursor, |_, key| {
        if writes.get(name, key).is_some() {
            return Err(LedgerError::differs("removed key", "a key that is not written too", hex::encode(key)));
        }
        writes.set(name, Bytes::copy_from_slice(key), None);
        Ok(())
    })?;
    if written == 0 && removed == 0 {
        return Err(LedgerError::differs("number of changes to a map", "at least one", 0));
    }
    Ok(())
}

/// Reads a count and as many keys, which must ascend.
fn read_keys<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &'a [u8]) -> Result<(), LedgerError>,
) -> Result<u64, LedgerError> {
    let count = cursor.u64("number of keys")?;
    let mut previous: Option<&[u8]> = None;
    // Each turn takes at least eight bytes or fails, so the count needs no bound of its own.
    for _ in 0..count {
        let key = cursor.framed("key")?;
        if let Some(previous) = previous.filter(|previous| *previous >= key) {
            return Err(LedgerError::differs("key", format!("one behind {}", hex::encode(previous)), hex::encode(key)));
        }
        each(cursor, key)?;
        previous = Some(key);
    }
    Ok(count)
}
