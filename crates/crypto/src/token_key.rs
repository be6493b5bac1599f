use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rand::SystemRandom,
    signature::{self, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey},
};
use x509_parser::{oid_registry, prelude::FromDer, public_key::PublicKey as Parsed, x509::SubjectPublicKeyInfo};

use crate::{Certificate, CryptoError, Curve, PublicKey, Result};

/// The sizes of RSA keys that are taken, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The signature algorithms of tokens (RFC 7518, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256; the signature is r ‖ s.
    Es256,
}

/// A public key that an issuer signs its tokens with: RSA of 2048 to 8192 bits, or ECDSA on P-256, P-384 or P-521.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    kind: Kind,
    spki: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Rsa,
    Ec(PublicKey),
}

impl TokenKey {
    /// A key from SubjectPublicKeyInfo DER (RFC 5280).
    ///
    /// # Errors
    /// [`CryptoError::Key`] if it is of another kind or size.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|why| CryptoError::key("token key", why))?;
        if !rest.is_empty() {
            return Err(CryptoError::key("token key", "bytes behind the key"));
        }
        if info.algorithm.algorithm != oid_registry::OID_PKCS1_RSAENCRYPTION {
            let key = PublicKey::from_spki_der(der)?;
            key.check_point()?;
            return Ok(Self::of_ec(key));
        }
        let Ok(Parsed::RSA(key)) = info.parsed() else {
            return Err(CryptoError::key("token key", "not an RSA key"));
        };
        Self::from_rsa(key.modulus, key.exponent)
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
            return Err(CryptoError::key("token key", why));
        }
        if n.last().is_none_or(|last| last % 2 == 0) {
            return Err(CryptoError::key("token key", "an RSA modulus is odd"));
        }
        if !is_exponent(e) {
            return Err(CryptoError::key("token key", "an RSA exponent is odd, from 3 to 2^33 - 1"));
        }
        let der: std::result::Result<PublicKeyX509Der<'_>, _> = RsaPublicKeyComponents { n, e }.as_der();
        let der = der.map_err(|_| CryptoError::key("token key", "not an RSA key"))?;
        Ok(Self { kind: Kind::Rsa, spki: der.as_ref().to_vec() })
    }

    /// A key on a curve from its coordinates, big-endian and of the full length of the curve (JWK `x` and `y`).
    ///
    /// # Errors
    /// [`CryptoError::Key`] for coordinates of another length or a point that is not on the curve.
    pub fn from_ec(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self> {
        if x.len() != y.len() {
            return Err(CryptoError::key("token key", "coordinates of different lengths"));
        }
        let key = PublicKey::from_point(curve, &[&[4], x, y].concat())?;
        key.check_point()?;
        Ok(Self::of_ec(key))
    }

    /// The key of a certificate, DER. The certificate is not checked beyond that.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`], or [`CryptoError::Key`] as [`Self::from_spki_der`].
    pub fn from_certificate_der(der: &[u8]) -> Result<Self> {
        Self::from_spki_der(Certificate::from_der(der)?.spki_der())
    }

    fn of_ec(key: PublicKey) -> Self {
        let spki = key.spki_der().to_vec();
        Self { kind: Kind::Ec(key), spki }
    }

    /// SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// Checks the signature of a token. A key is only good for the algorithm of its kind.
    ///
    /// # Errors
    /// [`CryptoError::Signature`]
    pub fn verify(&self, algorithm: TokenAlgorithm, message: &[u8], signature: &[u8]) -> Result<()> {
        match (&self.kind, algorithm) {
            (Kind::Rsa, TokenAlgorithm::Rs256) => {
                let key = UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &self.spki);
                key.verify(message, signature).map_err(|_| CryptoError::Signature)
            }
            (Kind::Ec(key), TokenAlgorithm::Es256) if key.curve() == Curve::P256 => key.verify(message, signature),
            _ => Err(CryptoError::Signature),
        }
    }
}

