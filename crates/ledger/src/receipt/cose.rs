use coset::{
    CoseSign1, Label, TaggedCborSerializable,
    cbor::{self, Value},
};
use crypto::{Certificate, Digest, cose};

use super::{Components, MAX_PROOF, evidence_tx_id};
use crate::{
    LedgerError,
    merkle::{Step, fold},
};

/// Header of CCF's verifiable data structure, and its value for a CCF ledger.
const VDS: (i64, i64) = (395, 2);
/// Header of proofs about it, and the label of inclusion proofs in there.
const VDP: (i64, i64) = (396, -1);
const LEAF: i64 = 1;
const PATH: i64 = 2;

/// A COSE receipt (CCF profile): the service's signature over the root with an inclusion proof in its unprotected
/// header. `signature` is the COSE message of the signature transaction that covers the transaction.
///
/// # Errors
/// `signature` is not a COSE_Sign1 message, or the transaction has no claims digest (types 0 and 3).
pub fn cose_receipt(signature: &[u8], components: &Components, proof: &[Step]) -> Result<Vec<u8>, LedgerError> {
    let missing = || LedgerError::malformed("claims digest", "a COSE receipt needs one");
    let claims = components.claims_digest.as_ref().ok_or_else(missing)?;
    let path: Vec<(bool, Digest)> = proof
        .iter()
        .map(|step| match step {
            Step::Left(sibling) => (true, *sibling),
            Step::Right(sibling) => (false, *sibling),
        })
        .collect();
    let Components { write_set_digest, commit_evidence, .. } = components;
    Ok(cose::attach_proof(signature, write_set_digest, commit_evidence, claims, &path)?)
}

/// What a good COSE receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoseReceipt {
    /// The transaction.
    pub tx_id: kv::TxId,
    /// The signed Merkle root.
    pub root: Digest,
    /// The digest of the application's claims; zeros for none.
    pub claims_digest: Digest,
}

/// Checks a COSE receipt against the certificate of the service that signed it.
///
/// # Errors
/// A header that is missing or different, a malformed or second proof, or a signature that is not by the service over
/// the root that the proof leads to.
pub fn verify_cose_receipt(receipt: &[u8], service: &Certificate) -> Result<CoseReceipt, LedgerError> {
    let malformed = |reason: String| LedgerError::malformed("COSE receipt", reason);
    let message = CoseSign1::from_tagged_slice(receipt).map_err(|error| malformed(error.to_string()))?;
    let header = |headers: &coset::Header, label| {
        headers.rest.iter().find(|(found, _)| *found == Label::Int(label)).map(|(_, value)| value.clone())
    };
    if header(&message.protected.header, VDS.0) != Some(Value::from(VDS.1)) {
        return Err(LedgerError::differs("header 395 of the COSE receipt", VDS.1, "missing or something else"));
    }
    let key = service.public_key()?;
    let kid = String::from_utf8_lossy(&message.protected.header.key_id).into_owned();
    if kid != key.id() {
        return Err(LedgerError::differs("kid of the COSE receipt", key.id(), kid));
    }
    let proof = header(&message.unprotected, VDP.0).and_then(only_proof);
    let proof = proof.ok_or_else(|| malformed("header 396 must hold exactly one inclusion proof".into()))?;
    let (components, steps) = parse_proof(&proof).ok_or_else(|| malformed("the inclusion proof".into()))?;
    let root = fold(components.leaf(), &steps);
    cose::Sign1::from_bytes(receipt)?.verify_detached(&root, &key)?;
    let tx_id = evidence_tx_id(&components.commit_evidence)?;
    Ok(CoseReceipt { tx_id, root, claims_digest: components.claims_digest.unwrap_or_default() })
}

fn only_proof(proofs: Value) -> Option<Vec<u8>> {
    let list = field(proofs.as_map()?, VDP.1)?.as_array()?;
    if let [proof] = list.as_slice() { proof.as_bytes().cloned() } else { None }
}

fn parse_proof(bytes: &[u8]) -> Option<(Components, Vec<Step>)> {
    let mut rest = bytes;
    let proof: Value = cbor::de::from_reader(&mut rest).ok()?;
    let fields = proof.as_map().filter(|_| rest.is_empty())?;
    let [write_set, evidence, claims] = field(fields, LEAF)?.as_array()?.as_slice() else { return None };
    let components = Components {
        write_set_digest: digest(write_set)?,
        commit_evidence: evidence.as_text()?.to_owned(),
        claims_digest: Some(digest(claims)?),
    };
    let path = field(fields, PATH)?.as_array().filter(|path| path.len() <= MAX_PROOF)?;
    Some((components, path.iter().map(step).collect::<Option<_>>()?))
}

fn step(value: &Value) -> Option<Step> {
    let [left, sibling] = value.as_array()?.as_slice() else { return None };
    let sibling = digest(sibling)?;
    Some(if left.as_bool()? { Step::Left(sibling) } else { Step::Right(sibling) })
}

fn digest(value: &Value) -> Option<Digest> {
    value.as_bytes()?.as_slice().try_into().ok()
}

fn field(map: &[(Value, Value)], label: i64) -> Option<&Value> {
    map.iter().find(|(found, _)| *found == Value::from(label)).map(|(_, value)| value)
}
