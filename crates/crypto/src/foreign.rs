use aws_lc_rs::signature::{self, RsaParameters, UnparsedPublicKey};
use x509_parser::{
    oid_registry,
    prelude::FromDer,
    signature_algorithm::{RsaSsaPssParams, SignatureAlgorithm},
    x509::{AlgorithmIdentifier, SubjectPublicKeyInfo},
};

use crate::{CryptoError, PublicKey, Result};

/// A hash function of a signature scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// How somebody outside the service signs: makers of processors, firmware and operating systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 8017, section 8.1), with MGF1 over the same hash and a salt as long as the hash.
    RsaPss(Hash),
    /// ECDSA; the signature is DER.
    Ecdsa(Hash),
    /// ECDSA with the hash of the curve; the signature is r ‖ s.
    EcdsaFixed,
}

/// A public key of somebody outside the service: RSA of 2048 to 8192 bits, or ECDSA on P-256, P-384 or P-521.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    spki: Vec<u8>,
    curve: Option<PublicKey>,
}

impl ForeignKey {
    /// A key from SubjectPublicKeyInfo DER (RFC 5280).
    ///
    /// # Errors
    /// [`CryptoError::Key`] if it is of another kind. The size of an RSA key is looked at when it verifies.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|why| CryptoError::key("public key", why))?;
        if !rest.is_empty() {
            return Err(CryptoError::key("public key", "bytes behind the key"));
        }
        let is_rsa = info.algorithm.algorithm == oid_registry::OID_PKCS1_RSAENCRYPTION;
        let curve = if is_rsa { None } else { Some(PublicKey::from_spki_der(der)?) };
        Ok(Self { spki: der.to_vec(), curve })
    }

    /// SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key as one of the service's own kind, if it is on a curve.
    #[must_use]
    pub fn as_ecdsa(&self) -> Option<&PublicKey> {
        self.curve.as_ref()
    }

    /// Checks a signature. A key is only good for the schemes of its kind.
    ///
    /// # Errors
    /// [`CryptoError::Signature`]
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<()> {
        match (&self.curve, scheme) {
            (None, Scheme::RsaPkcs1(hash)) => self.verify_rsa(pkcs1(hash), message, signature),
            (None, Scheme::RsaPss(hash)) => self.verify_rsa(pss(hash), message, signature),
            (Some(key), Scheme::Ecdsa(hash)) => key.verify_der(bits(hash), message, signature),
            (Some(key), Scheme::EcdsaFixed) => key.verify(message, signature),
            _ => Err(CryptoError::Signature),
        }
    }

    fn verify_rsa(&self, parameters: &'static RsaParameters, message: &[u8], signature: &[u8]) -> Result<()> {
        let key = UnparsedPublicKey::new(parameters, &self.spki);
        key.verify(message, signature).map_err(|_| CryptoError::Signature)
    }
}

/// The scheme that an X.509 signature algorithm names.
pub(crate) fn scheme_of(algorithm: &AlgorithmIdentifier<'_>) -> Result<Scheme> {
    let unknown = || CryptoError::Certificate(format!("unknown signature algorithm {}", algorithm.algorithm));
    match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.11" => Ok(Scheme::RsaPkcs1(Hash::Sha256)),
        "1.2.840.113549.1.1.12" => Ok(Scheme::RsaPkcs1(Hash::Sha384)),
        "1.2.840.113549.1.1.13" => Ok(Scheme::RsaPkcs1(Hash::Sha512)),
        "1.2.840.10045.4.3.2" => Ok(Scheme::Ecdsa(Hash::Sha256)),
        "1.2.840.10045.4.3.3" => Ok(Scheme::Ecdsa(Hash::Sha384)),
        "1.2.840.10045.4.3.4" => Ok(Scheme::Ecdsa(Hash::Sha512)),
        _ => match SignatureAlgorithm::try_from(algorithm) {
            Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) => pss_scheme(&parameters).ok_or_else(unknown),
            _ => Err(unknown()),
        },
    }
}

/// RFC 4055, section 3.1, as far as it is what [`Scheme::RsaPss`] says.
fn pss_scheme(parameters: &RsaSsaPssParams<'_>) -> Option<Scheme> {
    let (hash, salt) = match parameters.hash_algorithm_oid().to_id_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => (Hash::Sha256, 32),
        "2.16.840.1.101.3.4.2.2" => (Hash::Sha384, 48),
        "2.16.840.1.101.3.4.2.3" => (Hash::Sha512, 64),
        _ => return None,
    };
    let mask = parameters.mask_gen_algorithm().ok()?;
    let same = mask.mgf.to_id_string() == "1.2.840.113549.1.1.8" && mask.hash == *parameters.hash_algorithm_oid();
    (same && parameters.salt_length() == salt && parameters.trailer_field() == 1).then_some(Scheme::RsaPss(hash))
}

fn pkcs1(hash: Hash) -> &'static RsaParameters {
    match hash {
        Hash::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Hash::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
    }
}

fn pss(hash: Hash) -> &'static RsaParameters {
    match hash {
        Hash::Sha256 => &signature::RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &signature::RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &signature::RSA_PSS_2048_8192_SHA512,
    }
}

fn bits(hash: Hash) -> u16 {
    match hash {
        Hash::Sha256 => 256,
        Hash::Sha384 => 384,
        Hash::Sha512 => 512,
    }
}
