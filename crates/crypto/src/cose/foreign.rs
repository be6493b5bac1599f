//! COSE_Sign1 messages of outsiders, which carry the certificates of their signers.

use coset::{Label, cbor::value::Value};

use super::Sign1;
use crate::{CryptoError, ForeignKey, Hash, Result, Scheme};

/// The protected header with the chain of certificates (RFC 9360, `x5chain`).
const X5CHAIN: i64 = 33;

impl Sign1 {
    /// The certificates of the protected header (RFC 9360), DER, the signer's first. `None` if there is no such header or
    /// it is something else.
    #[must_use]
    pub fn x5chain(&self) -> Option<Vec<&[u8]>> {
        let mut values = self.inner.protected.header.rest.iter().filter(|(label, _)| *label == Label::Int(X5CHAIN));
        let (_, value) = values.next()?;
        match value {
            Value::Bytes(one) => Some(vec![one]),
            Value::Array(many) => many.iter().map(|one| one.as_bytes().map(Vec::as_slice)).collect(),
            _ => None,
        }
    }

    /// What the protected header says about the payload (RFC 9052, `content type`), if it is text.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        match self.inner.protected.header.content_type.as_ref()? {
            coset::RegisteredLabel::Text(text) => Some(text),
            coset::RegisteredLabel::Assigned(_) => None,
        }
    }

    /// Whether the message demands that its receiver understands certain headers (RFC 9052, `crit`).
    #[must_use]
    pub fn has_critical_headers(&self) -> bool {
        !self.inner.protected.header.crit.is_empty()
    }

    /// Checks the signature of a message that carries its payload and is signed with RSASSA-PSS (RFC 8230) or ECDSA.
    ///
    /// # Errors
    /// [`CryptoError::Cose`] if the payload is detached or the algorithm is another one, [`CryptoError::Signature`].
    pub fn verify_foreign(&self, key: &ForeignKey) -> Result<()> {
        let scheme = match self.algorithm() {
            Some(-37) => Scheme::RsaPss(Hash::Sha256),
            Some(-38) => Scheme::RsaPss(Hash::Sha384),
            Some(-39) => Scheme::RsaPss(Hash::Sha512),
            Some(-7 | -35 | -36) => {
                return key.as_ecdsa().ok_or(CryptoError::Signature).and_then(|key| self.verify(key));
            }
            other => return Err(CryptoError::Cose(format!("alg {other:?} is none that is known here"))),
        };
        if self.inner.payload.is_none() {
            return Err(CryptoError::Cose("the payload is detached".into()));
        }
        self.inner.verify_signature(b"", |signature, data| key.verify(scheme, data, signature))
    }
}
