//! Snapshots beside a ledger: the state at some transaction, in a file of its own with the receipt of a later
//! transaction, the evidence, that claims the digest of the file (CCF, `snapshot_<seqno>_<evidence seqno>[.committed]`).

use std::{fmt, io::Read, str::FromStr};

use crypto::{Certificate, Digest, Hasher, sha256};
use kv::UNIT_KEY;
use serde::Deserialize;

use crate::{
    LedgerError,
    entry::{Entry, HEADER_LEN, Header},
    receipt::{self, Receipt},
    signature::NodeSignature,
    tables,
    wire::Cursor,
};

const PREFIX: &str = "snapshot_";
const COMMITTED: &str = ".committed";
const IGNORED: &str = ".ignored";
/// Longest accepted receipt behind a snapshot: certificates of a few service identities.
const MAX_RECEIPT: u64 = 1 << 20;
/// What is read and hashed at once.
const PIECE: usize = 1 << 16;
/// Bytes in front of a snapshot's maps up to the length of the view history: tag, IV, length of the public domain, type,
/// seqno, max conflict version, length and digest of the leaf, length of the view history.
const FACTS_LEN: usize = 16 + 12 + 8 + 1 + 8 + 8 + 8 + 32 + 8;

/// The name of a snapshot file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName {
    /// The last transaction that the state contains.
    pub seqno: u64,
    /// The transaction that claims the digest.
    pub evidence: u64,
    /// The receipt of the evidence is in the file.
    pub committed: bool,
}

impl SnapshotName {
    /// Whether a file of this name is a snapshot at all (and must then have a proper name), and not to be skipped.
    #[must_use]
    pub fn is_snapshot(name: &str) -> bool {
        name.starts_with(PREFIX) && !name.ends_with(IGNORED)
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.committed { COMMITTED } else { "" };
        write!(f, "{PREFIX}{}_{}{suffix}", self.seqno, self.evidence)
    }
}

impl FromStr for SnapshotName {
    type Err = LedgerError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let rest = name.strip_prefix(PREFIX)?;
            let (rest, committed) = rest.strip_suffix(COMMITTED).map_or((rest, false), |rest| (rest, true));
            let (seqno, evidence) = rest.split_once('_')?;
            let name = Self { seqno: seqno.parse().ok()?, evidence: evidence.parse().ok()?, committed };
            (name.seqno < name.evidence).then_some(name)
        };
        // Written again it must be the same: no signs, no leading zeros.
        let parsed = parse().filter(|parsed| parsed.to_string() == name);
        parsed.ok_or_else(|| LedgerError::malformed("name of a snapshot file", format!("{name:?}")))
    }
}

/// What a snapshot file says of itself, with the digest of its body. The body is hashed as it comes.
#[derive(Debug, Clone)]
pub struct Snapshot {
    name: SnapshotName,
    /// SHA-256 of the entry.
    digest: Digest,
    /// The leaf of transaction `seqno`.
    leaf: Digest,
    receipt: Option<Receipt>,
}

impl Snapshot {
    /// Reads a snapshot, and checks what can be checked without a ledger: its structure, and that its receipt is about its
    /// body.
    ///
    /// # Errors
    /// What differs; an I/O error.
    pub fn read(name: SnapshotName, mut reader: impl Read) -> Result<Self, LedgerError> {
        let io = |error| LedgerError::io(name, error);
        let mut front = [0; HEADER_LEN + FACTS_LEN];
        reader.read_exact(&mut front).map_err(io)?;
        let (size, leaf) = check_front(name, &front)?;
        let mut hasher = Hasher::default();
        hasher.update(&front);
        hash_rest(&mut reader, size - FACTS_LEN as u64, &mut hasher).map_err(io)?;
        let mut behind = Vec::new();
        reader.take(MAX_RECEIPT + 1).read_to_end(&mut behind).map_err(io)?;
        let snapshot = Self { name, digest: hasher.finish(), leaf, receipt: read_receipt(name, &behind)? };
        snapshot.check_claims()?;
        Ok(snapshot)
    }

    /// The name of its file.
    #[must_use]
    pub fn name(&self) -> SnapshotName {
        self.name
    }

    /// The receipt must be that of the evidence, which claims this body.
    fn check_claims(&self) -> Result<(), LedgerError> {
        let Some(receipt) = &self.receipt else { return Ok(()) };
        let parts = receipt.leaf_components.as_ref();
        let parts = parts.ok_or_else(|| malformed("its receipt is that of a signature"))?;
        let (claimed, digest) = (parts.claims_digest.as_deref().unwrap_or_default(), hex::encode(self.digest));
        if claimed != digest {
            return Err(LedgerError::differs("digest of the snapshot", claimed, digest));
        }
        let tx_id = receipt.tx_id()?.map_or(0, |tx_id| tx_id.seqno);
        if tx_id != self.name.evidence {
            return Err(LedgerError::differs("transaction of the snapshot's receipt", self.name.evidence, tx_id));
        }
        Ok(())
    }
}

