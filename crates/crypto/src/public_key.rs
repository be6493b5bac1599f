use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, ParsedPublicKey, UnparsedPublicKey};
use x509_parser::{oid_registry, prelude::FromDer, x509::SubjectPublicKeyInfo};

use crate::{CryptoError, Curve, Digest, Result, certificate::encode_pem, ecdsa_der, pem_text, sha256};

// SubjectPublicKeyInfo (RFC 5480) of an uncompressed point, up to the point itself.
const P256_PREFIX: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const P384_PREFIX: &str = "3076301006072a8648ce3d020106052b81040022036200";
const P521_PREFIX: &str = "30819b301006072a8648ce3d020106052b8104002303818600";

/// An ECDSA public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    curve: Curve,
    spki: Vec<u8>,
    point: Vec<u8>,
}

impl PublicKey {
    /// A key from SubjectPublicKeyInfo DER (RFC 5480).
    ///
    /// # Errors
    /// [`CryptoError::Key`] if it is not an ECDSA key on P-256, P-384 or P-521.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|why| CryptoError::key("public key", why))?;
        if !rest.is_empty() {
            return Err(CryptoError::key("public key", "bytes behind the key"));
        }
        let oid = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        let curve = match oid {
            Some(oid) if oid == oid_registry::OID_EC_P256 => Curve::P256,
            Some(oid) if oid == oid_registry::OID_NIST_EC_P384 => Curve::P384,
            Some(oid) if oid == oid_registry::OID_NIST_EC_P521 => Curve::P521,
            _ => return Err(CryptoError::key("public key", "not an ECDSA key on P-256, P-384 or P-521")),
        };
        Self::from_point(curve, &info.subject_public_key.data)
    }

    /// A key from PEM (`PUBLIC KEY`).
    ///
    /// # Errors
    /// As [`Self::from_spki_der`].
    pub fn from_pem(text: &str) -> Result<Self> {
        let block = pem_text::first(text).map_err(|why| CryptoError::key("public key", why))?;
        match block.tag() {
            "PUBLIC KEY" => Self::from_spki_der(block.contents()),
            tag => Err(CryptoError::key("public key", format!("PEM block is a {tag:?}"))),
        }
    }

    pub(crate) fn from_point(curve: Curve, point: &[u8]) -> Result<Self> {
        let (prefix, length) = match curve {
            Curve::P256 => (P256_PREFIX, 65),
            Curve::P384 => (P384_PREFIX, 97),
            Curve::P521 => (P521_PREFIX, 133),
        };
        if point.len() != length || point.first() != Some(&4) {
            return Err(CryptoError::key("public key", "not an uncompressed point of its curve"));
        }
        let mut spki = hex::decode(prefix).map_err(|why| CryptoError::key("public key", why))?;
        spki.extend_from_slice(point);
        Ok(Self { curve, spki, point: point.to_vec() })
    }

    /// A key from the coordinates of its point, each of the full length of the curve.
    pub(crate) fn from_coordinates(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self> {
        if x.len() != y.len() {
            return Err(CryptoError::key("public key", "coordinates of different lengths"));
        }
        let key = Self::from_point(curve, &[&[4], x, y].concat())?;
        key.check_point()?;
        Ok(key)
    }

    /// Checks that the point is on its curve, which its first use does otherwise.
    pub(crate) fn check_point(&self) -> Result<()> {
        let parsed = ParsedPublicKey::new(self.algorithm(), &self.point);
        parsed.map(|_| ()).map_err(|_| CryptoError::key("public key", "a point that is not on its curve"))
    }

    /// The uncompressed point (SEC 1).
    pub(crate) fn point(&self) -> &[u8] {
        &self.point
    }

    /// SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// SHA-256 of the SPKI DER in hex: the id of a node, the `kid` of ledger signatures.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(sha256(&self.spki))
    }

    /// The key as PEM (`PUBLIC KEY`).
    #[must_use]
    pub fn to_pem(&self) -> String {
        encode_pem(&pem::Pem::new("PUBLIC KEY", self.spki.clone()))
    }

    /// Checks a signature of the form r ‖ s over a message, with the hash of the curve.
    ///
    /// # Errors
    /// [`CryptoError::Signature`]
    pub fn verify(&self, message: &[u8], raw: &[u8]) -> Result<()> {
        self.with(self.algorithm()).verify(message, raw).map_err(|_| CryptoError::Signature)
    }

    /// Checks a DER signature over a 32-byte digest that was signed as it is.
    ///
    /// # Errors
    /// [`CryptoError::Signature`]
    pub fn verify_digest_der(&self, root: &Digest, der: &[u8]) -> Result<()> {
        let algorithm = match self.curve {
            Curve::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            Curve::P384 => &signature::ECDSA_P384_SHA384_ASN1,
            Curve::P521 => &signature::ECDSA_P521_SHA512_ASN1,
        };
        self.with(algorithm).verify_digest(&self.curve.prehashed(root)?, der).map_err(|_| CryptoError::Signature)
    }

    /// Checks a signature of the form r ‖ s with a hash that need not be that of the curve.
    pub(crate) fn verify_fixed(&self, hash_bits: u16, message: &[u8], raw: &[u8]) -> Result<()> {
        let der = ecdsa_der::of_fixed(raw, self.point.len() / 2).ok_or(CryptoError::Signature)?;
        self.verify_der(hash_bits, message, &der)
    }

    pub(crate) fn verify_der(&self, hash_bits: u16, message: &[u8], der: &[u8]) -> Result<()> {
        let algorithm = match (self.curve, hash_bits) {
            (Curve::P256, 256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Curve::P256, 384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Curve::P256, 512) => &signature::ECDSA_P256_SHA512_ASN1,
            (Curve::P384, 256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Curve::P384, 384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Curve::P384, 512) => &signature::ECDSA_P384_SHA512_ASN1,
            (Curve::P521, 256) => &signature::ECDSA_P521_SHA256_ASN1,
            (Curve::P521, 384) => &signature::ECDSA_P521_SHA384_ASN1,
            (Curve::P521, 512) => &signature::ECDSA_P521_SHA512_ASN1,
            _ => return Err(CryptoError::Signature),
        };
        self.with(algorithm).verify(message, der).map_err(|_| CryptoError::Signature)
    }

    /// What goes with the curve, for signatures of the form r ‖ s.
    fn algorithm(&self) -> &'static EcdsaVerificationAlgorithm {
        match self.curve {
            Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
            Curve::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        }
    }

    fn with(&self, algorithm: &'static EcdsaVerificationAlgorithm) -> UnparsedPublicKey<&[u8]> {
        UnparsedPublicKey::new(algorithm, &self.point)
    }
}
