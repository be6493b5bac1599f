//! Receipts: proof, for anybody who has the service certificate, that a transaction is in the ledger (CCF, receipts).

mod cose;

pub use cose::{CoseReceipt, cose_receipt, verify_cose_receipt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Certificate, CryptoError, Digest, sha256};
use kv::TxId;
use serde::{Deserialize, Serialize};

use crate::{
    LedgerError, entry,
    merkle::{Step, Tree, fold},
    signature::{NodeSignature, digest},
};

/// Longest accepted proof: a path in a tree of 2^64 leaves.
const MAX_PROOF: usize = 64;
/// Most service identities that may lie between the signature and the service that is asked now.
const MAX_ENDORSEMENTS: usize = 1024;

/// A receipt as CCF nodes answer it; `Serialize` gives CCF's JSON, keys in alphabetical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// PEM of the certificate of the node that signed.
    pub cert: String,
    /// Hex of the root; only in the receipt of a signature transaction, which has no leaf components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    /// What the leaf is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf_components: Option<LeafComponents>,
    /// Id of the node that signed.
    pub node_id: String,
    /// From the leaf up to the root.
    pub proof: Vec<ProofStep>,
    /// PEM certificates, each of an earlier service identity by a later one; absent if the current service signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_endorsements: Vec<String>,
    /// Base64 of the node's DER signature over the root.
    pub signature: String,
}

/// What a leaf of the tree is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafComponents {
    /// Hex digest of the application's claims; zeros for none. Absent for old transactions without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_digest: Option<String>,
    /// `ce:<view>.<seqno>:<hex nonce>`.
    pub commit_evidence: String,
    /// Hex SHA-256 of the entry.
    pub write_set_digest: String,
}

/// A sibling on the path, as hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofStep {
    /// The sibling is the left child.
    Left(String),
    /// The sibling is the right child.
    Right(String),
}

impl From<&Step> for ProofStep {
    fn from(step: &Step) -> Self {
        match step {
            Step::Left(sibling) => Self::Left(hex::encode(sibling)),
            Step::Right(sibling) => Self::Right(hex::encode(sibling)),
        }
    }
}

/// What a receipt says of a transaction besides its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Components {
    /// SHA-256 of the entry.
    pub write_set_digest: Digest,
    /// The text that only a node of the service can know ([`Secret::commit_evidence`](crate::secrets::Secret)).
    pub commit_evidence: String,
    /// Digest of the application's claims; `None` for an old transaction without.
    pub claims_digest: Option<Digest>,
}

impl Components {
    /// The leaf in the Merkle tree.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        let evidence = sha256(self.commit_evidence.as_bytes());
        match &self.claims_digest {
            Some(claims) => entry::leaf(&self.write_set_digest, &evidence, claims),
            None => crypto::sha256_parts(&[&self.write_set_digest, &evidence]),
        }
    }
}

impl Receipt {
    /// The receipt of transaction `seqno`, which `signature` covers. `tree` holds both.
    ///
    /// # Errors
    /// The transaction is not covered by the signature, is not the one in the tree, or the signature lacks its
    /// certificate.
    pub fn of_transaction(
        seqno: u64,
        components: &Components,
        tree: &Tree,
        signature: &NodeSignature,
        service_endorsements: Vec<String>,
    ) -> Result<Self, LedgerError> {
        let proof = tree.proof(seqno, signature.seqno)?;
        let root = fold(components.leaf(), &proof);
        if root != signature.root()? {
            return Err(LedgerError::differs("root that the receipt leads to", &signature.root, hex::encode(root)));
        }
        let leaf_components = LeafComponents {
            claims_digest: components.claims_digest.map(hex::encode),
            commit_evidence: components.commit_evidence.clone(),
            write_set_digest: hex::encode(components.write_set_digest),
        };
        let proof = proof.iter().map(ProofStep::from).collect();
        let receipt = Self::of_signature(signature, service_endorsements)?;
        Ok(Self { leaf: None, leaf_components: Some(leaf_components), proof, ..receipt })
    }

    /// The receipt of a signature transaction itself: the root that it signed.
    ///
    /// # Errors
    /// The signature lacks its certificate.
    pub fn of_signature(signature: &NodeSignature, service_endorsements: Vec<String>) -> Result<Self, LedgerError> {
        let missing = || LedgerError::malformed("cert of the signature", "it is missing");
        Ok(Self {
            cert: signature.cert.clone().ok_or_else(missing)?,
            leaf: Some(signature.root.clone()),
            leaf_components: None,
            node_id: signature.node.clone(),
            proof: Vec::new(),
            service_endorsements,
            signature: signature.sig.clone(),
        })
    }

    /// The transaction that the receipt is for; `None` for that of a signature transaction.
    ///
    /// # Errors
    /// A malformed field.
    pub(crate) fn tx_id(&self) -> Result<Option<TxId>, LedgerError> {
        Ok(self.leaf()?.1)
    }

    /// The root that leaf and proof lead to.
    ///
    /// # Errors
    /// A malformed field.
    pub(crate) fn root(&self) -> Result<Digest, LedgerError> {
        Ok(fold(self.leaf()?.0, &self.steps()?))
    }

    fn steps(&self) -> Result<Vec<Step>, LedgerError> {
        let step = |step: &ProofStep| match step {
            ProofStep::Left(hex) => digest("proof", hex).map(Step::Left),
            ProofStep::Right(hex) => digest("proof", hex).map(Step::Right),
        };
        self.proof.iter().map(step).collect()
    }

