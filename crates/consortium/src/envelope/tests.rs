use coset::cbor::{Value, ser::into_writer};
use proptest::prelude::*;

use super::*;
use crate::testing::Consortium;

const NOW: i64 = 1_760_000_000;

fn proposal(consortium: &Consortium, body: &Bytes, policy: Policy) -> Result<Signed, ApiError> {
    authenticate(&mut consortium.tx(), body, Some(CONTENT_TYPE), policy, MessageType::Proposal)
}

fn detail(error: &ApiError) -> &str {
    assert_eq!((error.status, error.code), (401, "InvalidAuthenticationInfo"));
    &error.details[0].message
}

/// The parts of a message of member 0, to be put together in other ways.
fn parts(consortium: &Consortium) -> Vec<Value> {
    let message = consortium.message(0, "proposal", NOW, b"{}");
    let Value::Tag(18, inner) = coset::cbor::de::from_reader(message.as_ref()).unwrap() else { panic!() };
    inner.into_array().unwrap()
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    into_writer(value, &mut bytes).unwrap();
    bytes
}

fn tagged(tag: u64, parts: Vec<Value>) -> Bytes {
    encode(&Value::Tag(tag, Box::new(Value::Array(parts)))).into()
}

/// A message whose protected header has other fields (and so a wrong signature).
fn with_header(consortium: &Consortium, change: impl Fn(&mut Vec<(Value, Value)>)) -> Bytes {
    let mut parts = parts(consortium);
    let header = parts[0].as_bytes().unwrap().clone();
    let Value::Map(mut fields) = coset::cbor::de::from_reader(header.as_slice()).unwrap() else { panic!() };
    change(&mut fields);
    parts[0] = Value::Bytes(encode(&Value::Map(fields)));
    tagged(18, parts)
}

fn set(fields: &mut Vec<(Value, Value)>, key: impl Into<Value>, value: impl Into<Value>) {
    let key = key.into();
    fields.retain(|(name, _)| *name != key);
    fields.push((key, value.into()));
}

fn drop_field(fields: &mut Vec<(Value, Value)>, key: impl Into<Value>) {
    let key = key.into();
    fields.retain(|(name, _)| *name != key);
}

#[test]
fn a_request_of_an_active_member_is_taken() {
    let consortium = Consortium::active(2);
    let message = consortium.message(1, "proposal", NOW, b"payload");
    let signed = proposal(&consortium, &message, Policy::ACTIVE).unwrap();
    assert_eq!(signed.member_id, consortium.member(1).id);
    assert_eq!((signed.created_at, signed.proposal_id), (NOW, None));
    assert_eq!((&signed.payload[..], signed.signature.len()), (&b"payload"[..], 96));
    assert_eq!(signed.raw, message);
}

#[test]
fn refusals_have_the_recorded_body_and_header() {
    let consortium = Consortium::accepted(1);
    let error = proposal(&consortium, &consortium.message(0, "proposal", NOW, b""), Policy::ACTIVE).unwrap_err();
    assert_eq!(
        error.body(),
        r#"{"error":{"code":"InvalidAuthenticationInfo","details":[{"auth_policy":"active_member_cose_sign1","code":"InvalidAuthenticationInfo","message":"Signer is not an ACTIVE member"}],"message":"Invalid authentication credentials."}}"#
    );
    assert_eq!(error.headers, [("www-authenticate", "COSE-SIGN1 realm=\"Signed request access\"".to_owned())]);
}

#[test]
fn accepted_members_may_sign_state_digests_only() {
    let consortium = Consortium::accepted(1);
    let message = consortium.message(0, "ack", NOW, b"");
    let mut tx = consortium.tx();
    assert!(authenticate(&mut tx, &message, Some(CONTENT_TYPE), Policy::ANY, MessageType::Ack).is_ok());
    let error = authenticate(&mut tx, &message, Some(CONTENT_TYPE), Policy::ACTIVE, MessageType::Ack).unwrap_err();
    assert_eq!(detail(&error), "Signer is not an ACTIVE member");
}

#[test]
fn the_content_type_is_exact() {
    let consortium = Consortium::active(1);
    let message = consortium.message(0, "proposal", NOW, b"");
    for (content_type, text) in [
        (None, "Missing content-type header"),
        (Some("application/json"), "Content type is not set to application/cose"),
        (Some("application/cose; charset=utf-8"), "Content type is not set to application/cose"),
    ] {
        let result = authenticate(&mut consortium.tx(), &message, content_type, Policy::ACTIVE, MessageType::Proposal);
        assert_eq!(detail(&result.unwrap_err()), text);
    }
}

#[test]
fn the_signer_must_be_known_and_must_have_signed() {
    let (ours, theirs) = (Consortium::active(2), Consortium::active(1));
    let error = proposal(&ours, &theirs.message(0, "proposal", NOW, b""), Policy::ACTIVE).unwrap_err();
    assert_eq!(detail(&error), "Signer is not a known member");
    let other = ours.member(1).id.clone().into_bytes();
    let message = with_header(&ours, |fields| set(fields, 4, Value::Bytes(other.clone())));
    assert_eq!(detail(&proposal(&ours, &message, Policy::ACTIVE).unwrap_err()), "Failed to validate COSE Sign1");
    let mut changed = parts(&ours);
    changed[2] = Value::Bytes(b"{} ".to_vec());
    let error = proposal(&ours, &tagged(18, changed), Policy::ACTIVE).unwrap_err();
    assert_eq!(detail(&error), "Failed to validate COSE Sign1");
}

