use std::fmt;

use aws_lc_rs::{
    digest::{self, Digest as ProviderDigest},
    encoding::{AsBigEndian, EcPrivateKeyRfc5915Der},
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair},
};
use zeroize::Zeroizing;

use crate::{CryptoError, Digest, PublicKey, Result, pem_text};

/// The curves that CCF allows, each with the hash that COSE pairs it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp256r1 with SHA-256 (ES256).
    P256,
    /// secp384r1 with SHA-384 (ES384).
    P384,
    /// secp521r1 with SHA-512 (ES512).
    P521,
}

impl Curve {
    pub(crate) fn fixed(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
        }
    }

    fn der(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &signature::ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }

    /// The digest of 32 bytes as a digest of the length that goes with the curve.
    ///
    /// ECDSA reads a digest that is no longer than the group order as a big-endian number, so zeros in front change
    /// nothing: this is how a SHA-256 digest is signed as it is with P-384 and P-521, which CCF does with Merkle roots.
    pub(crate) fn prehashed(self, root: &Digest) -> Result<ProviderDigest> {
        let algorithm = match self {
            Self::P256 => &digest::SHA256,
            Self::P384 => &digest::SHA384,
            Self::P521 => &digest::SHA512,
        };
        let mut padded = vec![0; algorithm.output_len() - root.len()];
        padded.extend_from_slice(root);
        ProviderDigest::import_less_safe(&padded, algorithm).map_err(|_| CryptoError::Signing)
    }
}

/// An ECDSA signing key: of the service, a node, or a member.
pub struct SigningKey {
    curve: Curve,
    fixed: EcdsaKeyPair,
    der: EcdsaKeyPair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, …)", self.public.id())
    }
}

impl SigningKey {
    /// A fresh key.
    ///
    /// # Errors
    /// If the provider cannot make one.
    pub fn generate(curve: Curve) -> Result<Self> {
        let key = EcdsaKeyPair::generate(curve.fixed()).map_err(|_| CryptoError::Randomness)?;
        let pkcs8 = key.to_pkcs8v1().map_err(|_| CryptoError::Randomness)?;
        Self::from_pkcs8_der(pkcs8.as_ref())
    }

    /// A key from PKCS#8 DER; the curve is what the key says.
    ///
    /// # Errors
    /// [`CryptoError::Key`] if it is not an ECDSA key on P-256, P-384 or P-521.
    pub fn from_pkcs8_der(pkcs8: &[u8]) -> Result<Self> {
        [Curve::P384, Curve::P256, Curve::P521]
            .into_iter()
            .find_map(|curve| Self::load(curve, pkcs8, EcdsaKeyPair::from_pkcs8))
            .ok_or_else(|| CryptoError::key("private key", "not a PKCS#8 ECDSA key on P-256, P-384 or P-521"))
    }

    /// A key from PEM: `PRIVATE KEY` (PKCS#8) or `EC PRIVATE KEY` (SEC 1, RFC 5915).
    ///
    /// # Errors
    /// [`CryptoError::Key`]
    pub fn from_pem(text: &str) -> Result<Self> {
        let blocks = pem_text::all(text).map_err(|why| CryptoError::key("private key", why))?;
        let block = blocks.iter().find(|block| block.tag().ends_with("PRIVATE KEY"));
        match block.map(|block| (block.tag(), block.contents())) {
            Some(("PRIVATE KEY", der)) => Self::from_pkcs8_der(der),
            Some(("EC PRIVATE KEY", der)) => [Curve::P384, Curve::P256, Curve::P521]
                .into_iter()
                .find_map(|curve| Self::load(curve, der, EcdsaKeyPair::from_private_key_der))
                .ok_or_else(|| CryptoError::key("private key", "not an ECDSA key on P-256, P-384 or P-521")),
            Some((tag, _)) => Err(CryptoError::key("private key", format!("a {tag:?} is not supported here"))),
            None => Err(CryptoError::key("private key", "no PEM block of a private key")),
        }
    }