    /// The leaf, and the transaction that the commit evidence names.
    fn leaf(&self) -> Result<(Digest, Option<TxId>, Option<Digest>), LedgerError> {
        match (&self.leaf, &self.leaf_components) {
            (Some(leaf), None) => Ok((digest("leaf", leaf)?, None, None)),
            (None, Some(parts)) => {
                let claims = parts.claims_digest.as_deref().map(|hex| digest("claims_digest", hex)).transpose()?;
                let components = Components {
                    write_set_digest: digest("write_set_digest", &parts.write_set_digest)?,
                    commit_evidence: parts.commit_evidence.clone(),
                    claims_digest: claims,
                };
                Ok((components.leaf(), Some(evidence_tx_id(&parts.commit_evidence)?), claims))
            }
            _ => Err(LedgerError::malformed("receipt", "there must be either leaf or leaf_components")),
        }
    }
}

/// The transaction in `ce:<view>.<seqno>:<nonce>`.
fn evidence_tx_id(evidence: &str) -> Result<TxId, LedgerError> {
    let id = evidence.strip_prefix("ce:").and_then(|rest| rest.split_once(':')).map(|(id, _)| id.parse());
    match id {
        Some(Ok(id)) => Ok(id),
        _ => Err(LedgerError::malformed("commit_evidence", "it is not ce:VIEW.SEQNO:NONCE")),
    }
}

/// What a good receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The transaction; `None` for the receipt of a signature transaction, which does not say which one it is.
    pub tx_id: Option<TxId>,
    /// The signed Merkle root.
    pub root: Digest,
    /// The digest of the application's claims, if there are any.
    pub claims_digest: Option<Digest>,
    /// The node that signed.
    pub node_id: String,
}

/// Why a receipt proves nothing, by step of the verification.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// A field cannot be read.
    #[error("the receipt cannot be read: {0}")]
    Malformed(LedgerError),
    /// The certificate of the node cannot be read, or is of another node than the receipt says.
    #[error("the certificate of the signing node: {0}")]
    NodeCertificate(LedgerError),
    /// The root that leaf and proof lead to is not what the node signed.
    #[error(
        "the node's signature is not over {root}, the root that leaf and proof lead to: \
         a field of the receipt was changed, or it belongs to another transaction"
    )]
    Signature {
        /// Hex of the computed root.
        root: String,
    },
    /// One of the service endorsements cannot be read.
    #[error("service endorsement {index}: {source}")]
    Endorsement {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong.
        source: CryptoError,
    },
    /// A certificate of the chain was not issued by the next one.
    #[error("{issued} was not issued by {issuer}: {source}")]
    Chain {
        /// The certificate.
        issued: String,
        /// The one that should have issued it.
        issuer: String,
        /// What is wrong.
        source: CryptoError,
    },
}

/// Checks a receipt against the certificate of the service: leaf, path to the root, signature of the node, and the
/// chain from the node's certificate over the endorsements to the service. Dates of certificates are not looked at:
/// the ledger outlives them.
///
/// # Errors
/// The step that fails.
pub fn verify(receipt: &Receipt, service: &Certificate) -> Result<Verified, ReceiptError> {
    check_bounds(receipt).map_err(ReceiptError::Malformed)?;
    let (leaf, tx_id, claims_digest) = receipt.leaf().map_err(ReceiptError::Malformed)?;
    let root = fold(leaf, &receipt.steps().map_err(ReceiptError::Malformed)?);
    let signature = STANDARD
        .decode(&receipt.signature)
        .map_err(|error| ReceiptError::Malformed(LedgerError::malformed("signature", error)))?;
    let node = node_certificate(receipt).map_err(ReceiptError::NodeCertificate)?;
    let key = node.public_key().map_err(|error| ReceiptError::NodeCertificate(error.into()))?;
    key.verify_digest_der(&root, &signature).map_err(|_| ReceiptError::Signature { root: hex::encode(root) })?;
    verify_chain(node, receipt, service)?;
    let claims_digest = claims_digest.filter(|digest| *digest != [0; 32]);
    Ok(Verified { tx_id, root, claims_digest, node_id: receipt.node_id.clone() })
}

fn check_bounds(receipt: &Receipt) -> Result<(), LedgerError> {
    let bound = |field, len: usize, max: usize| {
        if len > max { Err(LedgerError::TooLarge { field, value: len as u64, max: max as u64 }) } else { Ok(()) }
    };
    bound("number of steps in the proof", receipt.proof.len(), MAX_PROOF)?;
    bound("number of service_endorsements", receipt.service_endorsements.len(), MAX_ENDORSEMENTS)
}

fn node_certificate(receipt: &Receipt) -> Result<Certificate, LedgerError> {
    let certificate = Certificate::from_pem(&receipt.cert)?;
    let id = certificate.public_key()?.id();
    if id != receipt.node_id {
        return Err(LedgerError::differs("node_id", id, &receipt.node_id));
    }
    Ok(certificate)
}

fn verify_chain(node: Certificate, receipt: &Receipt, service: &Certificate) -> Result<(), ReceiptError> {
    let mut issued = (String::from("the certificate of the node"), node);
    for (index, pem) in receipt.service_endorsements.iter().enumerate() {
        let issuer = Certificate::from_pem(pem).map_err(|source| ReceiptError::Endorsement { index, source })?;
        let issuer = (format!("service endorsement {index}"), issuer);
        check_issued(&issued, &issuer)?;
        issued = issuer;
    }
    check_issued(&issued, &(String::from("the service"), service.clone()))
}

fn check_issued(issued: &(String, Certificate), issuer: &(String, Certificate)) -> Result<(), ReceiptError> {
    issued.1.verify_issued_by(&issuer.1).map_err(|source| ReceiptError::Chain {
        issued: issued.0.clone(),
        issuer: issuer.0.clone(),
        source,
    })
}

#[cfg(test)]
mod tests;
