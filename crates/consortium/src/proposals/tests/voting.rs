use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;

#[test]
fn d06_the_same_ballot_again_is_resolved_again() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let mut tx = consortium.tx();
    tx.remove(tables::MEMBERS_INFO, consortium.member(1).id.clone().into_bytes());
    consortium.commit(tx);
    let again = vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    assert_eq!((&again["ballotCount"], &again["proposalState"]), (&json!(1), &json!("Accepted")));
}

/// Ballots stand in the ledger, so whoever reads it can send them again, with a megabyte of header that nobody signed.
#[test]
fn a_ballot_sent_again_writes_nothing() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let signed = consortium.signed(0, MessageType::Ballot, Some(&id), r#"{"ballot":"yes"}"#);
    let signed = Signed { raw: "longer".into(), ..signed };
    let mut tx = consortium.tx();
    with_scripts(&engine, |scripts| submit_ballot(&mut tx, &signed, &id, &signed.member_id, scripts, &context()))
        .unwrap();
    assert!(tx.is_read_only(), "{:?}", tx.writes());
}

#[test]
fn another_ballot_is_refused() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let error = vote(&mut consortium, &engine, &id, 0, "no").unwrap_err();
    assert_eq!(error.code, "VoteAlreadyExists");
    assert_eq!(
        error.message,
        format!("Different ballot already submitted by m[{}] for {id}.", consortium.member(0).id)
    );
}

#[test]
fn ballots_need_an_open_proposal_and_a_path_that_fits() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let unknown = "0".repeat(64);
    assert_eq!(vote(&mut consortium, &engine, &unknown, 0, "yes").unwrap_err().code, "ProposalNotFound");
    let id = propose(&mut consortium, &engine);
    let submit = |signed: &Signed, id: &str, member: &str| {
        let mut tx = consortium.tx();
        with_scripts(&engine, |scripts| submit_ballot(&mut tx, signed, id, member, scripts, &context())).unwrap_err()
    };
    let (m0, m1) = (consortium.member(0).id.clone(), consortium.member(1).id.clone());
    let payload = r#"{"ballot":"yes"}"#;
    let signed = consortium.signed(0, MessageType::Ballot, Some(&id), payload);
    assert_eq!(submit(&signed, &id, &m1).message, "Authenticated member id does not match URL");
    assert_eq!(submit(&signed, &unknown, &m0).message, "Authenticated proposal id does not match URL");
    assert_eq!(submit(&signed, "xyz", &m0).message, "'xyz' is not a valid hex-encoded proposal ID");
    let unnamed = consortium.signed(0, MessageType::Ballot, None, payload);
    assert_eq!(submit(&unnamed, &id, &m0).message, "Authenticated proposal id does not match URL");
    for payload in ["", "nope", "{}", r#"{"ballot":5}"#] {
        let signed = consortium.signed(0, MessageType::Ballot, Some(&id), payload);
        assert_eq!(submit(&signed, &id, &m0).code, "InvalidInput", "{payload}");
    }
    vote(&mut consortium, &engine, &id, 0, "no").unwrap();
    let error = vote(&mut consortium, &engine, &id, 1, "yes").unwrap_err();
    assert_eq!(
        error.message,
        format!("Proposal {id} is currently in state rejected - only open proposals can receive votes")
    );
}

#[test]
fn d04_a_ballot_that_cannot_be_called_is_refused() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    for ballot in ["broken", "empty"] {
        let error = vote(&mut consortium, &engine, &id, 0, ballot).unwrap_err();
        assert_eq!((error.status, error.code), (400, "InvalidInput"));
        assert!(error.message.contains("vote"), "{error}");
    }
    assert!(stored_info(&consortium, &id).ballots.is_empty());
}

#[test]
fn truth_as_in_javascript_is_a_vote_for_it_and_failing_ballots_are_none() {
    let mut consortium = Consortium::active(3);
    let engine = Closures::unanimous().with("resolve", |call, _| {
        let count = call.arguments[2].as_array().unwrap().len();
        value(json!(if count == 2 { "Rejected" } else { "Open" }))
    });
    let id = propose(&mut consortium, &engine);
    assert_eq!(vote(&mut consortium, &engine, &id, 1, "throws").unwrap()["proposalState"], "Open");
    vote(&mut consortium, &engine, &id, 2, "truthy").unwrap();
    let last = vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let (m0, m1, m2) = (&consortium.member(0).id, &consortium.member(1).id, &consortium.member(2).id);
    assert_eq!(last["finalVotes"], json!({m0: true, m2: true}));
    assert_eq!(last["voteFailures"], json!({m1: {"reason": "Error: no", "trace": "    at here"}}));
}

