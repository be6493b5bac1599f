//! Signature transactions: a node's signature and the service's COSE signature over the root of all that came before,
//! with the tree that proves the transactions since an earlier signature.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Certificate, Digest, PublicKey, SigningKey, cose};
use kv::{TxId, UNIT_KEY, WriteSet};
use serde::{Deserialize, Serialize};

use crate::{LedgerError, merkle::Tree, tables};

/// The value in [`tables::SIGNATURES`]: who signed which root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSignature {
    /// PEM of the node's certificate, as the service endorsed it. Old ledgers may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// Always 0 (CCF keeps it for old readers).
    pub commit_seqno: u64,
    /// Always 0 (CCF keeps it for old readers).
    pub commit_view: u64,
    /// Always zeros (CCF keeps it for old readers).
    pub hashed_nonce: String,
    /// The node's id: hex SHA-256 of its public key.
    pub node: String,
    /// Hex of the root over all leaves before this transaction.
    pub root: String,
    /// Where this transaction stands in the ledger.
    pub seqno: u64,
    /// Base64 of the DER signature over the root, taken as the digest.
    pub sig: String,
    /// The view of this transaction.
    pub view: u64,
}

impl NodeSignature {
    /// Reads the value of the table.
    ///
    /// # Errors
    /// JSON that is not a signature.
    pub fn from_json(json: &[u8]) -> Result<Self, LedgerError> {
        serde_json::from_slice(json).map_err(|error| LedgerError::malformed(tables::SIGNATURES, error))
    }

    /// The value of the table, as CCF writes it.
    ///
    /// # Errors
    /// None that the fields could cause.
    pub fn to_json(&self) -> Result<Vec<u8>, LedgerError> {
        serde_json::to_vec(self).map_err(|error| LedgerError::malformed(tables::SIGNATURES, error))
    }

    /// The transaction that the signature says it is in.
    #[must_use]
    pub fn tx_id(&self) -> TxId {
        TxId::new(self.view, self.seqno)
    }

    /// The signed root as bytes.
    ///
    /// # Errors
    /// Not 64 hex digits.
    pub fn root(&self) -> Result<Digest, LedgerError> {
        digest("root of the signature", &self.root)
    }

    /// Checks the signature over the root that is named beside it.
    ///
    /// # Errors
    /// A malformed field, or a signature that is not by `key`.
    pub fn verify(&self, key: &PublicKey) -> Result<(), LedgerError> {
        let sig = STANDARD.decode(&self.sig).map_err(|error| LedgerError::malformed("sig of the signature", error))?;
        Ok(key.verify_digest_der(&self.root()?, &sig)?)
    }
}

/// Whoever signs for a node: its own key, the service's key, and what is said about them.
#[derive(Debug)]
pub struct Signer<'a> {
    /// The key of this node.
    pub node_key: &'a SigningKey,
    /// PEM of the certificate that the service issued for the node.
    pub node_certificate: &'a str,
    /// The key of the service.
    pub service_key: &'a SigningKey,
    /// `iss` of the COSE signature (`command.start.cose_signatures.issuer`).
    pub issuer: &'a str,
    /// `sub` of the COSE signature (`command.start.cose_signatures.subject`).
    pub subject: &'a str,
}

