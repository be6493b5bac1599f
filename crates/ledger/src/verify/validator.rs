use crypto::Digest;
use kv::{MapWrites, TxId, UNIT_KEY};

use super::{Options, Report, network::Network};
use crate::{
    LedgerError,
    entry::Entry,
    merkle::Tree,
    secrets::{HistoricalSecret, LedgerSecrets, check_chain},
    signature::{NodeSignature, cose_bytes, verify_cose},
    tables,
};

/// Checks transactions one after the other, from the first one on. A node that replays its own ledger uses it too.
#[derive(Debug, Clone)]
pub struct Validator<'a> {
    options: Options<'a>,
    tree: Tree,
    network: Network,
    /// The last record of the chain of ledger secrets, and where it was written.
    secret: Option<(u64, HistoricalSecret)>,
    report: Report,
}

impl<'a> Validator<'a> {
    /// A validator that expects transaction 1.
    #[must_use]
    pub fn new(options: Options<'a>) -> Self {
        Self { options, tree: Tree::new(), network: Network::default(), secret: None, report: Report::default() }
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
        self.check_order(entry.tx_id)?;
        self.check_private(entry)?;
        self.network.update_nodes(entry)?;
        if let Some(signatures) = entry.public.map(tables::SIGNATURES) {
            self.check_signature(entry, signatures)?;
        }
        self.network.update_service(entry)?;
        self.check_secret_chain(entry)?;
        if entry.public.map(tables::COSE_SIGNATURES).is_some() {
            self.check_cose(entry)?;
        }
        self.tree.append(entry.leaf()?);
        self.report.first.get_or_insert(entry.tx_id);
        self.report.last = Some(entry.tx_id);
        self.report.private += u64::from(!entry.private.is_empty());
        Ok(())
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
        Ok(Report { services: self.network.clone().into_services(), ..self.report.clone() })
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

    fn check_private(&self, entry: &Entry<'_>) -> Result<(), LedgerError> {
        let Some(secrets) = self.options.secrets else { return Ok(()) };
        entry.open(secrets)?;
        check_evidence(entry, secrets)
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

    fn check_signature(&mut self, entry: &Entry<'_>, signatures: &MapWrites) -> Result<(), LedgerError> {
        check_tables(entry)?;
        for value in signatures.values() {
            let missing = || LedgerError::malformed(tables::SIGNATURES, "a signature is removed");
            let signature = NodeSignature::from_json(value.as_ref().ok_or_else(missing)?)?;
            if signature.tx_id() != entry.tx_id {
                return Err(LedgerError::differs("transaction of the signature", entry.tx_id, signature.tx_id()));
            }
            self.network.verify(&signature)?;
            self.check_root(entry, signature.root()?)?;
        }
        self.report.signatures += 1;
        self.report.verified = Some(entry.tx_id);
        Ok(())
    }

    /// Compares the signed root, and the tree that stands beside it, with what this ledger adds up to.
    fn check_root(&self, entry: &Entry<'_>, signed: Digest) -> Result<(), LedgerError> {
        let bytes = entry.public.get(tables::TREE, &UNIT_KEY).flatten();
        let bytes = bytes.ok_or_else(|| LedgerError::malformed(tables::TREE, "a signature comes without it"))?;
        let theirs = Tree::parse(bytes)?;
        let root = self.tree.root();
        if root != signed {
            return Err(self.changed(&theirs, signed));
        }
        let ours = self.tree.serialise(theirs.first(), self.tree.size()).unwrap_or_default();
        if ours != *bytes {
            let got = format!("{} leaves with root {}", theirs.size(), hex::encode(theirs.root()));
            let expected = format!("{} leaves with root {}", self.tree.size(), hex::encode(root));
            return Err(LedgerError::differs("tree beside the signature", expected, got));
        }
        Ok(())
    }

    /// Which transaction makes the root differ, if the tree beside the signature is the signed one and tells.
    fn changed(&self, theirs: &Tree, signed: Digest) -> LedgerError {
        let leaves = (theirs.first()..theirs.size().min(self.tree.size())).filter(|_| theirs.root() == signed);
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

    fn check_cose(&mut self, entry: &Entry<'_>) -> Result<(), LedgerError> {
        if entry.public.map(tables::SIGNATURES).is_none() {
            return Err(LedgerError::malformed(tables::COSE_SIGNATURES, "it comes without a signature of a node"));
        }
        let json = entry.public.get(tables::COSE_SIGNATURES, &UNIT_KEY).flatten();
        let json = json.ok_or_else(|| LedgerError::malformed(tables::COSE_SIGNATURES, "there is no value"))?;
        let service = self.network.service();
        let service = service.ok_or_else(|| LedgerError::malformed(tables::SERVICE_INFO, "no service is known yet"))?;
        verify_cose(&cose_bytes(json)?, service, &self.tree.root(), entry.tx_id)?;
        self.report.cose_signatures += 1;
        Ok(())
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

fn check_evidence(entry: &Entry<'_>, secrets: &LedgerSecrets) -> Result<(), LedgerError> {
    let expected = secrets.require(entry.tx_id.seqno)?.commit_evidence_digest(entry.tx_id);
    match entry.commit_evidence_digest {
        Some(got) if got != expected => {
            Err(LedgerError::differs("commit evidence digest", hex::encode(expected), hex::encode(got)))
        }
        _ => Ok(()),
    }
}
