//! COSE_Sign1 (RFC 9052): what members sign and what the service signs.

mod foreign;

use coset::{
    CoseSign1, CoseSign1Builder, HeaderBuilder, Label, RegisteredLabelWithPrivate, TaggedCborSerializable,
    cbor::value::Value, iana,
};

use crate::{CryptoError, Curve, Digest, PublicKey, Result, SigningKey};

/// The label of CCF's "verifiable data structure" header, and its value for a CCF ledger.
const VDS: (i64, i64) = (395, 2);
/// CWT claims in the protected header (RFC 9597).
const CWT_CLAIMS: i64 = 15;
const ISS: i64 = 1;
const SUB: i64 = 2;
const IAT: i64 = 6;

/// A received message. The protected header is kept as it came, so verification is over the original bytes.
#[derive(Debug, Clone)]
pub struct Sign1 {
    inner: CoseSign1,
}

impl Sign1 {
    /// Decodes a message, which must carry tag 18 and nothing behind it.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] that says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let inner = CoseSign1::from_tagged_slice(bytes).map_err(|why| CryptoError::Cose(why.to_string()))?;
        Ok(Self { inner })
    }

    /// Whether `bytes` are this message in the one form in which this crate and CCF write it. (CBOR knows several for the
    /// parts that the signature does not cover.)
    #[must_use]
    pub fn is_encoded_as(&self, bytes: &[u8]) -> bool {
        encode(self.inner.clone()).is_ok_and(|encoded| encoded == bytes)
    }

    /// The algorithm of the protected header, if it is one of the IANA registry.
    #[must_use]
    pub fn algorithm(&self) -> Option<i64> {
        match self.inner.protected.header.alg.as_ref()? {
            RegisteredLabelWithPrivate::Assigned(algorithm) => Some(iana::EnumI64::to_i64(algorithm)),
            RegisteredLabelWithPrivate::PrivateUse(number) => Some(*number),
            RegisteredLabelWithPrivate::Text(_) => None,
        }
    }

    /// The key id; `None` if absent or empty.
    #[must_use]
    pub fn kid(&self) -> Option<&[u8]> {
        let kid = &self.inner.protected.header.key_id;
        (!kid.is_empty()).then_some(kid.as_slice())
    }

    /// A protected header with a text label.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Value> {
        let wanted = Label::Text(name.to_owned());
        self.inner.protected.header.rest.iter().find(|(label, _)| *label == wanted).map(|(_, value)| value)
    }

    /// A protected header with a text label and a text value.
    #[must_use]
    pub fn text_header(&self, name: &str) -> Option<&str> {
        self.header(name)?.as_text()
    }

    /// A protected header with a text label and an integer value.
    #[must_use]
    pub fn int_header(&self, name: &str) -> Option<i64> {
        self.header(name)?.as_integer()?.try_into().ok()
    }

    /// The payload; `None` if it is detached.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        self.inner.payload.as_deref()
    }

    /// The bytes that are signed, of a message that carries its payload (`Sig_structure`, RFC 9052, section 4.4).
    #[must_use]
    pub fn signed(&self) -> Vec<u8> {
        self.inner.tbs_data(b"")
    }

    /// The signature, r ‖ s.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.inner.signature
    }

    /// Checks the signature of a message that carries its payload.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] if it does not carry it or the algorithm is not the key's, [`CryptoError::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<()> {
        self.check_algorithm(key)?;
        if self.inner.payload.is_none() {
            return Err(CryptoError::Cose("the payload is detached".into()));
        }
        self.inner.verify_signature(b"", |signature, data| key.verify(data, signature))
    }

    /// Checks the signature of a message whose payload is elsewhere.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_detached(&self, payload: &[u8], key: &PublicKey) -> Result<()> {
        self.check_algorithm(key)?;
        if self.inner.payload.is_some() {
            return Err(CryptoError::Cose("the payload is not detached".into()));
        }
        self.inner.verify_detached_signature(payload, b"", |signature, data| key.verify(data, signature))
    }

    fn check_algorithm(&self, key: &PublicKey) -> Result<()> {
        let wanted = iana::EnumI64::to_i64(&algorithm(key.curve()));
        match self.algorithm() {
            Some(found) if found == wanted => Ok(()),
            found => Err(CryptoError::Cose(format!("alg is {found:?}, the key is for {wanted}"))),
        }
    }
}