impl Signer<'_> {
    /// The node's part of a signature transaction at `tx_id`; may run beside [`Signer::sign_as_service`].
    ///
    /// # Errors
    /// If the key cannot sign.
    pub fn sign_as_node(&self, tx_id: TxId, root: &Digest) -> Result<NodeSignature, LedgerError> {
        let sig = self.node_key.sign_digest_der(root)?;
        Ok(NodeSignature {
            cert: Some(self.node_certificate.to_owned()),
            commit_seqno: 0,
            commit_view: 0,
            hashed_nonce: "0".repeat(64),
            node: self.node_key.public().id(),
            root: hex::encode(root),
            seqno: tx_id.seqno,
            sig: STANDARD.encode(sig),
            view: tx_id.view,
        })
    }

    /// The service's part: a COSE_Sign1 message with the root as detached payload. `issued_at` is in seconds since
    /// 1970.
    ///
    /// # Errors
    /// If the key cannot sign.
    pub fn sign_as_service(&self, tx_id: TxId, root: &Digest, issued_at: i64) -> Result<Vec<u8>, LedgerError> {
        let txid = tx_id.to_string();
        Ok(cose::sign_ledger_root(self.service_key, root, &txid, issued_at, self.issuer, self.subject)?)
    }

    /// The whole signature transaction at `tx_id` over `tree`, which holds all transactions before it; `flushed` is the
    /// first leaf that the tree is written from (the seqno of the previous signature, 0 for the first).
    ///
    /// # Errors
    /// The tree does not end right before `tx_id`, or a key cannot sign.
    pub fn build(&self, tx_id: TxId, tree: &Tree, flushed: u64, issued_at: i64) -> Result<WriteSet, LedgerError> {
        if tree.size() != tx_id.seqno {
            return Err(LedgerError::differs("number of leaves to sign", tx_id.seqno, tree.size()));
        }
        let root = tree.root();
        let node = self.sign_as_node(tx_id, &root)?;
        let cose = self.sign_as_service(tx_id, &root, issued_at)?;
        write_set(&node, &cose, tree.serialise(flushed, tx_id.seqno)?)
    }
}

/// A signature transaction from its parts: it writes exactly these three tables.
///
/// # Errors
/// None that the parts could cause.
pub fn write_set(node: &NodeSignature, cose: &[u8], tree: Vec<u8>) -> Result<WriteSet, LedgerError> {
    let mut writes = WriteSet::default();
    let mut put = |table, value: Vec<u8>| writes.put(table, UNIT_KEY.as_slice(), value);
    put(tables::SIGNATURES, node.to_json()?);
    put(tables::COSE_SIGNATURES, format!("\"{}\"", STANDARD.encode(cose)).into_bytes());
    put(tables::TREE, tree);
    Ok(writes)
}

/// The COSE_Sign1 message in a value of [`tables::COSE_SIGNATURES`].
///
/// # Errors
/// Not a JSON string of base64.
pub fn cose_bytes(json: &[u8]) -> Result<Vec<u8>, LedgerError> {
    let malformed = |error: String| LedgerError::malformed(tables::COSE_SIGNATURES, error);
    let text: &str = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
    STANDARD.decode(text).map_err(|error| malformed(error.to_string()))
}

/// Checks the service's COSE signature over `root` in the transaction `tx_id`.
///
/// # Errors
/// Not a COSE_Sign1 message, another key or transaction named in it, or a signature that does not verify.
pub fn verify_cose(cose: &[u8], service: &Certificate, root: &Digest, tx_id: TxId) -> Result<(), LedgerError> {
    let key = service.public_key()?;
    let message = cose::Sign1::from_bytes(cose)?;
    if !message.is_encoded_as(cose) {
        return Err(LedgerError::malformed("COSE signature", "it is not in the form that CCF writes"));
    }
    let kid = String::from_utf8_lossy(message.kid().unwrap_or_default()).into_owned();
    if kid != key.id() {
        return Err(LedgerError::differs("kid of the COSE signature", key.id(), kid));
    }
    message.verify_detached(root, &key)?;
    let named = named_tx_id(&message).unwrap_or_default();
    if named != tx_id.to_string() {
        return Err(LedgerError::differs("txid of the COSE signature", tx_id, named));
    }
    Ok(())
}

/// `txid` in the protected header `ccf.v1`.
fn named_tx_id(message: &cose::Sign1) -> Option<&str> {
    let fields = message.header("ccf.v1")?.as_map()?;
    fields.iter().find(|(name, _)| name.as_text() == Some("txid"))?.1.as_text()
}