    fn load<E>(
        curve: Curve,
        der: &[u8],
        parse: impl Fn(&'static EcdsaSigningAlgorithm, &[u8]) -> std::result::Result<EcdsaKeyPair, E>,
    ) -> Option<Self> {
        let fixed = parse(curve.fixed(), der).ok()?;
        let public = PublicKey::from_point(curve, fixed.public_key().as_ref()).ok()?;
        Some(Self { curve, der: parse(curve.der(), der).ok()?, fixed, public })
    }

    /// The key as PKCS#8 DER.
    ///
    /// # Errors
    /// If the provider cannot encode it.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>> {
        let document = self.fixed.to_pkcs8v1().map_err(|_| CryptoError::key("private key", "encoding"))?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// The key as PEM (`PRIVATE KEY`).
    ///
    /// # Errors
    /// As [`Self::to_pkcs8_der`].
    pub fn to_pem(&self) -> Result<Zeroizing<String>> {
        let block = pem::Pem::new("PRIVATE KEY", self.to_pkcs8_der()?.to_vec());
        Ok(Zeroizing::new(crate::certificate::encode_pem(&block)))
    }

    /// The SEC 1 form, which OpenSSL writes as `EC PRIVATE KEY`.
    ///
    /// # Errors
    /// If the provider cannot encode it.
    pub fn to_sec1_der(&self) -> Result<Zeroizing<Vec<u8>>> {
        let key: EcPrivateKeyRfc5915Der<'_> = aws_lc_rs::encoding::AsDer::as_der(&self.fixed.private_key())
            .map_err(|_| CryptoError::key("private key", "encoding"))?;
        Ok(Zeroizing::new(key.as_ref().to_vec()))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The curve of the key.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Signs a message with the hash of the curve; the signature is r ‖ s of fixed length (as COSE wants it).
    ///
    /// # Errors
    /// If the provider fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signed = self.fixed.sign(&SystemRandom::new(), message);
        signed.map(|signature| signature.as_ref().to_vec()).map_err(|_| CryptoError::Signing)
    }

    /// Signs a 32-byte digest as it is; the signature is ASN.1 DER (CCF's ledger signatures).
    ///
    /// # Errors
    /// If the provider fails.
    pub fn sign_digest_der(&self, root: &Digest) -> Result<Vec<u8>> {
        let signed = self.der.sign_digest(&self.curve.prehashed(root)?);
        signed.map(|signature| signature.as_ref().to_vec()).map_err(|_| CryptoError::Signing)
    }

    /// The private scalar, big-endian: to prove in tests that no copy of it lies around.
    ///
    /// # Errors
    /// If the provider cannot encode it.
    pub fn scalar(&self) -> Result<Zeroizing<Vec<u8>>> {
        let key = self.fixed.private_key();
        let scalar = AsBigEndian::<aws_lc_rs::encoding::EcPrivateKeyBin<'_>>::as_be_bytes(&key);
        let scalar = scalar.map_err(|_| CryptoError::key("private key", "encoding"))?;
        Ok(Zeroizing::new(scalar.as_ref().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_signs_messages_and_bare_digests() {
        for curve in [Curve::P256, Curve::P384, Curve::P521] {
            let key = SigningKey::generate(curve).unwrap();
            let again = SigningKey::from_pem(&key.to_pem().unwrap()).unwrap();
            let public = PublicKey::from_pem(&again.public().to_pem()).unwrap();
            assert_eq!(&public, key.public());
            let signature = again.sign(b"message").unwrap();
            public.verify(b"message", &signature).unwrap();
            assert_eq!(public.verify(b"massage", &signature), Err(CryptoError::Signature));
            let root = crate::sha256(b"root");
            let signature = key.sign_digest_der(&root).unwrap();
            public.verify_digest_der(&root, &signature).unwrap();
            assert!(public.verify_digest_der(&crate::sha256(b"other"), &signature).is_err());
            let sec1 = pem::encode(&pem::Pem::new("EC PRIVATE KEY", key.to_sec1_der().unwrap().to_vec()));
            assert_eq!(SigningKey::from_pem(&sec1).unwrap().public(), key.public());
        }
    }

    #[test]
    fn debug_shows_the_public_half_only() {
        let key = SigningKey::generate(Curve::P384).unwrap();
        assert_eq!(format!("{key:?}"), format!("SigningKey({}, …)", key.public().id()));
    }
}
