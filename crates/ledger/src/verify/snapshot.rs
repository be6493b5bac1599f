//! Snapshots beside a ledger: each is compared with the transactions that it is about, while these are read.

use std::fmt;

use crypto::{Certificate, Digest, sha256};
use kv::UNIT_KEY;

use crate::{
    LedgerError,
    entry::Entry,
    receipt::{self, Receipt},
    signature::NodeSignature,
    snapshot::{Evidence, Snapshot, SnapshotName},
    tables,
};

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

fn malformed(reason: impl fmt::Display) -> LedgerError {
    LedgerError::malformed("snapshot", reason)
}
