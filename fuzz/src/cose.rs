//! Signed requests of members.

use std::{collections::BTreeSet, fs, path::Path, sync::OnceLock};

use api::ApiError;
use bytes::Bytes;
use consortium::envelope::{CONTENT_TYPE, MAX_HEADER_BYTES, MessageType, Policy, Signed, authenticate};
use coset::cbor::{Value, de::from_reader, ser::into_writer};
use crypto::cose::Sign1;
use kv::Tx;

use crate::member::{self, GENUINE, ID, key};

const TYPES: [MessageType; 5] =
    [MessageType::Proposal, MessageType::Ballot, MessageType::Withdrawal, MessageType::StateDigest, MessageType::Ack];

/// The bytes as a request; as the protected header of one that a member has signed; and as the unprotected header of such
/// a one.
///
/// # Panics
/// If a request is taken that must not be, or is read in another way than by a parser of CBOR.
pub fn run(data: &[u8]) {
    if let Some(signed) = check(data) {
        assert_eq!(signed.member_id, GENUINE, "nobody else has signed this");
        assert!(genuine().contains(&signed.payload[..]), "that member has not signed this");
    }
    if let Some(signed) = check(&sign(data, &[0xa0], b"{}")) {
        check_header(data, &signed);
    }
    let header = [&b"\xa4\x01\x26\x04\x58\x40"[..], ID.as_bytes(), b"\x70ccf.gov.msg.type\x68proposal"].concat();
    let header = [&header, &b"\x76ccf.gov.msg.created_at\x1a\x66\x6d\x82\x40"[..]].concat();
    if let Some(signed) = check(&sign(&header, data, b"payload")) {
        assert_eq!((signed.member_id.as_str(), &signed.payload[..]), (ID, &b"payload"[..]));
        assert!(data.len() <= MAX_HEADER_BYTES && data[0] >> 5 == 5, "no header");
    }
}

/// Whatever kind of request it is.
fn check(message: &[u8]) -> Option<Signed> {
    let _ = Sign1::from_bytes(message).map(|message| (message.x5chain().is_some(), message.algorithm()));
    let body = Bytes::copy_from_slice(message);
    let mut taken = None;
    for kind in TYPES {
        let mut tx = Tx::new(member::state());
        let mut ask = || authenticate(&mut tx, &body, Some(CONTENT_TYPE), Policy::ACTIVE, kind);
        let first = ask();
        assert_eq!(first, ask(), "asked twice");
        assert!(tx.is_read_only());
        match first {
            Ok(signed) => {
                assert!(taken.is_none(), "it is of one kind");
                check_signed(&signed, &body, kind);
                taken = Some(signed);
            }
            Err(error) => check_error(&error, message.len()),
        }
    }
    taken
}

fn check_signed(signed: &Signed, body: &Bytes, kind: MessageType) {
    assert_eq!((&signed.raw, signed.msg_type), (body, kind));
    assert!(signed.created_at >= 0 && signed.payload.len() <= kind.max_payload_bytes());
    let read = Sign1::from_bytes(body).expect("it was taken");
    assert_eq!((read.payload(), read.signature()), (Some(&signed.payload[..]), &signed.signature[..]));
    assert_eq!(read.text_header("ccf.gov.msg.type"), Some(kind.as_str()));
    assert_eq!(read.text_header("ccf.gov.msg.proposal_id"), signed.proposal_id.as_deref());
    assert_eq!(read.kid(), Some(signed.member_id.as_bytes()));
}

fn check_error(error: &ApiError, bytes: usize) {
    assert!(
        matches!((error.status, error.code), (400, "InvalidInput") | (401, "InvalidAuthenticationInfo")),
        "{error}"
    );
    assert!(error.body().len() <= 1000 + 8 * bytes.min(2 * MAX_HEADER_BYTES), "{} bytes", error.body().len());
}

/// The header as a general parser reads it.
fn check_header(header: &[u8], signed: &Signed) {
    assert!(header.len() <= MAX_HEADER_BYTES);
    let Ok(Value::Map(fields)) = from_reader(header) else { panic!("no map was taken") };
    let labels: BTreeSet<Vec<u8>> = fields.iter().map(|(label, _)| encode(label)).collect();
    assert_eq!(labels.len(), fields.len(), "a label that is there twice was taken");
    let find = |name: Value| fields.iter().find(|(label, _)| *label == name).map(|(_, value)| value.clone());
    assert_eq!(find(1.into()), Some((-7).into()));
    assert_eq!(find(4.into()), Some(Value::Bytes(signed.member_id.clone().into())));
    assert_eq!(find("ccf.gov.msg.created_at".into()), Some(signed.created_at.into()));
    assert_eq!(signed.member_id, ID);
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).expect("bytes");
    bytes
}

/// A message with these headers, the second one as it is.
fn sign(protected: &[u8], unprotected: &[u8], payload: &[u8]) -> Vec<u8> {
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let covered = vec!["Signature1".into(), bytes(protected), bytes(b""), bytes(payload)];
    let signature = key().sign(&encode(&Value::Array(covered))).expect("a signature");
    let parts = [encode(&bytes(protected)), unprotected.to_vec(), encode(&bytes(payload)), encode(&bytes(&signature))];
    [vec![0xd2, 0x84], parts.concat()].concat()
}

/// What is signed in the genuine messages of the corpus.
fn genuine() -> &'static BTreeSet<Vec<u8>> {
    static PAYLOADS: OnceLock<BTreeSet<Vec<u8>>> = OnceLock::new();
    PAYLOADS.get_or_init(|| {
        let payload = |name: &&str| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/cose").join(name);
            let message = Sign1::from_bytes(&fs::read(file).expect("a message")).expect("a message");
            message.payload().expect("a payload").to_vec()
        };
        ["ack", "ballot", "proposal"].iter().map(payload).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genuine_messages_are_taken() {
        for name in ["ack", "ballot", "proposal"] {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/cose").join(name);
            assert!(check(&fs::read(file).unwrap()).is_some(), "{name}");
        }
        let header = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/cose/header-more")).unwrap();
        assert!(check(&sign(&header, &[0xa0], b"{}")).is_some());
    }
}
