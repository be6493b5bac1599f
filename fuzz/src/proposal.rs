//! What members sign: proposals, ballots and acknowledgements.

use api::{ApiError, Body};
use bytes::Bytes;
use consortium::{
    envelope::{MessageType, Signed},
    proposals, state_digests,
};
use constitution::Engine;
use kv::Tx;
use ledger::tables;
use serde_json::Value;

use crate::member::{self, GENUINE, ID, NoScripts, OPEN, ROOT, deciding};

/// The bytes as each of them, up to the scripts.
///
/// # Panics
/// If something is taken that others read in another way, or a refusal is not the caller's.
pub fn run(data: &[u8]) {
    if create(&NoScripts, data).is_ok() {
        let read = read(data);
        let again = unique_json::from_unique_json(read.to_string().as_bytes());
        assert_eq!(again.expect("it can be written and read again"), read);
    }
    for (kind, take) in [(MessageType::Ballot, ballot as fn(&[u8])), (MessageType::Ack, acknowledgement)] {
        if data.len() <= kind.max_payload_bytes() {
            take(data);
        }
    }
}

/// Has a proposal validated by the engine, and places it.
///
/// # Errors
/// As the deciders.
///
/// # Panics
/// If it is not stored as it was signed.
pub fn create(engine: &dyn Engine, data: &[u8]) -> Result<(), ApiError> {
    let mut tx = Tx::new(member::state());
    let signed = signed(MessageType::Proposal, data);
    let checked = deciding(engine, |scripts, _| proposals::validate(&mut tx, &signed, scripts));
    assert!(tx.is_read_only(), "to validate is to read");
    let validated = checked.inspect_err(check_error)?;
    let placed = deciding(&NoScripts, |scripts, context| {
        proposals::create(&mut tx, &signed, &validated, &[7; 32], scripts, context)
    });
    let Body::Json(answer) = placed.inspect_err(check_error)?.output.body else { panic!("no JSON") };
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["proposalId"].as_str().expect("an id");
    assert_eq!(proposals::actions(&mut tx, id).expect("it is there").body, Body::Raw(signed.payload));
    Ok(())
}

fn signed(msg_type: MessageType, payload: &[u8]) -> Signed {
    Signed {
        member_id: ID.into(),
        msg_type,
        created_at: 1_760_000_000,
        proposal_id: Some(OPEN.into()),
        payload: Bytes::copy_from_slice(payload),
        signature: vec![5; 64],
        raw: Bytes::from_static(b"raw"),
    }
}

fn check_error(error: &ApiError) {
    assert_eq!(error.status, 400, "{error}");
    assert!(!error.message.is_empty() && error.message.len() < 40_000, "{} bytes", error.message.len());
}

fn ballot(data: &[u8]) {
    let mut tx = Tx::new(member::state());
    let signed = signed(MessageType::Ballot, data);
    let taken =
        deciding(&NoScripts, |scripts, context| proposals::submit_ballot(&mut tx, &signed, OPEN, ID, scripts, context));
    match taken {
        Ok(_) => {
            let stored = proposals::ballot(&mut tx, OPEN, ID).expect("it is there").body;
            assert_eq!(stored, Body::JavaScript(read(data)["ballot"].as_str().expect("a text").to_owned()));
        }
        Err(error) => check_error(&error),
    }
}

fn acknowledgement(data: &[u8]) {
    let mut tx = Tx::new(member::state());
    let signed = signed(MessageType::Ack, data);
    match deciding(&NoScripts, |_, context| state_digests::acknowledge(&mut tx, &signed, ID, context)) {
        Ok(_) => {
            assert_eq!(read(data)["stateDigest"], ROOT);
            assert!(tx.get(tables::MEMBERS_ACKS, GENUINE.as_bytes()).is_some(), "that of others stays");
        }
        Err(error) => check_error(&error),
    }
}

/// What another parser reads, which keeps the last of the members with one name: there must be no others.
fn read(data: &[u8]) -> Value {
    let read: Value = serde_json::from_slice(data).expect("everybody can read it");
    assert_eq!(members(&read), colons(data), "a member that is named twice was taken");
    read
}

fn members(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        _ => 0,
    }
}

/// The colons outside of texts: one for each member.
fn colons(json: &[u8]) -> usize {
    let (mut quoted, mut escaped, mut colons) = (false, false, 0);
    for byte in json {
        match (byte, quoted) {
            _ if escaped => escaped = false,
            (b'\\', true) => escaped = true,
            (b'"', _) => quoted = !quoted,
            (b':', false) => colons += 1,
            _ => {}
        }
    }
    colons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_counted() {
        let text = br#"{"a:":{"\\":[{"b":":"},{"\"":1}]},"c":{}}"#;
        assert_eq!((colons(text), members(&serde_json::from_slice(text).unwrap())), (5, 5));
    }

    #[test]
    #[should_panic(expected = "named twice")]
    fn what_is_named_twice_is_noticed() {
        read(br#"{"a":1,"b":{"c":1,"c":1}}"#);
    }
}