/// A digest from its 64 hex digits, which CCF writes in lower case.
pub(crate) fn digest(field: &'static str, text: &str) -> Result<Digest, LedgerError> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).map_err(|error| LedgerError::malformed(field, error))?;
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(LedgerError::malformed(field, "hex digits must be in lower case"));
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use crypto::{
        Curve,
        issue::{Validity, node_certificate, service_certificate},
    };

    use super::*;

    struct Keys {
        service: SigningKey,
        certificate: Certificate,
        node: SigningKey,
        node_pem: String,
    }

    fn keys(curve: Curve) -> Keys {
        let service = SigningKey::generate(curve).unwrap();
        let validity = Validity { from: 1_700_000_000, days: 365 };
        let certificate = service_certificate(&service, "CCF Service", validity).unwrap();
        let node = SigningKey::generate(curve).unwrap();
        let names = ["iPAddress:127.0.0.1".to_owned()];
        let endorsed = node_certificate(node.public(), "CCF Node", &names, validity, &service, &certificate).unwrap();
        Keys { service, certificate, node, node_pem: endorsed.to_pem() }
    }

    impl Keys {
        fn signer(&self) -> Signer<'_> {
            Signer {
                node_key: &self.node,
                node_certificate: &self.node_pem,
                service_key: &self.service,
                issuer: "example.com",
                subject: "ledger.sig",
            }
        }
    }

    fn tree(n: u64) -> Tree {
        let mut tree = Tree::new();
        (1..n).for_each(|i| tree.append([i as u8; 32]));
        tree
    }

    #[test]
    fn a_signature_transaction_writes_three_tables_that_verify() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let keys = keys(curve);
            let (tree, tx_id) = (tree(7), TxId::new(2, 7));
            let writes = keys.signer().build(tx_id, &tree, 4, 1_700_000_000).unwrap();
            let names: Vec<_> = writes.maps().map(|(name, _)| name).collect();
            assert_eq!(names, [tables::COSE_SIGNATURES, tables::SIGNATURES, tables::TREE]);
            let value = |table| writes.get(table, &UNIT_KEY).flatten().unwrap();

            let node = NodeSignature::from_json(value(tables::SIGNATURES)).unwrap();
            assert_eq!((node.tx_id(), node.root().unwrap()), (tx_id, tree.root()));
            node.verify(keys.node.public()).unwrap();
            assert!(node.verify(keys.service.public()).is_err());

            let cose = cose_bytes(value(tables::COSE_SIGNATURES)).unwrap();
            verify_cose(&cose, &keys.certificate, &tree.root(), tx_id).unwrap();
            assert!(verify_cose(&cose, &keys.certificate, &[1; 32], tx_id).is_err(), "another root");
            assert!(verify_cose(&cose, &keys.certificate, &tree.root(), TxId::new(2, 8)).is_err(), "another place");
            let node_certificate = Certificate::from_pem(&keys.node_pem).unwrap();
            assert!(verify_cose(&cose, &node_certificate, &tree.root(), tx_id).is_err(), "another key");

            assert_eq!(Tree::parse(value(tables::TREE)).unwrap().root(), tree.root());
        }
    }

    #[test]
    fn the_tree_must_end_right_before_the_signature() {
        let keys = keys(Curve::P256);
        assert!(keys.signer().build(TxId::new(2, 8), &tree(7), 0, 0).is_err());
        assert!(keys.signer().build(TxId::new(2, 6), &tree(7), 0, 0).is_err());
    }

    #[test]
    fn malformed_values_are_refused() {
        for bad in [r#""AA=""#, r#""A A=""#, "AAAA", "{}", r#""AAAB"x"#] {
            assert!(cose_bytes(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(NodeSignature::from_json(b"{}").is_err());
        assert!(digest("root", &"A".repeat(64)).is_err());
        assert!(digest("root", &"a".repeat(62)).is_err());
    }
}
