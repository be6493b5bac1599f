//! From the bytes of the ledger back to the state.

use crypto::{AesKey, Digest};
use kv::{State, TxId, UNIT_KEY, WriteSet};
use ledger::{
    LedgerError, entry,
    merkle::Tree,
    secrets::{HistoricalSecret, LedgerSecrets},
    signature::NodeSignature,
    tables,
};

use crate::{
    Committed, ReplicationError,
    history::{self, History},
};

/// Rebuilds state and history, entry by entry, and checks everything that can be checked without a key of the host's:
/// order, encryption, and that each signature was made over exactly what stands before it.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) state: State,
    pub(crate) history: History,
    /// The secrets that the ledger is under, as far as they are known; those that it introduces are added.
    secrets: LedgerSecrets,
    /// Keys that were kept for a rekey, which may not have come about.
    candidates: Vec<AesKey>,
    /// The last signature transaction.
    signature: Option<NodeSignature>,
}

impl Replay {
    /// Before the first entry. `secrets` were used, `candidates` may have been.
    pub(crate) fn new(secrets: &LedgerSecrets, candidates: &[AesKey]) -> Self {
        Self { secrets: secrets.clone(), candidates: candidates.to_vec(), ..Self::default() }
    }

    /// Behind a snapshot: `state` is what it holds, and `tree` has all transactions up to it, which is the signature that
    /// the state has. `views` are as [`History::view_history`] has them. The signature itself is checked with the last one.
    pub(crate) fn behind(
        state: State,
        secrets: &LedgerSecrets,
        candidates: &[AesKey],
        views: Vec<TxId>,
        tree: Tree,
    ) -> Result<Self, LedgerError> {
        let stored = state.get(tables::SIGNATURES, &UNIT_KEY).map_or(&[][..], |stored| &stored.value);
        let signature = NodeSignature::from_json(stored)?;
        let seqno = state.tx_id().seqno;
        for (field, got) in [("seqno of the signature", signature.seqno), ("number of leaves", tree.size() - 1)] {
            if got != seqno {
                return Err(LedgerError::Differs { field, expected: seqno.to_string(), got: got.to_string() });
            }
        }
        check_root(&tree.root_at(seqno)?, &signature)?;
        let history = History::behind(views, tree);
        Ok(Self { state, history, signature: Some(signature), ..Self::new(secrets, candidates) })
    }

    /// The secrets that the ledger is under, without any that nothing is under.
    pub(crate) fn secrets(&self) -> LedgerSecrets {
        self.secrets.up_to(self.last().seqno)
    }

    /// Whether an earlier process had this key.
    pub(crate) fn knows(&self, key: &AesKey) -> bool {
        self.secrets.contains(key) || self.candidates.contains(key)
    }

    /// The last transaction so far.
    pub(crate) fn last(&self) -> TxId {
        self.state.tx_id()
    }

    /// What is known to be committed now.
    pub(crate) fn committed(&self) -> Committed {
        Committed { state: self.state.clone(), root: self.history.tree().root() }
    }

    /// Takes the next entry, which lies at `offset` of its chunk; returns its flags. `file` is named in errors.
    pub(crate) fn entry(&mut self, file: &str, offset: u64, bytes: &[u8]) -> Result<u8, ReplicationError> {
        let seqno = self.last().seqno + 1;
        self.take(seqno, offset, bytes).map_err(|why| ReplicationError::ledger(file, seqno, why))
    }

    fn take(&mut self, seqno: u64, offset: u64, bytes: &[u8]) -> Result<u8, LedgerError> {
        let decoded = entry::decode(bytes)?;
        let tx_id = decoded.tx_id;
        if tx_id.seqno != seqno || tx_id.view < self.last().view {
            let (expected, got) = (format!("{}.{seqno} or a later view", self.last().view), tx_id.to_string());
            return Err(LedgerError::Differs { field: "transaction ID", expected, got });
        }
        let writes = self.open(&decoded)?;
        let signature = writes.get(tables::SIGNATURES, &UNIT_KEY).flatten();
        let signature = signature.map(|json| NodeSignature::from_json(json)).transpose()?;
        if let Some(signature) = &signature {
            check_root(&self.history.tree().root(), signature)?;
        }
        self.history.entry(tx_id.view, offset, decoded.leaf());
        for (map, key) in history::watched_keys(&writes) {
            self.history.wrote(map, key, seqno);
        }
        self.state.apply(tx_id, &writes);
        if signature.is_some() {
            self.history.signed();
            self.signature = signature;
        }
        Ok(decoded.header.flags)
    }

    /// Decrypts an entry, with the secret that it says itself that it is under after a resume. One that a rekey introduces
    /// is taken up when the record is known to be genuine.
    fn open(&mut self, entry: &entry::Entry<'_>) -> Result<WriteSet, LedgerError> {
        let record = HistoricalSecret::in_writes(&entry.public)?;
        let (rekey, other): (Option<_>, Option<_>) = match record {
            Some(record) if record.is_rekey() => (Some(record), None),
            other => (None, other),
        };
        if let Some(record) = other {
            self.secrets.follow(entry.tx_id.seqno, &record, &[])?;
        }
        let writes = entry.open(&self.secrets)?;
        if let Some(record) = rekey {
            self.secrets.follow(entry.tx_id.seqno, &record, &self.candidates)?;
        }
        Ok(writes)
    }

    /// Checks the last signature with the certificate that the ledger has for the node; since it covers everything
    /// before it, and nothing comes behind it, that is enough.
    pub(crate) fn check_last_signature(&self, file: &str) -> Result<(), ReplicationError> {
        let (signed, last) = (self.history.last_signature(), self.last().seqno);
        if signed != last {
            let (expected, got) = ("a signature".to_owned(), "another transaction".to_owned());
            let why = LedgerError::Differs { field: "last entry", expected, got };
            return Err(ReplicationError::ledger(file, last, why));
        }
        let Some(signature) = &self.signature else { return Ok(()) };
        let failed = |why: LedgerError| ReplicationError::ledger(file, signature.seqno, why);
        let missing = || LedgerError::Malformed {
            field: "node of the signature",
            reason: "the ledger has no certificate for it".into(),
        };
        let stored = self.state.get(tables::NODES_ENDORSED_CERTIFICATES, signature.node.as_bytes());
        let pem = stored.ok_or_else(missing).map_err(failed)?;
        let key = crypto::Certificate::from_pem(&String::from_utf8_lossy(&pem.value))
            .and_then(|certificate| certificate.public_key())
            .map_err(|why| failed(why.into()))?;
        signature.verify(&key).map_err(failed)
    }
}

/// What a signature over another root is called in errors.
pub(crate) const ROOT_OF_SIGNATURE: &str = "root of the signature";

/// Checks what a signature is over.
pub(crate) fn check_root(expected: &Digest, signature: &NodeSignature) -> Result<(), LedgerError> {
    let got = signature.root()?;
    if *expected == got {
        return Ok(());
    }
    let field = ROOT_OF_SIGNATURE;
    Err(LedgerError::Differs { field, expected: hex::encode(expected), got: hex::encode(got) })
}