fn algorithm(curve: Curve) -> iana::Algorithm {
    match curve {
        Curve::P256 => iana::Algorithm::ES256,
        Curve::P384 => iana::Algorithm::ES384,
        Curve::P521 => iana::Algorithm::ES512,
    }
}

/// A request of a member to the governance API: `kid` is the member id, `kind` the message type (`proposal`, `ballot`,
/// `ack`, …), `created_at` seconds since 1970.
///
/// # Errors
/// If signing fails.
pub fn sign_governance(
    key: &SigningKey,
    kid: &str,
    kind: &str,
    created_at: i64,
    proposal_id: Option<&str>,
    payload: &[u8],
) -> Result<Vec<u8>> {
    let mut header = HeaderBuilder::new()
        .algorithm(algorithm(key.curve()))
        .key_id(kid.as_bytes().to_vec())
        .text_value("ccf.gov.msg.type".into(), Value::from(kind));
    if let Some(id) = proposal_id {
        header = header.text_value("ccf.gov.msg.proposal_id".into(), Value::from(id));
    }
    let header = header.text_value("ccf.gov.msg.created_at".into(), Value::from(created_at)).build();
    let message = CoseSign1Builder::new()
        .protected(header)
        .payload(payload.to_vec())
        .try_create_signature(b"", |data| key.sign(data))?
        .build();
    encode(message)
}

/// The service's signature over a Merkle root, as it stands in each signature transaction (detached payload).
///
/// # Errors
/// If signing fails.
pub fn sign_ledger_root(
    key: &SigningKey,
    root: &Digest,
    txid: &str,
    issued_at: i64,
    issuer: &str,
    subject: &str,
) -> Result<Vec<u8>> {
    let claims = vec![
        (Value::from(IAT), Value::from(issued_at)),
        (Value::from(ISS), Value::from(issuer)),
        (Value::from(SUB), Value::from(subject)),
    ];
    let header = HeaderBuilder::new()
        .algorithm(algorithm(key.curve()))
        .key_id(key.public().id().into_bytes())
        .value(VDS.0, Value::from(VDS.1))
        .value(CWT_CLAIMS, Value::Map(claims))
        .text_value("ccf.v1".into(), Value::Map(vec![(Value::from("txid"), Value::from(txid))]))
        .build();
    let message = CoseSign1Builder::new()
        .protected(header)
        .try_create_detached_signature(root, b"", |data| key.sign(data))?
        .build();
    encode(message)
}

/// The endorsement of a service identity by the current one: the payload is the endorsed key, `epoch` names the first
/// transaction that the endorsed identity stands for and, unless it is the current one, the last with its root.
///
/// # Errors
/// If signing fails.
pub fn endorse_identity(
    key: &SigningKey,
    endorsed: &PublicKey,
    issued_at: i64,
    epoch_start: &str,
    epoch_end: Option<(&str, &Digest)>,
) -> Result<Vec<u8>> {
    let mut epoch = vec![(Value::from("epoch.start.txid"), Value::from(epoch_start))];
    if let Some((txid, root)) = epoch_end {
        epoch.push((Value::from("epoch.end.txid"), Value::from(txid)));
        epoch.push((Value::from("epoch.end.merkle.root"), Value::Bytes(root.to_vec())));
    }
    let header = HeaderBuilder::new()
        .algorithm(algorithm(key.curve()))
        .value(CWT_CLAIMS, Value::Map(vec![(Value::from(IAT), Value::from(issued_at))]))
        .text_value("ccf.v1".into(), Value::Map(epoch))
        .build();
    let message = CoseSign1Builder::new()
        .protected(header)
        .payload(endorsed.spki_der().to_vec())
        .try_create_signature(b"", |data| key.sign(data))?
        .build();
    encode(message)
}

/// A path from a leaf to the root: for each step whether the sibling stands on the left, and its hash.
pub type MerklePath = [(bool, Digest)];