/// Signs as [`TokenAlgorithm::Rs256`] with an RSA key (PEM, PKCS#8): what issuers do, for tests of those who verify.
///
/// # Errors
/// [`CryptoError::Key`] or [`CryptoError::Signing`].
pub fn sign_rs256(private_key_pem: &str, message: &[u8]) -> Result<Vec<u8>> {
    let block = pem::parse(private_key_pem).map_err(|why| CryptoError::key("RSA private key", why))?;
    let key = RsaKeyPair::from_pkcs8(block.contents()).map_err(|why| CryptoError::key("RSA private key", why))?;
    let mut signed = vec![0; key.public_modulus_len()];
    let padding = &signature::RSA_PKCS1_SHA256;
    key.sign(padding, &SystemRandom::new(), message, &mut signed).map_err(|_| CryptoError::Signing)?;
    Ok(signed)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{SigningKey, Zeroizing, wrap::generate_rsa_pair};

    fn rsa() -> (TokenKey, Zeroizing<String>) {
        let (public, private) = generate_rsa_pair().unwrap();
        (TokenKey::from_spki_der(pem::parse(public).unwrap().contents()).unwrap(), private)
    }

    #[test]
    fn rsa_signatures_verify_with_their_key_and_algorithm_only() {
        let (key, private) = rsa();
        let signature = sign_rs256(&private, b"header.payload").unwrap();
        key.verify(TokenAlgorithm::Rs256, b"header.payload", &signature).unwrap();
        for (algorithm, message, signature) in [
            (TokenAlgorithm::Es256, &b"header.payload"[..], &signature[..]),
            (TokenAlgorithm::Rs256, b"header.payloaf", &signature),
            (TokenAlgorithm::Rs256, b"header.payload", &signature[1..]),
            (TokenAlgorithm::Rs256, b"header.payload", &[]),
        ] {
            assert_eq!(key.verify(algorithm, message, signature), Err(CryptoError::Signature));
        }
        assert!(rsa().0.verify(TokenAlgorithm::Rs256, b"header.payload", &signature).is_err());
    }

    #[test]
    fn only_p256_signs_tokens() {
        for (curve, good) in [(Curve::P256, true), (Curve::P384, false), (Curve::P521, false)] {
            let signer = SigningKey::generate(curve).unwrap();
            let signature = signer.sign(b"m").unwrap();
            let key = TokenKey::from_spki_der(signer.public().spki_der()).unwrap();
            assert_eq!(key.verify(TokenAlgorithm::Es256, b"m", &signature).is_ok(), good);
            assert!(key.verify(TokenAlgorithm::Rs256, b"m", &signature).is_err());
        }
    }

    #[test]
    fn parts_make_the_same_key_as_its_der() {
        let (key, _) = rsa();
        let (_, info) = SubjectPublicKeyInfo::from_der(key.spki_der()).unwrap();
        let Parsed::RSA(parts) = info.parsed().unwrap() else { panic!("not RSA") };
        assert_eq!(TokenKey::from_rsa(parts.modulus, parts.exponent).unwrap(), key);
        let ec = SigningKey::generate(Curve::P384).unwrap();
        let point = &ec.public().spki_der()[ec.public().spki_der().len() - 96..];
        let key = TokenKey::from_ec(Curve::P384, &point[..48], &point[48..]).unwrap();
        assert_eq!(key.spki_der(), ec.public().spki_der());
        assert!(TokenKey::from_ec(Curve::P384, &point[..47], &point[47..]).is_err());
        assert!(TokenKey::from_ec(Curve::P384, &point[..48], &point[..48]).is_err(), "not on the curve");
    }

    #[test]
    fn weak_and_odd_rsa_keys_are_refused() {
        let refused = |n: Vec<u8>, e: &[u8]| TokenKey::from_rsa(&n, e).unwrap_err().to_string();
        assert!(refused(vec![0xff; 128], &[1, 0, 1]).contains("1024 bits; it must have 2048 to 8192"));
        assert!(refused(vec![0xff; 1025], &[1, 0, 1]).contains("8200 bits"));
        assert!(refused(vec![], &[1, 0, 1]).contains("0 bits"));
        assert!(refused([vec![0xff; 255], vec![2]].concat(), &[3]).contains("odd"));
        for exponent in [&[][..], &[1], &[2], &[0, 1], &[2, 0, 0, 0, 1], &[1; 9]] {
            assert!(refused(vec![0xff; 256], exponent).contains("exponent"), "{exponent:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_key_or_an_error(der: Vec<u8>, n: Vec<u8>, e: Vec<u8>, signature: Vec<u8>) {
            let _ = TokenKey::from_certificate_der(&der);
            let _ = TokenKey::from_rsa(&n, &e);
            if let Ok(key) = TokenKey::from_spki_der(&der) {
                prop_assert!(key.verify(TokenAlgorithm::Rs256, b"m", &signature).is_err());
            }
        }
    }
}
