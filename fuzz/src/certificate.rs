//! Certificates, keys and signing requests.

use std::sync::OnceLock;

use api::ApiError;
use bytes::Bytes;
use consortium::envelope::{CONTENT_TYPE, MessageType, Policy, authenticate};
use crypto::{
    Certificate, Curve, ForeignKey, KeyParts, MAX_CERTIFICATES, MAX_PEM_BYTES, SigningKey, certificates_from_pem,
    cose::sign_governance,
    issue::{endorse_request, service_certificate},
    wrap::{check_encryption_key, rsa_oaep_encrypt},
};
use kv::Tx;
use ledger::tables;
use node::tls::ClientCertificate;

use crate::member::{self, ID, VALIDITY, key};

/// The bytes as a certificate, as a text with certificates, as a key, as a signing request, and as what is stored as the
/// certificate of a member.
///
/// # Panics
/// If something is taken that is not the same when it is written and read again.
pub fn run(data: &[u8]) {
    let client = ClientCertificate::from_der(data).map(|client| client.id);
    let certificate = Certificate::from_der(data);
    assert_eq!(client, certificate.as_ref().map(Certificate::id).map_err(Clone::clone));
    if let Ok(certificate) = certificate {
        assert_eq!(certificate.der(), data);
        check(&certificate);
    }
    let spki = ForeignKey::from_spki_der(data).map(|key| key.spki_der().to_vec());
    assert!(spki.is_err() || KeyParts::from_spki_der(data).is_ok());
    if let Ok(text) = std::str::from_utf8(data) {
        bundle(text);
        keys(text);
        request(text);
        stored(text);
    }
}

fn check(certificate: &Certificate) {
    assert_eq!(Certificate::from_pem(&certificate.to_pem()).as_ref(), Ok(certificate));
    assert_eq!(certificate.id().len(), 64);
    // A subject is shown with the names of its parts.
    assert!(certificate.subject().len() <= 64 * certificate.der().len());
    if let Ok(key) = certificate.public_key() {
        assert_eq!(crypto::PublicKey::from_spki_der(key.spki_der()), Ok(key));
    }
    let service = &service().1;
    assert!(certificate.verify_issued_by(service).is_err(), "the service has not issued it");
    let own = certificate.verify_issued_by(certificate);
    assert!(own.is_err() || certificate.verify_foreign(certificate).is_ok());
}

fn bundle(text: &str) {
    let Ok(certificates) = certificates_from_pem(text) else { return };
    assert!(certificates.len() <= MAX_CERTIFICATES && text.len() <= MAX_PEM_BYTES);
    certificates.iter().for_each(check);
    let again: String = certificates.iter().map(Certificate::to_pem).collect();
    assert_eq!(certificates_from_pem(&again), Ok(certificates));
}

fn keys(text: &str) {
    if let Ok(key) = ForeignKey::from_pem(text) {
        assert_eq!(ForeignKey::from_spki_der(key.spki_der()), Ok(key));
    }
    if let Ok(parts) = KeyParts::from_pem(text) {
        assert_eq!(KeyParts::from_spki_der(&parts.to_spki_der().expect("it was read")), Ok(parts));
    }
    if check_encryption_key(text).is_ok() {
        assert!(rsa_oaep_encrypt(text, &[1; 32]).is_ok(), "it is taken for recovery shares");
    }
}

fn request(text: &str) {
    let (key, service) = service();
    let Ok(made) = endorse_request(text, VALIDITY, key, service) else { return };
    made.verify_issued_by(service).expect("the service made it");
    assert_eq!((made.not_before(), made.to_pem().len() <= 4 * text.len() + 4096), (VALIDITY.from, true));
    check_end_entity(&made);
}

/// What is endorsed endorses nothing.
fn check_end_entity(made: &Certificate) {
    const IS_CA: &[u8] = &[0x30, 0x03, 0x01, 0x01, 0xff];
    const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    let at = made.der().windows(3).position(|part| part == BASIC_CONSTRAINTS);
    let behind = at.and_then(|at| made.der().get(at..at + 16)).unwrap_or_default();
    assert!(!behind.windows(5).any(|part| part == IS_CA), "it would be a CA");
}

/// Whatever is stored as the certificate of a member, its requests are authenticated or refused with an answer.
fn stored(text: &str) {
    let mut tx = Tx::new(member::state());
    tx.put(tables::MEMBERS_CERTS, ID, text.to_owned());
    let message: Bytes = sign_governance(key(), ID, "proposal", 1, None, b"{}").expect("a message").into();
    match authenticate(&mut tx, &message, Some(CONTENT_TYPE), Policy::ACTIVE, MessageType::Proposal) {
        Ok(_) => panic!("it is signed with another key"),
        Err(ApiError { status, message, .. }) => {
            assert!(matches!(status, 401 | 500) && message.len() < 1000, "{status} {message}");
        }
    }
}

fn service() -> &'static (SigningKey, Certificate) {
    static SERVICE: OnceLock<(SigningKey, Certificate)> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let key = SigningKey::generate(Curve::P384).expect("a key");
        let certificate = service_certificate(&key, "CCF Service", VALIDITY).expect("a certificate");
        (key, certificate)
    })
}
