use std::io::{self, BufReader, Read};

use crypto::{AesKey, Digest, GcmStream, Hasher};
use kv::TxId;

use super::{MAX_RECEIPT, PIECE, SnapshotName, fields::Fields, malformed, maps::Maps, parse_receipt, views::Views};
use crate::{
    LedgerError,
    entry::{EntryType, HEADER_LEN, Header, snapshot_iv},
    receipt::Receipt,
};

/// Bytes of a file in front of the public domain: header, tag, IV, length of the public domain.
const FRONT_LEN: usize = HEADER_LEN + 16 + 12 + 8;

/// A snapshot that was read to its end and hashed. What it claims of itself is consistent; whether anybody vouches for it is
/// still to be checked.
pub(super) struct Scan {
    /// SHA-256 of the entry.
    pub(super) digest: Digest,
    /// The leaf of the last transaction.
    pub(super) leaf: Digest,
    /// Public maps, if anything is kept.
    pub(super) maps: Maps,
    /// For each key, GCM behind the public domain.
    pub(super) streams: Vec<GcmStream>,
    pub(super) tag: [u8; 16],
    /// The private domain as it is, neither authenticated nor decrypted, if anything is kept.
    pub(super) private: Vec<Vec<u8>>,
    pub(super) receipt: Option<Receipt>,
}

impl Scan {
    /// Reads a file. `keys` are those that it may be under; which one it is may stand in the file. Without any, nothing is
    /// kept: memory holds one map at a time.
    pub(super) fn read(name: SnapshotName, reader: impl Read, keys: Option<&[&AesKey]>) -> Result<Self, LedgerError> {
        let mut source = Source { reader, hasher: Hasher::default(), streams: Vec::new() };
        let front = Front::read(&mut Fields::new(name, &mut source, FRONT_LEN as u64))?;
        for key in keys.unwrap_or_default() {
            source.streams.push(key.gcm_stream(&snapshot_iv(name.seqno))?);
        }
        let keep = keys.is_some();
        let (leaf, maps) = read_public(name, &mut source, front.public_len, keep)?;
        let private = source.private(name, front.private_len, keep)?;
        let Source { mut reader, hasher, streams } = source;
        let (digest, tag) = (hasher.finish(), front.tag);
        let receipt = read_receipt(name, &mut reader)?;
        if let Some(receipt) = &receipt {
            check_claims(name, receipt, &digest)?;
        }
        Ok(Self { digest, leaf, maps, streams, tag, private, receipt })
    }
}

/// What stands in front of the public domain.
struct Front {
    tag: [u8; 16],
    public_len: u64,
    private_len: u64,
}

impl Front {
    fn read(fields: &mut Fields<impl Read>) -> Result<Self, LedgerError> {
        let header = Header::from_bytes(fields.array("header of the snapshot")?)?;
        if header.flags != 0 {
            return Err(LedgerError::differs("flags of the snapshot", 0, header.flags));
        }
        let tag = fields.array("GCM tag")?;
        let (iv, expected) = (fields.array("IV")?, snapshot_iv(fields.name().seqno));
        if iv != expected {
            return Err(LedgerError::differs("IV of the snapshot", hex::encode(expected), hex::encode(iv)));
        }
        let public_len = fields.u64("length of the public domain")?;
        let domains = header.size.checked_sub((FRONT_LEN - HEADER_LEN) as u64);
        let private_len = domains.and_then(|domains| domains.checked_sub(public_len));
        let private_len = private_len.ok_or(LedgerError::Truncated { field: "public domain of the snapshot" })?;
        Ok(Self { tag, public_len, private_len })
    }
}

/// The leaf of the last transaction, and the public maps.
fn read_public(
    name: SnapshotName,
    source: &mut Source<impl Read>,
    len: u64,
    keep: bool,
) -> Result<(Digest, Maps), LedgerError> {
    let reader = BufReader::with_capacity(PIECE, source.take(len));
    let mut fields = Fields::new(name, reader, len);
    let [kind] = fields.array("type of the entry")?;
    if kind != EntryType::Snapshot as u8 {
        return Err(LedgerError::differs("type of the entry", EntryType::Snapshot as u8, kind));
    }
    fields.expect("seqno of the snapshot", name.seqno)?;
    fields.expect("max conflict version", 0)?;
    fields.expect("length of the leaf", 32)?;
    let leaf = fields.array("leaf")?;
    let mut maps = Maps::new(name.seqno, read_views(&mut fields)?, keep)?;
    maps.read(&mut fields, true)?;
    Ok((leaf, maps))
}

fn read_views(fields: &mut Fields<impl Read>) -> Result<Views, LedgerError> {
    let len = fields.u64("length of the view history")?;
    if !len.is_multiple_of(8) {
        return Err(LedgerError::differs("length of the view history", "a multiple of 8", len));
    }
    let mut views = Views::default();
    for view in 1..=len / 8 {
        views.push(TxId::new(view, fields.u64("view history")?))?;
    }
    Ok(views)
}

/// The receipt of a committed snapshot.
fn read_receipt(name: SnapshotName, reader: &mut impl Read) -> Result<Option<Receipt>, LedgerError> {
    let mut bytes = Vec::new();
    reader.take(MAX_RECEIPT + 1).read_to_end(&mut bytes).map_err(|error| LedgerError::io(name, error))?;
    match (name.committed, bytes.len() as u64) {
        (false, 0) => Ok(None),
        (false, _) => Err(malformed("a receipt follows, but its name says that none does")),
        (true, 0..=MAX_RECEIPT) => parse_receipt(&bytes).map(Some),
        (true, value) => Err(LedgerError::TooLarge { field: "receipt", value, max: MAX_RECEIPT }),
    }
}

/// The receipt must be that of the evidence, which claims this entry.
fn check_claims(name: SnapshotName, receipt: &Receipt, digest: &Digest) -> Result<(), LedgerError> {
    let parts = receipt.leaf_components.as_ref();
    let parts = parts.ok_or_else(|| malformed("its receipt is that of a signature"))?;
    let (claimed, digest) = (parts.claims_digest.as_deref().unwrap_or_default(), hex::encode(digest));
    if claimed != digest {
        return Err(LedgerError::differs("digest of the snapshot", claimed, digest));
    }
    let seqno = receipt.tx_id()?.map_or(0, |tx_id| tx_id.seqno);
    if seqno != name.evidence {
        return Err(LedgerError::differs("transaction of the snapshot's receipt", name.evidence, seqno));
    }
    if seqno <= name.seqno {
        return Err(LedgerError::differs("seqno of the evidence", format!("more than {}", name.seqno), seqno));
    }
    Ok(())
}

/// Hashes what is read in front of the private domain, and gives it to GCM as additional data.
struct Source<R> {
    reader: R,
    hasher: Hasher,
    streams: Vec<GcmStream>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        let read = buffer.get(..len).unwrap_or_default();
        self.hasher.update(read);
        self.streams.iter_mut().try_for_each(|gcm| gcm.aad(read)).map_err(io::Error::other)?;
        Ok(len)
    }
}

impl<R: Read> Source<R> {
    fn private(&mut self, name: SnapshotName, len: u64, keep: bool) -> Result<Vec<Vec<u8>>, LedgerError> {
        let mut pieces = Vec::new();
        let mut fields = Fields::new(name, &mut self.reader, len);
        while fields.left() > 0 {
            let piece = fields.bytes(fields.left().min(PIECE as u64), "private domain of the snapshot")?;
            self.hasher.update(&piece);
            pieces.extend(Some(piece).filter(|_| keep));
        }
        Ok(pieces)
    }
}
