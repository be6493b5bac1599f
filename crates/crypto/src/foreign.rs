use aws_lc_rs::{
    rand::SystemRandom,
    signature::{self, RsaKeyPair, RsaParameters, UnparsedPublicKey, VerificationAlgorithm},
};
use x509_parser::{
    signature_algorithm::{RsaSsaPssParams, SignatureAlgorithm},
    x509::AlgorithmIdentifier,
};

use crate::{
    Certificate, CryptoError, Curve, PublicKey, Result,
    jwk::{KeyParts, OkpCurve},
    pem_text,
};

/// The sizes of RSA keys that are taken, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

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

/// How somebody outside the service signs: makers of processors, firmware and operating systems, issuers of tokens, and
/// whoever the consortium's rules ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 8017, section 8.1), with MGF1 over the same hash and a salt as long as the hash.
    RsaPss(Hash),
    /// ECDSA; the signature is DER.
    Ecdsa(Hash),
    /// ECDSA on this curve; the signature is r ‖ s.
    EcdsaFixed(Curve, Hash),
    /// EdDSA on Ed25519 (RFC 8032).
    Ed25519,
}

impl Scheme {
    /// `RS256` of tokens (RFC 7518, section 3.3).
    pub const RS256: Self = Self::RsaPkcs1(Hash::Sha256);
    /// `ES256` of tokens (RFC 7518, section 3.4).
    pub const ES256: Self = Self::EcdsaFixed(Curve::P256, Hash::Sha256);
}

/// A public key of somebody outside the service: RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    kind: Kind,
    spki: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec(PublicKey),
    Ed25519([u8; 32]),
}

impl ForeignKey {
    /// A key from SubjectPublicKeyInfo DER (RFC 5280).
    ///
    /// # Errors
    /// [`CryptoError::Key`] if it is of another kind or size.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        match KeyParts::from_spki_der(der)? {
            KeyParts::Rsa { n, e } => Self::from_rsa(&n, &e),
            KeyParts::Ec { curve, x, y } => Self::from_ec(curve, &x, &y),
            KeyParts::Okp { curve: OkpCurve::Ed25519, x } => Ok(Self { kind: Kind::Ed25519(x), spki: der.to_vec() }),
            KeyParts::Okp { curve: OkpCurve::X25519, .. } => Err(misfit()),
        }
    }

    /// A key from PEM: `PUBLIC KEY`, or the certificate that it stands in, which is not checked beyond that.
    ///
    /// # Errors
    /// [`CryptoError::Key`] as [`Self::from_spki_der`], or [`CryptoError::Certificate`].
    pub fn from_pem(text: &str) -> Result<Self> {
        let block = pem_text::first(text).map_err(|why| CryptoError::key("public key", why))?;
        match block.tag() {
            "CERTIFICATE" => Certificate::from_der(block.contents())?.foreign_key(),
            "PUBLIC KEY" => Self::from_spki_der(block.contents()),
            tag => Err(CryptoError::key("public key", format!("PEM block is a {tag:?}"))),
        }
    }

    /// An RSA key from its modulus and exponent, big-endian (JWK `n` and `e`).
    ///
    /// # Errors
    /// [`CryptoError::Key`] if the modulus has not from 2048 to 8192 bits, or the exponent is not odd, from 3 to 2^33 - 1.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        let (n, e) = (without_zeros(modulus), without_zeros(exponent));
        let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            let why = format!("an RSA key of {bits} bits; it must have {} to {}", RSA_BITS.start(), RSA_BITS.end());
            return Err(CryptoError::key("public key", why));
        }
        if n.last().is_none_or(|last| last % 2 == 0) {
            return Err(CryptoError::key("public key", "an RSA modulus is odd"));
        }
        if !is_exponent(e) {
            return Err(CryptoError::key("public key", "an RSA exponent is odd, from 3 to 2^33 - 1"));
        }
        let spki = KeyParts::Rsa { n: n.to_vec(), e: e.to_vec() }.to_spki_der()?;
        Ok(Self { kind: Kind::Rsa, spki })
    }

    /// A key on a curve from its coordinates, big-endian and of the full length of the curve (JWK `x` and `y`).
    ///
    /// # Errors
    /// [`CryptoError::Key`] for coordinates of another length or a point that is not on the curve.
    pub fn from_ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self> {
        let key = PublicKey::from_coordinates(curve, x, y)?;
        let spki = key.spki_der().to_vec();
        Ok(Self { kind: Kind::Ec(key), spki })
    }

    /// SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The key as one of the service's own kind, if it is on a curve of ECDSA.
    #[must_use]
    pub fn as_ecdsa(&self) -> Option<&PublicKey> {
        match &self.kind {
            Kind::Ec(key) => Some(key),
            _ => None,
        }
    }

    /// Whether it is an RSA key.
    #[must_use]
    pub fn is_rsa(&self) -> bool {
        self.kind == Kind::Rsa
    }

    /// Checks a signature. A key is only good for the schemes of its kind and curve.
    ///
    /// # Errors
    /// [`CryptoError::Signature`], or [`CryptoError::Key`] if the key is not for signatures of this scheme.
    pub fn verify(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> Result<()> {
        match (&self.kind, scheme) {
            (Kind::Rsa, Scheme::RsaPkcs1(hash)) => verify(pkcs1(hash), &self.spki, message, signature),
            (Kind::Rsa, Scheme::RsaPss(hash)) => verify(pss(hash), &self.spki, message, signature),
            (Kind::Ec(key), Scheme::Ecdsa(hash)) => key.verify_der(bits(hash), message, signature),
            (Kind::Ec(key), Scheme::EcdsaFixed(curve, hash)) if key.curve() == curve => {
                key.verify_fixed(bits(hash), message, signature)
            }
            (Kind::Ed25519(key), Scheme::Ed25519) => verify(&signature::ED25519, key, message, signature),
            _ => Err(misfit()),
        }
    }
}

fn misfit() -> CryptoError {
    CryptoError::key("public key", "not for signatures of this kind")
}

fn verify(algorithm: &'static dyn VerificationAlgorithm, key: &[u8], message: &[u8], signature: &[u8]) -> Result<()> {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).map_err(|_| CryptoError::Signature)
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// What the provider verifies with: odd, 2 to 33 bits.
fn is_exponent(e: &[u8]) -> bool {
    let value = e.iter().try_fold(0_u64, |value, byte| value.checked_mul(256).map(|value| value + u64::from(*byte)));
    value.is_some_and(|value| value % 2 == 1 && (3..1 << 33).contains(&value))
}

/// Signs as [`Scheme::RS256`] with an RSA key (PEM, PKCS#8): what issuers of tokens do, for tests of those who verify.
///
/// # Errors
/// [`CryptoError::Key`] or [`CryptoError::Signing`].
pub fn sign_rs256(private_key_pem: &str, message: &[u8]) -> Result<Vec<u8>> {
    let block = pem_text::first(private_key_pem).map_err(|why| CryptoError::key("RSA private key", why))?;
    let key = RsaKeyPair::from_pkcs8(block.contents()).map_err(|why| CryptoError::key("RSA private key", why))?;
    let mut signed = vec![0; key.public_modulus_len()];
    let padding = &signature::RSA_PKCS1_SHA256;
    key.sign(padding, &SystemRandom::new(), message, &mut signed).map_err(|_| CryptoError::Signing)?;
    Ok(signed)
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

#[cfg(test)]
mod tests;
