use crypto::Digest;
use kv::{MapWrites, TxId, UNIT_KEY};

use super::{Options, Report, check::Check, handover::Handovers, network::Network};
use crate::{
    LedgerError,
    entry::Entry,
    merkle::Tree,
    secrets::{HistoricalSecret, LedgerSecrets, check_chain},
    signature::{NodeSignature, cose_bytes},
    tables,
};

/// Checks transactions one after the other, from the first one on.
#[derive(Debug, Clone)]
pub struct Validator<'a> {
    options: Options<'a>,
    tree: Tree,
    network: Network,
    handovers: Handovers,
    /// The root that was signed last.
    signed: Option<Digest>,
    /// The first leaves of the trees beside the last two signatures.
    windows: (u64, u64),
    /// The last record of the chain of ledger secrets, and where it was written.
    secret: Option<(u64, HistoricalSecret)>,
    report: Report,
}

impl<'a> Validator<'a> {
    /// A validator that expects transaction 1.
    #[must_use]
    pub fn new(options: Options<'a>) -> Self {
        Self {
            options,
            tree: Tree::new(),
            network: Network::default(),
            handovers: Handovers::default(),
            signed: None,
            windows: (0, 0),
            secret: None,
            report: Report::default(),
        }
    }

    /// The tree over all transactions so far.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Takes the next transaction.
    ///
    /// # Errors
    /// What is wrong with it; [`LedgerError::Changed`] if its signature shows that an earlier one was changed.
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<(), LedgerError> {
        check_private(entry, self.options.secrets)?;
        let mut checks = Vec::new();
        self.take(entry, entry.leaf(), &mut checks)?;
        checks.iter().try_for_each(Check::run)
    }

    /// Takes the next transaction, whose private part was checked, but for what is added to `checks`.
    pub(super) fn take(&mut self, entry: &Entry<'_>, leaf: Digest, checks: &mut Vec<Check>) -> Result<(), LedgerError> {
        self.check_order(entry.tx_id)?;
        self.network.update_nodes(entry)?;
        let signed_before = self.signed;
        if let Some(signatures) = entry.public.map(tables::SIGNATURES) {
            self.check_signature(entry, signatures, checks)?;
        }
        self.network.update_service(entry)?;
        self.handovers.update(entry, &self.network, signed_before)?;
        self.check_secret_chain(entry)?;
        if entry.public.map(tables::COSE_SIGNATURES).is_some() {
            checks.push(self.cose_check(entry)?);
        }
        self.tree.append(leaf);
        self.report.first.get_or_insert(entry.tx_id);
        self.report.last = Some(entry.tx_id);
        self.report.private += u64::from(!entry.private.is_empty());
        Ok(())
    }

    /// Forgets the leaves that no later signature comes with, so that memory does not grow with the ledger.
    pub(super) fn forget(&mut self) {
        self.tree.forget(self.windows.0.min(self.windows.1));
    }

    /// The certificates of the service so far.
    pub(super) fn service_certificates(&self) -> Vec<crypto::Certificate> {
        self.network.service_certificates()
    }

    /// What was seen.
    ///
    /// # Errors
    /// The service at the end is not the expected one.
    pub fn finish(&self) -> Result<Report, LedgerError> {
        if let Some(expected) = self.options.service {
            let got = self.network.service().map(crypto::Certificate::id).unwrap_or_default();
            if got != expected.id() {
                return Err(LedgerError::differs("service at the end of the ledger", expected.id(), got));
            }
        }
        let endorsements = self.handovers.links();
        Ok(Report { services: self.network.clone().into_services(), endorsements, ..self.report.clone() })
    }

    pub(super) fn note_incomplete_tail(&mut self, bytes: u64) {
        self.report.incomplete_tail = bytes;
    }

    fn check_order(&self, tx_id: TxId) -> Result<(), LedgerError> {
        if tx_id.seqno != self.tree.size() {
            return Err(LedgerError::differs("seqno of the entry", self.tree.size(), tx_id.seqno));
        }
        let view = self.report.last.map_or(1, |last| last.view);
        if tx_id.view < view {
            return Err(LedgerError::differs("view of the entry", format!("at least {view}"), tx_id.view));
        }
        Ok(())
    }

    /// Each record of a new ledger secret must continue the one before, or recovery could not go back beyond it.
    fn check_secret_chain(&mut self, entry: &Entry<'_>) -> Result<(), LedgerError> {
        let json = entry.public.get(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, &UNIT_KEY).flatten();
        let Some(json) = json else { return Ok(()) };
        let record = (entry.tx_id.seqno, HistoricalSecret::from_json(json)?);
        if let Some(before) = self.secret.take() {
            check_chain(&[before, record.clone()])?;
        }
        self.secret = Some(record);
        Ok(())
    }

    fn check_signature(
        &mut self,
        entry: &Entry<'_>,
        signatures: &MapWrites,
        checks: &mut Vec<Check>,
    ) -> Result<(), LedgerError> {
        check_tables(entry)?;
        for (key, value) in signatures {
            if *key != UNIT_KEY.as_slice() {
                return Err(LedgerError::differs("key of the signature", "eight zeros", hex::encode(key)));
            }
            let missing = || LedgerError::malformed(tables::SIGNATURES, "a signature is removed");
            let json = value.as_ref().ok_or_else(missing)?;
            let signature = NodeSignature::from_json(json)?;
            self.check_fields(entry, json, &signature)?;
            let root = signature.root()?;
            // First the root: it tells which transaction was changed, be it the one that brought the key.
            self.check_root(entry, root)?;
            self.network.signs(signature, checks)?;
            self.signed = Some(root);
        }
        self.report.signatures += 1;
        self.report.verified = Some(entry.tx_id);
        Ok(())
    }

