//! Checking signatures for scripts (CCF's `ccf.crypto.verifySignature`): over messages, with SHA-256.

use aws_lc_rs::signature::{ED25519, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

use crate::{
    Certificate, CryptoError, PublicKey, Result,
    jwk::{KeyParts, OkpCurve},
};

/// How a message was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureKind {
    /// RSASSA-PSS with SHA-256, MGF1 over the same, and a salt of 32 bytes.
    RsaPss,
    /// ECDSA with SHA-256 on P-256, P-384 or P-521; the signature is r ‖ s.
    Ecdsa,
    /// EdDSA on Ed25519.
    EdDsa,
}

/// Whether a signature verifies with a key, given as PEM: `PUBLIC KEY`, or the certificate that it stands in (which is
/// not checked beyond that). RSA keys have 2048 to 8192 bits.
///
/// # Errors
/// [`CryptoError::Key`] or [`CryptoError::Certificate`] for a key that cannot be read or is of another kind.
pub fn verifies(kind: SignatureKind, key_pem: &str, message: &[u8], signature: &[u8]) -> Result<bool> {
    let spki = spki(key_pem)?;
    match (kind, KeyParts::from_spki_der(&spki)?) {
        (SignatureKind::RsaPss, KeyParts::Rsa { .. }) => {
            Ok(UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &spki).verify(message, signature).is_ok())
        }
        (SignatureKind::Ecdsa, KeyParts::Ec { x, .. }) => {
            let key = PublicKey::from_spki_der(&spki)?;
            Ok(der(signature, x.len()).is_some_and(|der| key.verify_der(256, message, &der).is_ok()))
        }
        (SignatureKind::EdDsa, KeyParts::Okp { curve: OkpCurve::Ed25519, x }) => {
            Ok(UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok())
        }
        _ => Err(CryptoError::key("public key", "not for signatures of this kind")),
    }
}

fn spki(text: &str) -> Result<Vec<u8>> {
    let block = pem::parse(text).map_err(|why| CryptoError::key("public key", why))?;
    match block.tag() {
        "CERTIFICATE" => Certificate::from_der(block.contents()).map(|certificate| certificate.spki_der().to_vec()),
        "PUBLIC KEY" => Ok(block.into_contents()),
        tag => Err(CryptoError::key("public key", format!("PEM block is a {tag:?}"))),
    }
}

/// A signature r ‖ s, each of `length` bytes, as the sequence of two numbers that DER has for it (RFC 3279, 2.2.3).
fn der(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    if signature.len() != length.checked_mul(2)? {
        return None;
    }
    let (r, s) = signature.split_at(length);
    let numbers = [integer(r)?, integer(s)?].concat();
    Some([header(0x30, numbers.len())?, numbers].concat())
}

fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    // A first bit would be a sign, and there is no number without digits.
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    Some([&header(2, sign.len() + digits.len())?, sign, digits].concat())
}

/// Tag and length, below 256.
fn header(tag: u8, length: usize) -> Option<Vec<u8>> {
    let length = u8::try_from(length).ok()?;
    Some(if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{
            ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA256_FIXED_SIGNING,
            EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PSS_SHA256, RsaKeyPair,
        },
    };
    use proptest::prelude::*;

    use super::*;
    use crate::{Curve, SigningKey, issue, wrap::generate_rsa_pair};

    fn check(kind: SignatureKind, key: &str, signature: &[u8]) {
        assert_eq!(verifies(kind, key, b"message", signature), Ok(true));
        assert_eq!(verifies(kind, key, b"massage", signature), Ok(false));
        let mut changed = signature.to_vec();
        changed[9] ^= 1;
        for wrong in [&changed[..], &signature[1..], &[], &[0; 64], &[0xff; 64], &[signature, &[0]].concat()] {
            assert_eq!(verifies(kind, key, b"message", wrong), Ok(false));
        }
        for other in [SignatureKind::RsaPss, SignatureKind::Ecdsa, SignatureKind::EdDsa] {
            assert_eq!(verifies(other, key, b"message", signature).is_err(), other != kind);
        }
    }

    #[test]
    fn rsa_with_a_salt_as_long_as_the_hash() {
        let (public, private) = generate_rsa_pair().unwrap();
        let key = RsaKeyPair::from_pkcs8(pem::parse(&*private).unwrap().contents()).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
        check(SignatureKind::RsaPss, &public, &signature);
    }

    #[test]
    fn ecdsa_with_key_or_certificate() {
        let of = |curve, algorithm: &'static EcdsaSigningAlgorithm| {
            let key = SigningKey::generate(curve).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, &key.to_pkcs8_der().unwrap()).unwrap();
            let signature = pair.sign(&SystemRandom::new(), b"message").unwrap().as_ref().to_vec();
            (key, signature)
        };
        let (key, signature) = of(Curve::P256, &ECDSA_P256_SHA256_FIXED_SIGNING);
        check(SignatureKind::Ecdsa, &key.public().to_pem(), &signature);
        let validity = issue::Validity { from: 0, days: 1 };
        let certificate = issue::self_signed(&key, "x", &[], validity).unwrap().to_pem();
        check(SignatureKind::Ecdsa, &certificate, &signature);
        let (key, signature) = of(Curve::P521, &ECDSA_P521_SHA256_FIXED_SIGNING);
        check(SignatureKind::Ecdsa, &key.public().to_pem(), &signature);
        let (key, signature) = of(Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING);
        let other_hash = verifies(SignatureKind::Ecdsa, &key.public().to_pem(), b"message", &signature);
        assert_eq!(other_hash, Ok(false), "SHA-384 is another hash");
    }

    #[test]
    fn ecdsa_on_p384_with_sha_256() {
        // Made with OpenSSL: dgst -sha256 -sign, the two numbers padded to 48 bytes.
        let key = include_str!("check/p384.pem");
        check(SignatureKind::Ecdsa, key, &hex::decode(include_str!("check/p384.sig").trim()).unwrap());
    }

    #[test]
    fn ed25519() {
        let key = Ed25519KeyPair::generate().unwrap();
        let x = key.public_key().as_ref().try_into().unwrap();
        let public = KeyParts::Okp { curve: OkpCurve::Ed25519, x }.to_pem().unwrap();
        check(SignatureKind::EdDsa, &public, key.sign(b"message").as_ref());
        let agreement = KeyParts::Okp { curve: OkpCurve::X25519, x }.to_pem().unwrap();
        assert!(verifies(SignatureKind::EdDsa, &agreement, b"message", &[0; 64]).is_err());
    }

    proptest! {
        #[test]
        fn any_input_is_an_answer(key: String, signature: Vec<u8>, numbers: [u8; 32]) {
            prop_assert!(verifies(SignatureKind::Ecdsa, &key, b"m", &signature).is_err());
            // What the provider reads, it reads as the same numbers.
            let der = der(&[numbers, numbers].concat(), 32).unwrap();
            prop_assert_eq!(der.len(), usize::from(der[1]) + 2);
        }
    }
}