/// Size of the entry and leaf of its transaction, from the front of the file.
fn check_front(name: SnapshotName, front: &[u8; HEADER_LEN + FACTS_LEN]) -> Result<(u64, Digest), LedgerError> {
    let mut cursor = Cursor::new(front);
    let header = Header::from_bytes(cursor.array("header of the snapshot")?)?;
    let expect = |field, expected: u64, got: u64| {
        if got == expected { Ok(()) } else { Err(LedgerError::differs(field, expected, got)) }
    };
    expect("flags of the snapshot", 0, header.flags.into())?;
    cursor.array::<16>("GCM tag")?;
    expect("seqno in the IV", name.seqno, cursor.u64("seqno in the IV")?)?;
    expect("view in the IV of a snapshot", 1 << 31, u32::from_le_bytes(cursor.array("view in the IV")?).into())?;
    let public = cursor.u64("length of the public domain")?;
    let [kind] = cursor.array("type of the entry")?;
    expect("type of the entry", 1, kind.into())?;
    expect("seqno of the snapshot", name.seqno, cursor.u64("version")?)?;
    cursor.zero("max conflict version")?;
    expect("length of the leaf", 32, cursor.u64("length of the leaf")?)?;
    let leaf = cursor.array("leaf")?;
    let views = cursor.u64("length of the view history")?;
    // Tag, IV and length stand before the public domain.
    let least = (FACTS_LEN as u64 - 36).saturating_add(views);
    if !views.is_multiple_of(8) || public < least || header.size.saturating_sub(36) < public {
        return Err(LedgerError::Truncated { field: "public domain of the snapshot" });
    }
    Ok((header.size, leaf))
}

fn hash_rest(reader: &mut impl Read, size: u64, hasher: &mut Hasher) -> std::io::Result<()> {
    let mut piece = vec![0; PIECE];
    let mut left = size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let read = reader.read(piece.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(piece.get(..read).unwrap_or_default());
        left -= read as u64;
    }
    Ok(())
}

/// The receipt of a committed snapshot, in the one form in which CCF writes it.
fn read_receipt(name: SnapshotName, bytes: &[u8]) -> Result<Option<Receipt>, LedgerError> {
    if !name.committed {
        return if bytes.is_empty() {
            Ok(None)
        } else {
            Err(malformed("a receipt follows, but its name says that none does"))
        };
    }
    if bytes.len() as u64 > MAX_RECEIPT {
        return Err(LedgerError::TooLarge { field: "receipt", value: bytes.len() as u64, max: MAX_RECEIPT });
    }
    let receipt: Receipt = serde_json::from_slice(bytes).map_err(|error| malformed(format!("its receipt: {error}")))?;
    let is_pem = |text: &String| Certificate::from_pem(text).is_ok_and(|certificate| certificate.to_pem() == *text);
    let canonical = serde_json::to_vec(&receipt).is_ok_and(|written| written == bytes);
    if !canonical || ![&receipt.cert].into_iter().chain(&receipt.service_endorsements).all(is_pem) {
        return Err(malformed("its receipt is not in the form that CCF writes"));
    }
    Ok(Some(receipt))
}

fn malformed(reason: impl fmt::Display) -> LedgerError {
    LedgerError::malformed("snapshot", reason)
}

/// What vouches for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voucher {
    /// The ledger: its evidence is there and signed, and what the receipt says stands there too.
    Ledger,
    /// The receipt alone: signed by a node of a service of this ledger, for a transaction that the ledger does not reach.
    Receipt,
    /// Nothing: there is no receipt, and no signature of the ledger covers the evidence.
    Nothing,
}

/// A snapshot that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// Its file.
    pub name: SnapshotName,
    /// What vouches for it.
    pub voucher: Voucher,
}

/// A snapshot whose transactions are watched for while a ledger is read.
#[derive(Debug)]
pub(super) struct Watched {
    snapshot: Snapshot,
    evidence_seen: bool,
    signature_seen: bool,
    /// What differs. Told at the end of the ledger, which by then has shown that the fault is not its own.
    fault: Option<LedgerError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    hash: String,
    version: u64,
}