/// Adds an inclusion proof to a ledger signature, which makes it a COSE receipt (CCF profile, header 396).
///
/// # Errors
/// [`CryptoError::Cose`] if the signature cannot be decoded.
pub fn attach_proof(
    ledger_signature: &[u8],
    write_set_digest: &Digest,
    commit_evidence: &str,
    claims_digest: &Digest,
    path: &MerklePath,
) -> Result<Vec<u8>> {
    let mut message = Sign1::from_bytes(ledger_signature)?.inner;
    let bytes = |digest: &Digest| Value::Bytes(digest.to_vec());
    let leaf = Value::Array(vec![bytes(write_set_digest), Value::from(commit_evidence), bytes(claims_digest)]);
    let steps = path.iter().map(|(left, hash)| Value::Array(vec![Value::Bool(*left), bytes(hash)])).collect();
    let proof = Value::Map(vec![(Value::from(1), leaf), (Value::from(2), Value::Array(steps))]);
    let mut encoded = Vec::new();
    coset::cbor::ser::into_writer(&proof, &mut encoded).map_err(|why| CryptoError::Cose(why.to_string()))?;
    let proofs = Value::Map(vec![(Value::from(-1), Value::Array(vec![Value::Bytes(encoded)]))]);
    message.unprotected.rest.push((Label::Int(396), proofs));
    encode(message)
}

fn encode(message: CoseSign1) -> Result<Vec<u8>> {
    message.to_tagged_vec().map_err(|why| CryptoError::Cose(why.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_bytes_of_the_reference_tool() {
        let key = SigningKey::generate(Curve::P384).unwrap();
        let kid = "ab".repeat(32);
        let bytes = sign_governance(&key, &kid, "proposal", 0x666d_8240, None, br#"{"actions":[]}"#).unwrap();
        let expected = [
            "d28458 7d a4 01 3822 04 5840",
            &hex::encode(&kid),
            "70",
            &hex::encode("ccf.gov.msg.type"),
            "68",
            &hex::encode("proposal"),
            "76",
            &hex::encode("ccf.gov.msg.created_at"),
            "1a666d8240 a0 4e",
            &hex::encode(r#"{"actions":[]}"#),
            "5860",
        ]
        .concat()
        .replace(' ', "");
        assert_eq!(hex::encode(&bytes[..bytes.len() - 96]), expected);
        let message = Sign1::from_bytes(&bytes).unwrap();
        message.verify(key.public()).unwrap();
        assert_eq!(message.kid(), Some(kid.as_bytes()));
        assert_eq!(message.text_header("ccf.gov.msg.type"), Some("proposal"));
        assert_eq!(message.int_header("ccf.gov.msg.created_at"), Some(0x666d_8240));
    }

    #[test]
    fn changes_and_strangers_are_refused() {
        let key = SigningKey::generate(Curve::P256).unwrap();
        let bytes = sign_governance(&key, "k", "ballot", 1, Some("p"), b"payload").unwrap();
        let other = SigningKey::generate(Curve::P256).unwrap();
        assert!(Sign1::from_bytes(&bytes).unwrap().verify(other.public()).is_err());
        assert!(Sign1::from_bytes(&bytes[1..]).is_err(), "untagged");
        assert!(Sign1::from_bytes(&[&bytes[..], &[0]].concat()).is_err(), "trailing");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let verified = Sign1::from_bytes(&changed).and_then(|message| message.verify(key.public()));
            assert!(verified.is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_ledger_signature_is_detached() {
        let key = SigningKey::generate(Curve::P384).unwrap();
        let root = crate::sha256(b"root");
        let bytes = sign_ledger_root(&key, &root, "2.2", 0x666d_8240, "example.com", "ledger.sig").unwrap();
        assert!(hex::encode(&bytes).starts_with("d284587da5013822045840"));
        let message = Sign1::from_bytes(&bytes).unwrap();
        message.verify_detached(&root, key.public()).unwrap();
        assert!(message.verify_detached(&crate::sha256(b"other"), key.public()).is_err());
        let receipt = attach_proof(&bytes, &root, "ce:2.2:00", &[0; 32], &[(true, root)]).unwrap();
        Sign1::from_bytes(&receipt).unwrap().verify_detached(&root, key.public()).unwrap();
    }
}
