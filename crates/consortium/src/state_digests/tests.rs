use super::*;
use crate::{
    envelope::MessageType,
    testing::{Consortium, ROOT, body, context},
};

fn update_of(consortium: &mut Consortium, index: usize) -> String {
    let mut tx = consortium.tx();
    let id = consortium.member(index).id.clone();
    let signed = consortium.signed(index, MessageType::StateDigest, None, "");
    let digest = body(&update(&mut tx, &signed, &id).unwrap());
    assert_eq!(digest["memberId"], id.as_str());
    consortium.commit(tx);
    digest["stateDigest"].as_str().unwrap().to_owned()
}

fn ack_of(consortium: &mut Consortium, index: usize, payload: &Value) -> Result<Acknowledged, ApiError> {
    let mut tx = consortium.tx();
    let id = consortium.member(index).id.clone();
    let signed = consortium.signed(index, MessageType::Ack, None, payload.to_string());
    let acknowledged = acknowledge(&mut tx, &signed, &id, &context())?;
    consortium.commit(tx);
    Ok(acknowledged)
}

#[test]
fn a_member_becomes_active_by_confirming_the_digest() {
    let mut consortium = Consortium::accepted(1);
    let id = consortium.member(0).id.clone();
    assert_eq!(body(&read(&mut consortium.tx(), &id).unwrap())["stateDigest"], "");
    assert_eq!(update_of(&mut consortium, 0), ROOT);
    let digest = body(&read(&mut consortium.tx(), &id).unwrap());
    let acknowledged = ack_of(&mut consortium, 0, &digest).unwrap();
    assert_eq!((acknowledged.output.status, acknowledged.activated), (204, true));
    assert_eq!(members::info(&mut consortium.tx(), &id).unwrap().unwrap().status, Status::Active);
    let stored = stored::text(&mut consortium.tx(), tables::MEMBERS_ACKS, id.as_bytes()).unwrap();
    assert_eq!(stored, format!(r#"{{"cose_sign1_req":"cmF3","state_digest":"{ROOT}"}}"#));
    let again = ack_of(&mut consortium, 0, &digest).unwrap();
    assert!(!again.activated);
}

/// Acknowledgements stand in the ledger, so whoever reads it can send them again.
#[test]
fn an_acknowledgement_sent_again_writes_nothing() {
    let mut consortium = Consortium::accepted(1);
    let id = consortium.member(0).id.clone();
    let payload = json!({ "stateDigest": update_of(&mut consortium, 0) }).to_string();
    let request = |consortium: &Consortium| {
        let raw = consortium.message(0, "ack", 5, payload.as_bytes());
        Signed { raw, ..consortium.signed(0, MessageType::Ack, None, payload.clone()) }
    };
    let mut tx = consortium.tx();
    acknowledge(&mut tx, &request(&consortium), &id, &context()).unwrap();
    consortium.commit(tx);
    let mut tx = consortium.tx();
    let again = acknowledge(&mut tx, &request(&consortium), &id, &context()).unwrap();
    assert_eq!((again.output.status, again.activated, tx.is_read_only()), (204, false, true));
    // Another digest is something new to acknowledge, and so is the same after the member was set again.
    let mut tx = consortium.tx();
    tx.put(tables::MEMBERS_INFO, id.clone(), r#"{"status":"Accepted"}"#);
    assert!(acknowledge(&mut tx, &request(&consortium), &id, &context()).unwrap().activated);
}

#[test]
fn another_digest_is_refused_with_both() {
    let mut consortium = Consortium::accepted(1);
    update_of(&mut consortium, 0);
    let zero = "0".repeat(64);
    let error = ack_of(&mut consortium, 0, &json!({ "stateDigest": zero })).unwrap_err();
    assert_eq!(error.code, "StateDigestMismatch");
    assert_eq!(error.message, format!("Submitted state digest is not valid.\nExpected\n {ROOT}\nReceived\n {zero}"));
}

#[test]
fn nothing_is_confirmed_before_a_digest_was_fetched() {
    let mut consortium = Consortium::accepted(1);
    let error = ack_of(&mut consortium, 0, &json!({ "stateDigest": "" })).unwrap_err();
    assert_eq!(error.code, "StateDigestMismatch");
}

#[test]
fn a_payload_without_digest_is_refused() {
    let mut consortium = Consortium::accepted(1);
    for payload in [json!({}), json!([]), json!({ "stateDigest": 5 })] {
        let error = ack_of(&mut consortium, 0, &payload).unwrap_err();
        assert_eq!(error.code, "InvalidInput");
        assert!(error.message.contains("\"stateDigest\""));
    }
}

#[test]
fn path_and_signer_must_agree() {
    let consortium = Consortium::accepted(2);
    let signed = consortium.signed(0, MessageType::Ack, None, "{}");
    let other = &consortium.member(1).id;
    let error = acknowledge(&mut consortium.tx(), &signed, other, &context()).unwrap_err();
    assert_eq!((error.status, error.code), (400, "InvalidAuthenticationInfo"));
    assert_eq!(
        error.message,
        format!(
            "Member ID from path parameter (m[{other}]) does not match member ID from body signature (m[{}]).",
            consortium.member(0).id
        )
    );
    assert_eq!(update(&mut consortium.tx(), &signed, other).unwrap_err().code, "InvalidAuthenticationInfo");
}

#[test]
fn members_without_record_are_told() {
    let consortium = Consortium::accepted(1);
    let id = consortium.member(0).id.clone();
    let mut tx = consortium.tx();
    tx.remove(tables::MEMBERS_ACKS, id.clone().into_bytes());
    let error = read(&mut tx, &id).unwrap_err();
    assert_eq!((error.status, error.message), (404, format!("No ACK record exists for member m[{id}].")));
    let signed = consortium.signed(0, MessageType::Ack, None, "{}");
    let error = acknowledge(&mut tx, &signed, &id, &context()).unwrap_err();
    assert_eq!((error.status, error.code), (403, "AuthorizationFailed"));
}

#[test]
fn before_the_first_signature_there_is_nothing_to_confirm() {
    let mut tx = Tx::new(kv::State::default());
    let consortium = Consortium::accepted(1);
    let signed = consortium.signed(0, MessageType::StateDigest, None, "");
    assert_eq!(update(&mut tx, &signed, &consortium.member(0).id).unwrap_err().status, 503);
}

#[test]
fn an_update_does_not_conflict_with_signatures() {
    let mut consortium = Consortium::accepted(1);
    let mut tx = consortium.tx();
    let signed = consortium.signed(0, MessageType::StateDigest, None, "");
    update(&mut tx, &signed, &consortium.member(0).id).unwrap();
    let mut signature = consortium.tx();
    signature.put(tables::SIGNATURES, UNIT_KEY.to_vec(), r#"{"root":"00"}"#);
    consortium.commit(signature);
    consortium.commit(tx);
}

fn set_status(consortium: &mut Consortium, status: ServiceStatus) {
    let mut tx = consortium.tx();
    let info = service::ServiceInfo { status, ..service::record(&mut tx).unwrap() };
    tx.put(tables::SERVICE_INFO, UNIT_KEY.to_vec(), json!(info).to_string());
    consortium.commit(tx);
}

#[test]
fn a_new_holder_of_an_open_service_causes_new_shares() {
    let mut consortium = Consortium::accepted(2);
    set_status(&mut consortium, ServiceStatus::Open);
    let digest = json!({ "stateDigest": update_of(&mut consortium, 1) });
    ack_of(&mut consortium, 1, &digest).unwrap();
    assert!(!consortium.tx().has(tables::RECOVERY_SHARES, &UNIT_KEY), "member 1 holds none");
    let digest = json!({ "stateDigest": update_of(&mut consortium, 0) });
    ack_of(&mut consortium, 0, &digest).unwrap();
    assert!(consortium.tx().has(tables::RECOVERY_SHARES, &UNIT_KEY));
}

#[test]
fn holders_are_not_activated_during_a_recovery() {
    let mut consortium = Consortium::accepted(1);
    let digest = json!({ "stateDigest": update_of(&mut consortium, 0) });
    set_status(&mut consortium, ServiceStatus::Recovering);
    let error = ack_of(&mut consortium, 0, &digest).unwrap_err();
    assert_eq!(error.message, "Recovery members cannot be activated during recovery.");
}
