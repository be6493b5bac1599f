//! The pin: the highest transaction that the service answered with, and its receipt (D31).
//!
//! Sealing gives confidentiality, not freshness: whoever runs a service can put yesterday's disk back, or run two copies
//! of it. Neither can show the receipt of a transaction that its own history does not contain, because the commit
//! evidence in it is made with a ledger secret and the root in it covers everything before. So a client keeps one receipt
//! and asks for the same one when it comes back.

use std::{fmt, path::PathBuf};

use kv::TxId;
use ledger::receipt::{LeafComponents, Receipt};
use serde::{Deserialize, Serialize};

use crate::{Result, files};

const WHAT: &str = "a pin";

/// What a client remembers of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The transaction, `view.seqno`.
    pub transaction_id: String,
    /// Its receipt, which was verified when it was kept.
    pub receipt: Receipt,
}

/// How a service fails to extend a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fork {
    /// The service does not have the transaction any more.
    Missing {
        /// The pinned transaction.
        tx_id: TxId,
        /// The OData code that came instead of its receipt.
        code: String,
    },
    /// The service has another transaction, or another history, under the same id.
    Differs {
        /// The pinned transaction.
        tx_id: TxId,
        /// The first field of the receipt that differs.
        field: &'static str,
        /// What it was.
        pinned: String,
        /// What it is now.
        got: String,
    },
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { tx_id, code } => {
                write!(f, "the service has no receipt of transaction {tx_id} any more ({code})")
            }
            Self::Differs { tx_id, field, pinned, got } => {
                write!(f, "in the receipt of transaction {tx_id}, {field} was {pinned} and is {got} now")
            }
        }
    }
}

impl Pin {
    /// The pin on a transaction whose receipt was verified.
    #[must_use]
    pub fn new(tx_id: TxId, receipt: Receipt) -> Self {
        Self { transaction_id: tx_id.to_string(), receipt }
    }

    /// The pinned transaction; `None` for a text that is no transaction id.
    #[must_use]
    pub fn tx_id(&self) -> Option<TxId> {
        self.transaction_id.parse().ok()
    }

    /// Whether a receipt that the service shows now is the pinned one.
    ///
    /// The certificate of the node and endorsements of earlier service identities may change without a change of
    /// history (renewal, recovery); everything else is a function of the ledger.
    ///
    /// # Errors
    /// The first field that differs.
    pub fn compare(&self, got: &Receipt) -> std::result::Result<(), Fork> {
        let tx_id = self.tx_id().unwrap_or_default();
        let fields = fields(&self.receipt).into_iter().zip(fields(got));
        for ((field, pinned), (_, got)) in fields {
            if pinned != got {
                return Err(Fork::Differs { tx_id, field, pinned, got });
            }
        }
        Ok(())
    }
}

