//! Endorsements of utility VMs.

use std::sync::LazyLock;

use attestation::{
    Check, Rejection, Trail,
    uvm::{Endorsement, verify},
};
use coset::cbor::{Value, ser::into_writer};
use crypto::{Curve, SigningKey, cose::Sign1};

use super::{check, container};

static GENUINE: LazyLock<(Vec<u8>, Endorsement)> = LazyLock::new(|| {
    let message = container().uvm_endorsements.clone().expect("it has one");
    let endorsement = verify(&message, &mut Trail::new()).expect("it is genuine");
    (message, endorsement)
});

const PAYLOAD: &[u8] = br#"{"x-ms-sevsnpvm-launchmeasurement":"","x-ms-sevsnpvm-guestsvn":"1"}"#;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Curve::P384).expect("a key"));

/// The bytes as a message; and as the protected header of one that a stranger has signed.
///
/// # Panics
/// If something is believed that the maker has not signed.
pub fn run(data: &[u8]) {
    if let Some(endorsement) = read(data) {
        assert_eq!(endorsement, GENUINE.1);
        let signed = |message: &[u8]| {
            let message = Sign1::from_bytes(message).expect("it was taken");
            (message.payload().map(<[u8]>::to_vec), message.signature().to_vec())
        };
        assert_eq!(signed(data), signed(&GENUINE.0), "the maker has not signed this");
    }
    // To sign takes longer than all the rest, and counts only where the signature is looked at.
    let unsigned = message(data, &[0; 96]);
    if let Err(Rejection { check: Check::UvmSignature, .. }) = verify(&unsigned, &mut Trail::new()) {
        assert_eq!(read(&message(data, &sign(data))), None, "a stranger has signed this");
    } else {
        assert_eq!(read(&unsigned), None, "nobody has signed this");
    }
}

fn read(message: &[u8]) -> Option<Endorsement> {
    match verify(message, &mut Trail::new()) {
        Ok(endorsement) => Some(endorsement),
        Err(rejection) => {
            check(&rejection);
            None
        }
    }
}

/// A message with this header.
fn message(header: &[u8], signature: &[u8]) -> Vec<u8> {
    let parts = vec![bytes(header), Value::Map(Vec::new()), bytes(PAYLOAD), bytes(signature)];
    encode(&Value::Tag(18, Box::new(Value::Array(parts))))
}

/// The signature of it by a key of which no certificate speaks.
fn sign(header: &[u8]) -> Vec<u8> {
    let covered = Value::Array(vec!["Signature1".into(), bytes(header), bytes(b""), bytes(PAYLOAD)]);
    KEY.sign(&encode(&covered)).expect("a signature")
}

fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).expect("bytes");
    bytes
}