impl Watched {
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, evidence_seen: false, signature_seen: false, fault: None }
    }

    pub(super) fn name(&self) -> SnapshotName {
        self.snapshot.name
    }

    /// Compares with a transaction of the ledger, if it is one of those that the snapshot is about.
    pub(super) fn compare(&mut self, entry: &Entry<'_>, leaf: &Digest) {
        if self.fault.is_none() {
            self.fault = self.try_compare(entry, leaf).err();
        }
    }

    fn try_compare(&mut self, entry: &Entry<'_>, leaf: &Digest) -> Result<(), LedgerError> {
        let Snapshot { name, leaf: expected, .. } = &self.snapshot;
        if entry.tx_id.seqno == name.seqno && leaf != expected {
            let (stands, is) = (hex::encode(expected), hex::encode(leaf));
            return Err(LedgerError::differs("leaf of the snapshot's transaction in the ledger", stands, is));
        }
        if entry.tx_id.seqno == name.evidence {
            self.compare_evidence(entry)?;
            self.evidence_seen = true;
        }
        if entry.tx_id.seqno > name.evidence && !self.signature_seen {
            self.signature_seen = self.is_signature(entry)?;
        }
        Ok(())
    }

    fn compare_evidence(&self, entry: &Entry<'_>) -> Result<(), LedgerError> {
        let json = entry.public.get(tables::SNAPSHOT_EVIDENCE, &UNIT_KEY).flatten();
        let json = json.ok_or_else(|| malformed("the transaction in its name is not its evidence"))?;
        let evidence: Evidence =
            serde_json::from_slice(json).map_err(|error| LedgerError::malformed(tables::SNAPSHOT_EVIDENCE, error))?;
        let digest = hex::encode(self.snapshot.digest);
        let claims = entry.claims_digest.map(hex::encode).unwrap_or_default();
        if (evidence.version, &evidence.hash, &claims) != (self.snapshot.name.seqno, &digest, &digest) {
            let got = format!("{} with digest {} (claims {claims})", evidence.version, evidence.hash);
            return Err(LedgerError::differs("snapshot of the evidence", format!("this one, {digest}"), got));
        }
        let Some(parts) = self.snapshot.receipt.as_ref().and_then(|receipt| receipt.leaf_components.as_ref()) else {
            return Ok(());
        };
        let same = |field, receipt: String, ledger: String| {
            if receipt == ledger { Ok(()) } else { Err(LedgerError::differs(field, ledger, receipt)) }
        };
        let commit = entry.commit_evidence_digest.map(hex::encode).unwrap_or_default();
        same("commit evidence of the receipt", hex::encode(sha256(parts.commit_evidence.as_bytes())), commit)?;
        same("write_set_digest of the receipt", parts.write_set_digest.clone(), hex::encode(entry.write_set_digest()))
    }

    /// Whether this is the signature in the receipt.
    fn is_signature(&self, entry: &Entry<'_>) -> Result<bool, LedgerError> {
        let Some(receipt) = &self.snapshot.receipt else { return Ok(false) };
        let Some(json) = entry.public.get(tables::SIGNATURES, &UNIT_KEY).flatten() else { return Ok(false) };
        let signature = NodeSignature::from_json(json)?;
        if signature.sig != receipt.signature {
            return Ok(false);
        }
        let root = hex::encode(receipt.root()?);
        let same = signature.root == root && signature.node == receipt.node_id;
        if same && signature.cert.as_ref() == Some(&receipt.cert) {
            return Ok(true);
        }
        let expected = format!("{} by {}, with its certificate", signature.root, signature.node);
        Err(LedgerError::differs(
            "root in the receipt of the snapshot",
            expected,
            format!("{root} by {}", receipt.node_id),
        ))
    }

    /// What vouches for the snapshot, after a ledger that is verified up to `verified` and names these services.
    pub(super) fn finish(self, verified: u64, services: &[Certificate]) -> Result<SnapshotSeen, LedgerError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let name = self.snapshot.name;
        let evidence_signed = self.evidence_seen && name.evidence < verified;
        let voucher = match &self.snapshot.receipt {
            Some(_) if self.evidence_seen && self.signature_seen => Voucher::Ledger,
            Some(_) if evidence_signed => {
                return Err(malformed("the signature in its receipt is none of those in the ledger"));
            }
            Some(receipt) => verify_alone(receipt, services)?,
            None if evidence_signed => Voucher::Ledger,
            None => Voucher::Nothing,
        };
        Ok(SnapshotSeen { name, voucher })
    }
}

fn verify_alone(receipt: &Receipt, services: &[Certificate]) -> Result<Voucher, LedgerError> {
    let mut last = malformed("the ledger names no service that its receipt could be of");
    for service in services.iter().rev() {
        match receipt::verify(receipt, service) {
            Ok(_) => return Ok(Voucher::Receipt),
            Err(error) => last = malformed(error),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_what_they_write() {
        for name in ["snapshot_61_62.committed", "snapshot_61_62", "snapshot_1_200000"] {
            assert_eq!(name.parse::<SnapshotName>().unwrap().to_string(), name);
        }
        let others =
            ["snapshot_", "snapshot_1", "snapshot_2_1", "snapshot_01_2", "snapshot_1_2.commited", "snapshot_1_+2"];
        for other in others {
            assert!(other.parse::<SnapshotName>().is_err(), "{other}");
        }
        assert!(
            SnapshotName::is_snapshot("snapshot_x") && !SnapshotName::is_snapshot("snapshot_1_2.committed.ignored")
        );
        assert!(!SnapshotName::is_snapshot("ledger_1"));
    }

    #[test]
    fn a_file_that_is_too_short_is_no_snapshot() {
        let name = "snapshot_61_62.committed".parse().unwrap();
        for length in [0usize, 8, 100] {
            assert!(Snapshot::read(name, vec![1; length].as_slice()).is_err());
        }
    }
}