#[test]
fn algorithms_must_be_those_of_the_key() {
    let consortium = Consortium::active(1);
    let es256 = with_header(&consortium, |fields| set(fields, 1, -7));
    let error = proposal(&consortium, &es256, Policy::ACTIVE).unwrap_err();
    assert_eq!(detail(&error), "Failed to validate COSE Sign1");
    let unknown = with_header(&consortium, |fields| set(fields, 1, -999));
    let error = proposal(&consortium, &unknown, Policy::ACTIVE).unwrap_err();
    assert_eq!(detail(&error), "Unsupported algorithm: -999");
}

#[test]
fn the_type_must_be_the_expected_one() {
    let consortium = Consortium::active(1);
    let error = proposal(&consortium, &consortium.message(0, "ballot", NOW, b""), Policy::ACTIVE).unwrap_err();
    assert_eq!(detail(&error), "Found ccf.gov.msg.type set to ballot, expected ccf.gov.msg.type to be proposal");
    assert_eq!(
        check_type(None, MessageType::Proposal).unwrap_err(),
        "Missing ccf.gov.msg.type, expected ccf.gov.msg.type to be proposal"
    );
}

#[test]
fn d04_what_cannot_be_decoded_is_the_callers_fault() {
    let consortium = Consortium::active(1);
    let good = consortium.message(0, "proposal", NOW, b"{}");
    let untagged = Bytes::from(encode(&Value::Array(parts(&consortium))));
    for body in [
        Bytes::new(),
        Bytes::from_static(b"\xff\x00garbage"),
        Bytes::from_static(b"hello"),
        good.slice(..good.len() - 5),
        [&good[..], &[0, 0]].concat().into(),
        untagged,
        tagged(98, parts(&consortium)),
        tagged(18, parts(&consortium)[..3].to_vec()),
    ] {
        let error = proposal(&consortium, &body, Policy::ACTIVE).unwrap_err();
        assert_eq!((error.status, error.code), (400, "InvalidInput"), "{error}");
        assert!(error.headers.is_empty());
    }
}

type Change = Box<dyn Fn(&mut Vec<(Value, Value)>)>;

#[test]
fn d04_a_wrong_header_is_named() {
    let consortium = Consortium::active(1);
    const TYPE: &str = "ccf.gov.msg.type";
    const CREATED_AT: &str = "ccf.gov.msg.created_at";
    let cases: Vec<(&str, Change)> = vec![
        ("alg", Box::new(|fields| drop_field(fields, 1))),
        ("alg", Box::new(|fields| set(fields, 1, "ES384"))),
        ("kid", Box::new(|fields| drop_field(fields, 4))),
        ("kid", Box::new(|fields| set(fields, 4, "text"))),
        ("msg.type", Box::new(|fields| set(fields, TYPE, 5))),
        ("created_at", Box::new(|fields| drop_field(fields, CREATED_AT))),
        ("created_at", Box::new(|fields| set(fields, CREATED_AT, "today"))),
        ("created_at", Box::new(|fields| set(fields, CREATED_AT, 1.5))),
        ("created_at", Box::new(|fields| set(fields, CREATED_AT, -1))),
        ("created_at", Box::new(|fields| set(fields, CREATED_AT, u64::MAX))),
        ("created_at", Box::new(|fields| set(fields, CREATED_AT, Value::Tag(1, Box::new(Value::from(NOW)))))),
        ("proposal_id", Box::new(|fields| set(fields, "ccf.gov.msg.proposal_id", 5))),
    ];
    for (name, change) in cases {
        let error = proposal(&consortium, &with_header(&consortium, change), Policy::ACTIVE).unwrap_err();
        assert_eq!((error.status, error.code), (400, "InvalidInput"));
        assert!(error.message.contains(name), "{name}: {error}");
    }
}

#[test]
fn malformed_signatures_are_refused() {
    let consortium = Consortium::active(1);
    for (index, value) in [(3, Value::Bytes(Vec::new())), (3, Value::Bytes(vec![1; 95])), (2, Value::Null)] {
        let mut parts = parts(&consortium);
        parts[index] = value;
        let error = proposal(&consortium, &tagged(18, parts), Policy::ACTIVE).unwrap_err();
        assert_eq!(detail(&error), "Failed to validate COSE Sign1");
    }
}

#[test]
fn other_headers_do_not_matter() {
    let consortium = Consortium::active(1);
    let message = with_header(&consortium, |fields| set(fields, "ccf.gov.msg.other", "x"));
    let header = header::parse(&message).unwrap();
    assert_eq!((header.alg, header.msg_type.as_deref()), (-35, Some("proposal")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_are_never_taken_by_chance(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let consortium = Consortium::active(1);
        let error = proposal(&consortium, &body.into(), Policy::ACTIVE).unwrap_err();
        prop_assert!(matches!(error.status, 400 | 401));
    }
}