    /// What the signature itself does not cover: in the last signature of a ledger nothing else does.
    fn check_fields(&self, entry: &Entry<'_>, json: &[u8], signature: &NodeSignature) -> Result<(), LedgerError> {
        if signature.tx_id() != entry.tx_id {
            return Err(LedgerError::differs("transaction of the signature", entry.tx_id, signature.tx_id()));
        }
        if signature.to_json()? != json {
            return Err(LedgerError::malformed(tables::SIGNATURES, "it is not in the form that CCF writes"));
        }
        let claims = entry.claims_digest.unwrap_or_default();
        if claims != [0; 32] {
            return Err(LedgerError::differs("claims digest of a signature", "zeros", hex::encode(claims)));
        }
        let zeros = signature.commit_seqno == 0
            && signature.commit_view == 0
            && signature.hashed_nonce.len() == 64
            && signature.hashed_nonce.bytes().all(|digit| digit == b'0');
        // Nodes that know COSE signatures have long ceased to fill these.
        let has_cose = self.report.cose_signatures > 0 || entry.public.map(tables::COSE_SIGNATURES).is_some();
        if has_cose && !zeros {
            let field = "commit_seqno, commit_view and hashed_nonce of the signature";
            return Err(LedgerError::differs(field, "zeros", "something else"));
        }
        Ok(())
    }

    /// Compares the signed root, and the tree that stands beside it, with what this ledger adds up to.
    fn check_root(&mut self, entry: &Entry<'_>, signed: Digest) -> Result<(), LedgerError> {
        let bytes = entry.public.get(tables::TREE, &UNIT_KEY).flatten();
        let bytes = bytes.ok_or_else(|| LedgerError::malformed(tables::TREE, "a signature comes without it"))?;
        let (root, size) = (self.tree.root(), self.tree.size());
        let first = Tree::serialised_first(bytes)?;
        self.windows = (self.windows.1, first);
        if root == signed && self.tree.serialise(first, size).is_ok_and(|ours| ours == *bytes) {
            return Ok(());
        }
        let theirs = Tree::parse(bytes)?;
        if root != signed {
            return Err(self.changed(&theirs, signed));
        }
        // It starts at a leaf that was forgotten. Trees of one size and root have the same leaves.
        if first < self.tree.first() && theirs.size() == size && theirs.root() == root {
            return Ok(());
        }
        let got = format!("{} leaves with root {}", theirs.size(), hex::encode(theirs.root()));
        let expected = format!("{size} leaves with root {}", hex::encode(root));
        Err(LedgerError::differs("tree beside the signature", expected, got))
    }

    /// Which transaction makes the root differ, if the tree beside the signature is the signed one and tells.
    fn changed(&self, theirs: &Tree, signed: Digest) -> LedgerError {
        let first = theirs.first().max(self.tree.first());
        let leaves = (first..theirs.size().min(self.tree.size())).filter(|_| theirs.root() == signed);
        let differing = leaves.map(|seqno| (seqno, theirs.leaf(seqno), self.tree.leaf(seqno))).find(|(_, a, b)| a != b);
        if let Some((seqno, Some(expected), Some(got))) = differing {
            return LedgerError::Changed { seqno, expected: hex::encode(expected), got: hex::encode(got) };
        }
        LedgerError::differs(
            "root of all transactions before the signature",
            hex::encode(signed),
            hex::encode(self.tree.root()),
        )
    }

    fn cose_check(&mut self, entry: &Entry<'_>) -> Result<Check, LedgerError> {
        if entry.public.map(tables::SIGNATURES).is_none() {
            return Err(LedgerError::malformed(tables::COSE_SIGNATURES, "it comes without a signature of a node"));
        }
        let json = entry.public.get(tables::COSE_SIGNATURES, &UNIT_KEY).flatten();
        let json = json.ok_or_else(|| LedgerError::malformed(tables::COSE_SIGNATURES, "there is no value"))?;
        let service = self.network.service();
        let service = service.ok_or_else(|| LedgerError::malformed(tables::SERVICE_INFO, "no service is known yet"))?;
        self.report.cose_signatures += 1;
        Ok(Check::Service {
            cose: cose_bytes(json)?,
            service: service.clone(),
            root: self.tree.root(),
            tx_id: entry.tx_id,
        })
    }
}

/// A signature transaction writes nothing else, and has no private part.
fn check_tables(entry: &Entry<'_>) -> Result<(), LedgerError> {
    let expected = [tables::COSE_SIGNATURES, tables::SIGNATURES, tables::TREE];
    let other = entry.public.maps().map(|(name, _)| name).find(|name| !expected.contains(name));
    if let Some(other) = other.or((!entry.private.is_empty()).then_some("a private map")) {
        return Err(LedgerError::differs("tables of a signature transaction", expected.join(", "), other));
    }
    Ok(())
}

/// Opens the private part, which authenticates the whole entry, and recomputes the commit evidence.
pub(super) fn check_private(entry: &Entry<'_>, secrets: Option<&LedgerSecrets>) -> Result<(), LedgerError> {
    let Some(secrets) = secrets else { return Ok(()) };
    entry.open(secrets)?;
    let expected = secrets.require(entry.tx_id.seqno)?.commit_evidence_digest(entry.tx_id);
    match entry.commit_evidence_digest {
        Some(got) if got != expected => {
            Err(LedgerError::differs("commit evidence digest", hex::encode(expected), hex::encode(got)))
        }
        _ => Ok(()),
    }
}
