use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA256_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PSS_SHA256,
};
use proptest::prelude::*;

use super::*;
use crate::{SigningKey, Zeroizing, issue, wrap::generate_rsa_pair};

/// One scheme for each kind of key, all with SHA-256.
const SCHEMES: [Scheme; 6] = [
    Scheme::RS256,
    Scheme::RsaPss(Hash::Sha256),
    Scheme::ES256,
    Scheme::EcdsaFixed(Curve::P384, Hash::Sha256),
    Scheme::EcdsaFixed(Curve::P521, Hash::Sha256),
    Scheme::Ed25519,
];

fn check(scheme: Scheme, key: &str, signature: &[u8]) {
    let key = ForeignKey::from_pem(key).unwrap();
    assert_eq!(ForeignKey::from_spki_der(key.spki_der()), Ok(key.clone()));
    key.verify(scheme, b"message", signature).unwrap();
    assert_eq!(key.verify(scheme, b"massage", signature), Err(CryptoError::Signature));
    let mut changed = signature.to_vec();
    changed[9] ^= 1;
    for wrong in [&changed[..], &signature[1..], &[], &[0; 64], &[0xff; 64], &[signature, &[0]].concat()] {
        assert_eq!(key.verify(scheme, b"message", wrong), Err(CryptoError::Signature));
    }
    for other in SCHEMES.into_iter().filter(|other| *other != scheme) {
        assert!(key.verify(other, b"message", signature).is_err(), "{scheme:?} as {other:?}");
    }
}

fn rsa() -> (ForeignKey, Zeroizing<String>) {
    let (public, private) = generate_rsa_pair().unwrap();
    (ForeignKey::from_pem(&public).unwrap(), private)
}

#[test]
fn rsa_with_either_padding() {
    let (public, private) = generate_rsa_pair().unwrap();
    check(Scheme::RS256, &public, &sign_rs256(&private, b"message").unwrap());
    let key = RsaKeyPair::from_pkcs8(pem::parse(&*private).unwrap().contents()).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), b"message", &mut signature).unwrap();
    check(Scheme::RsaPss(Hash::Sha256), &public, &signature);
    let other = rsa().0;
    assert_eq!(other.verify(Scheme::RsaPss(Hash::Sha256), b"message", &signature), Err(CryptoError::Signature));
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
    check(Scheme::ES256, &key.public().to_pem(), &signature);
    let certificate = issue::self_signed(&key, "x", &[], issue::Validity { from: 0, days: 1 }).unwrap().to_pem();
    check(Scheme::ES256, &certificate, &signature);
    let (key, signature) = of(Curve::P521, &ECDSA_P521_SHA256_FIXED_SIGNING);
    check(Scheme::EcdsaFixed(Curve::P521, Hash::Sha256), &key.public().to_pem(), &signature);
    let (key, signature) = of(Curve::P384, &ECDSA_P384_SHA384_FIXED_SIGNING);
    let key = ForeignKey::from_spki_der(key.public().spki_der()).unwrap();
    let verify = |hash| key.verify(Scheme::EcdsaFixed(Curve::P384, hash), b"message", &signature);
    assert_eq!((verify(Hash::Sha384), verify(Hash::Sha256)), (Ok(()), Err(CryptoError::Signature)));
}

#[test]
fn ecdsa_on_p384_with_sha_256() {
    // Made with OpenSSL: dgst -sha256 -sign, the two numbers padded to 48 bytes.
    let key = include_str!("p384.pem");
    let signature = hex::decode(include_str!("p384.sig").trim()).unwrap();
    check(Scheme::EcdsaFixed(Curve::P384, Hash::Sha256), key, &signature);
}

#[test]
fn only_p256_signs_tokens() {
    for (curve, good) in [(Curve::P256, true), (Curve::P384, false), (Curve::P521, false)] {
        let signer = SigningKey::generate(curve).unwrap();
        let signature = signer.sign(b"m").unwrap();
        let key = ForeignKey::from_spki_der(signer.public().spki_der()).unwrap();
        assert_eq!(key.verify(Scheme::ES256, b"m", &signature).is_ok(), good);
        assert_eq!(key.verify(Scheme::RS256, b"m", &signature), Err(misfit()));
    }
}

#[test]
fn ed25519() {
    let key = Ed25519KeyPair::generate().unwrap();
    let x = key.public_key().as_ref().try_into().unwrap();
    let public = KeyParts::Okp { curve: OkpCurve::Ed25519, x }.to_pem().unwrap();
    check(Scheme::Ed25519, &public, key.sign(b"message").as_ref());
    let agreement = KeyParts::Okp { curve: OkpCurve::X25519, x }.to_pem().unwrap();
    assert_eq!(ForeignKey::from_pem(&agreement), Err(misfit()));
}

#[test]
fn parts_make_the_same_key_as_its_der() {
    let (key, _) = rsa();
    let KeyParts::Rsa { n, e } = KeyParts::from_spki_der(key.spki_der()).unwrap() else { panic!("not RSA") };
    assert_eq!(ForeignKey::from_rsa(&n, &e).unwrap(), key);
    let ec = SigningKey::generate(Curve::P384).unwrap();
    let point = &ec.public().spki_der()[ec.public().spki_der().len() - 96..];
    let key = ForeignKey::from_ec(Curve::P384, &point[..48], &point[48..]).unwrap();
    assert_eq!(key.spki_der(), ec.public().spki_der());
    assert_eq!(key.as_ecdsa(), Some(ec.public()));
    assert!(ForeignKey::from_ec(Curve::P384, &point[..47], &point[47..]).is_err());
    assert!(ForeignKey::from_ec(Curve::P384, &point[..48], &point[..48]).is_err(), "not on the curve");
}

#[test]
fn weak_and_odd_rsa_keys_are_refused() {
    let refused = |n: Vec<u8>, e: &[u8]| ForeignKey::from_rsa(&n, e).unwrap_err().to_string();
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
    fn any_bytes_are_a_key_or_an_error(der: Vec<u8>, n: Vec<u8>, e: Vec<u8>, text: String, signature: Vec<u8>) {
        prop_assert!(ForeignKey::from_pem(&text).is_err());
        let _ = ForeignKey::from_rsa(&n, &e);
        if let Ok(key) = ForeignKey::from_spki_der(&der) {
            prop_assert!(key.verify(Scheme::RS256, b"m", &signature).is_err());
        }
    }
}