fn fields(receipt: &Receipt) -> [(&'static str, String); 7] {
    let absent = || String::from("absent");
    let part = |read: fn(&LeafComponents) -> Option<&String>| {
        receipt.leaf_components.as_ref().and_then(read).cloned().unwrap_or_else(absent)
    };
    let proof: Vec<String> = receipt.proof.iter().map(|step| format!("{step:?}")).collect();
    [
        ("write_set_digest", part(|parts| Some(&parts.write_set_digest))),
        ("commit_evidence", part(|parts| Some(&parts.commit_evidence))),
        ("claims_digest", part(|parts| parts.claims_digest.as_ref())),
        ("leaf", receipt.leaf.clone().unwrap_or_else(absent)),
        ("proof", proof.join(" ")),
        ("node_id", receipt.node_id.clone()),
        ("signature", receipt.signature.clone()),
    ]
}

/// Where the pin of a profile is kept.
#[derive(Debug)]
pub(crate) struct PinFile {
    path: PathBuf,
}

impl PinFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn read(&self) -> Result<Option<Pin>> {
        let pin: Option<Pin> = files::optional_json(&self.path, WHAT)?;
        if let Some(pin) = pin.as_ref().filter(|pin| pin.tx_id().is_none()) {
            let why = format!("transaction_id is {:?}", pin.transaction_id);
            return Err(crate::ClientError::Content { path: self.path.clone(), what: WHAT, why });
        }
        Ok(pin)
    }

    /// Keeps a pin, unless another process kept a higher one meanwhile.
    pub(crate) fn advance(&self, pin: &Pin) -> Result<()> {
        let _lock = files::lock(&self.path.with_extension("lock"))?;
        let kept = self.read()?.and_then(|kept| kept.tx_id());
        if pin.tx_id() > kept { self.write(pin) } else { Ok(()) }
    }

    /// Forgets what was kept.
    pub(crate) fn forget(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(files::failed(&self.path)(error)),
            _ => Ok(()),
        }
    }

    fn write(&self, pin: &Pin) -> Result<()> {
        files::replace(&self.path, serde_json::json!(pin).to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::receipt::ProofStep;

    fn receipt(evidence: &str) -> Receipt {
        Receipt {
            cert: "node certificate".into(),
            leaf: None,
            leaf_components: Some(LeafComponents {
                claims_digest: Some("00".repeat(32)),
                commit_evidence: evidence.into(),
                write_set_digest: "11".repeat(32),
            }),
            node_id: "22".repeat(32),
            proof: vec![ProofStep::Left("33".repeat(32))],
            service_endorsements: Vec::new(),
            signature: "c2ln".into(),
        }
    }

    fn pin() -> Pin {
        Pin::new(TxId::new(3, 41), receipt("ce:3.41:aa"))
    }

    #[test]
    fn d31_the_same_receipt_extends_the_pin_also_after_a_renewal() {
        let mut again = receipt("ce:3.41:aa");
        assert_eq!(pin().compare(&again), Ok(()));
        again.cert = "renewed".into();
        again.service_endorsements.push("endorsement".into());
        assert_eq!(pin().compare(&again), Ok(()));
    }

    #[test]
    fn d31_another_receipt_is_named_by_transaction_and_field() {
        let fork = pin().compare(&receipt("ce:3.41:bb")).unwrap_err();
        let text = fork.to_string();
        assert!(text.contains("transaction 3.41, commit_evidence was ce:3.41:aa and is ce:3.41:bb now"), "{text}");
        let change = |change: fn(&mut Receipt)| {
            let mut changed = receipt("ce:3.41:aa");
            change(&mut changed);
            match pin().compare(&changed) {
                Err(Fork::Differs { field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(change(|receipt| receipt.proof.clear()), "proof");
        assert_eq!(change(|receipt| receipt.signature.clear()), "signature");
        assert_eq!(change(|receipt| receipt.node_id.clear()), "node_id");
        assert_eq!(change(|receipt| receipt.leaf_components = None), "write_set_digest");
    }

    #[test]
    fn a_pin_only_rises_and_survives_a_round_trip() {
        let directory = tempfile::tempdir().unwrap();
        let file = PinFile::new(directory.path().join("pin.json"));
        assert_eq!(file.read().unwrap(), None);
        file.advance(&pin()).unwrap();
        file.advance(&Pin::new(TxId::new(3, 40), receipt("ce:3.40:aa"))).unwrap();
        assert_eq!(file.read().unwrap(), Some(pin()));
        let higher = Pin::new(TxId::new(4, 2), receipt("ce:4.2:aa"));
        file.advance(&higher).unwrap();
        assert_eq!(file.read().unwrap(), Some(higher));
        file.forget().unwrap();
        file.forget().unwrap();
        assert_eq!(file.read().unwrap(), None);
    }

    #[test]
    fn a_damaged_pin_is_an_error_that_names_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin.json");
        for text in ["{", r#"{"transaction_id":"x","receipt":{"cert":"","node_id":"","proof":[],"signature":""}}"#] {
            std::fs::write(&path, text).unwrap();
            let error = PinFile::new(path.clone()).read().unwrap_err().to_string();
            assert!(error.contains("pin.json"), "{error}");
        }
    }
}