#[test]
fn d18_ballots_of_removed_members_do_not_run() {
    let mut consortium = Consortium::active(3);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 1, "yes").unwrap();
    let mut tx = consortium.tx();
    tx.remove(tables::MEMBERS_INFO, consortium.member(1).id.clone().into_bytes());
    consortium.commit(tx);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let last = vote(&mut consortium, &engine, &id, 2, "yes").unwrap();
    assert_eq!(last["proposalState"], "Accepted");
    assert_eq!(last["finalVotes"].as_object().unwrap().len(), 2);
    assert_eq!(last["ballotCount"], 3);
}

#[test]
fn d20_proposals_that_wait_for_a_member_are_resolved_when_it_is_active() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous().with("resolve", |_, tables| {
        let members = tables.entries(tables::MEMBERS_INFO);
        let waits = members.iter().any(|(_, value)| String::from_utf8_lossy(value).contains("Accepted"));
        value(json!(if waits { "Open" } else { "Accepted" }))
    });
    let newcomer = "ab".repeat(32);
    let mut tx = consortium.tx();
    tx.put(tables::MEMBERS_INFO, newcomer.clone(), r#"{"status":"Accepted"}"#);
    consortium.commit(tx);
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    assert_eq!(waiting(&mut consortium.tx()).unwrap(), std::slice::from_ref(&id));
    let again = |consortium: &mut Consortium| {
        let mut tx = consortium.tx();
        let decided =
            with_scripts(&engine, |scripts| reresolve(&mut tx, &id, &newcomer, 55, scripts, &context()).unwrap());
        let unchanged = tx.is_read_only();
        consortium.commit(tx);
        (decided.map(|decided| body(&decided.output)["proposalState"].clone()), unchanged)
    };
    assert_eq!(again(&mut consortium), (Some(json!("Open")), true));
    let mut tx = consortium.tx();
    members::activate(&mut tx, &newcomer).unwrap();
    consortium.commit(tx);
    assert_eq!(again(&mut consortium), (Some(json!("Accepted")), false));
    assert_eq!(engine.calls.lock().unwrap().last().unwrap().created_at_ms, 55_000);
    assert_eq!(again(&mut consortium), (None, true));
    assert!(waiting(&mut consortium.tx()).unwrap().is_empty());
}

/// Whatever is decided, the transaction that decides it says on which signed request.
#[test]
fn d39_a_decision_is_recorded_with_the_request_that_it_decided_on() {
    let mut consortium = Consortium::active(2);
    let late = Closures::unanimous().with("resolve", |call, _| {
        value(json!(if call.created_at_ms >= 1_700_000_000_000 + 5_000 { "Accepted" } else { "Open" }))
    });
    let id = propose(&mut consortium, &late);
    vote(&mut consortium, &late, &id, 0, "yes").unwrap();
    let again = |consortium: &mut Consortium, later: i64| {
        let ballot = json!({ "ballot": "yes" }).to_string();
        let first = consortium.signed(0, MessageType::Ballot, Some(&id), ballot);
        let raw = format!("again after {later} s").into();
        let signed = Signed { created_at: first.created_at + later, raw, ..first };
        let mut tx = consortium.tx();
        let member = signed.member_id.clone();
        with_scripts(&late, |scripts| submit_ballot(&mut tx, &signed, &id, &member, scripts, &context())).unwrap();
        let history = tx.get(tables::COSE_HISTORY, member.as_bytes()).unwrap();
        let wrote = !tx.is_read_only();
        consortium.commit(tx);
        (wrote, history)
    };
    let (wrote, first) = again(&mut consortium, 1);
    assert!(!wrote, "nothing is recorded where nothing is decided");
    let (wrote, second) = again(&mut consortium, 5);
    assert!(wrote && first != second);
    assert_eq!(stored_info(&consortium, &id).state, ProposalState::Accepted);
}

#[test]
fn d39_what_an_acknowledgement_decides_is_recorded_with_it() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let engine = Closures::unanimous().with("resolve", |_, _| value(json!("Accepted")));
    let member = consortium.member(1).id.clone();
    let message = STANDARD.encode(consortium.message(1, "ack", 77, b"{}"));
    let mut tx = consortium.tx();
    let ack = json!({"cose_sign1_req": message, "state_digest": "00"});
    tx.put(tables::MEMBERS_ACKS, member.clone(), ack.to_string());
    consortium.commit(tx);
    let mut tx = consortium.tx();
    with_scripts(&engine, |scripts| reresolve(&mut tx, &id, &member, 76, scripts, &context()).unwrap());
    assert_eq!(tx.get(tables::COSE_HISTORY, member.as_bytes()).unwrap(), json!(message).to_string());
    assert_eq!(engine.calls.lock().unwrap().last().unwrap().created_at_ms, 77_000, "the time that it was signed with");
}
