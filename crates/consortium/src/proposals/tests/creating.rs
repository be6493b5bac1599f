use super::*;

#[test]
fn a_proposal_is_created_voted_and_accepted() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let created = propose_as(&mut consortium, &engine, 0, 100).unwrap();
    let id = created["proposalId"].as_str().unwrap().to_owned();
    assert_eq!(
        created,
        json!({"ballotCount": 0, "proposalId": id, "proposalState": "Open", "proposerId": consortium.member(0).id})
    );
    let expected = crypto::sha256_parts(&[&[100; 32], &crypto::sha256(&[7; 96])]);
    assert_eq!(id, hex::encode(expected));
    let first = vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    assert_eq!((&first["ballotCount"], &first["proposalState"]), (&json!(1), &json!("Open")));
    assert!(first.get("finalVotes").is_none());
    let second = vote(&mut consortium, &engine, &id, 1, "yes").unwrap();
    let (m0, m1) = (&consortium.member(0).id, &consortium.member(1).id);
    assert_eq!(
        second,
        json!({"ballotCount": 2, "finalVotes": {m0: true, m1: true}, "proposalId": id, "proposalState": "Accepted",
               "proposerId": m0, "voteFailures": {}})
    );
    assert_eq!(engine.ran(), ["validate", "resolve", "yes", "resolve", "yes", "yes", "resolve", "apply"]);
    let mut tx = consortium.tx();
    assert_eq!(actions(&mut tx, &id).unwrap().body, Body::Raw(PROPOSAL.into()));
    assert_eq!(ballot(&mut tx, &id, m1).unwrap().body, Body::JavaScript("yes".into()));
    assert_eq!(tx.get(tables::COSE_HISTORY, m1.as_bytes()).unwrap(), r#""cmF3""#);
}

#[test]
fn the_transaction_must_follow_the_root() {
    let consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let signed = consortium.signed(0, MessageType::Proposal, None, PROPOSAL);
    let mut tx = consortium.tx();
    with_scripts(&engine, |scripts| {
        let validated = validate(&mut consortium.tx(), &signed, scripts).unwrap();
        create(&mut tx, &signed, &validated, &[1; 32], scripts, &context()).unwrap();
    });
    assert!(tx.into_parts().0.is_exact());
}

#[test]
fn a_proposal_is_not_created_with_the_validation_of_another() {
    let consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let signed = consortium.signed(0, MessageType::Proposal, None, PROPOSAL);
    let other = consortium.signed(0, MessageType::Proposal, None, "{}");
    with_scripts(&engine, |scripts| {
        let validated = validate(&mut consortium.tx(), &other, scripts).unwrap();
        let result = create(&mut consortium.tx(), &signed, &validated, &[1; 32], scripts, &context());
        assert_eq!(result.unwrap_err().status, 500);
    });
}

#[test]
fn what_does_not_validate_is_refused() {
    let invalid = json!({"valid": false, "description": "no_such_action: no such action"});
    let cases: [(Result<Outcome, ScriptError>, u16, &str); 5] = [
        (value(invalid), 400, "Proposal failed to validate: no_such_action: no such action"),
        (value(json!({"valid": 1})), 400, "Proposal failed to validate: "),
        (value(json!("yes")), 500, "Validation failed to return an object"),
        (Err(ScriptError::Busy { limit: 3 }), 503, "too many scripts are waiting (3); try again later"),
        (Err(ScriptError::Starved), 503, "the machine is too busy to run scripts; try again later"),
    ];
    for (outcome, status, message) in cases {
        let mut consortium = Consortium::active(1);
        let engine = Closures::unanimous().with("validate", move |_, _| outcome.clone());
        let error = propose_as(&mut consortium, &engine, 0, 100).unwrap_err();
        assert_eq!((error.status, error.message.as_str()), (status, message));
    }
}

#[test]
fn d04_a_payload_that_validation_cannot_take_is_the_proposers_fault() {
    for outcome in [Err(threw("TypeError: value is not iterable")), Err(ScriptError::TimeLimit)] {
        let mut consortium = Consortium::active(1);
        let engine = Closures::unanimous().with("validate", move |_, _| outcome.clone());
        let error = propose_as(&mut consortium, &engine, 0, 100).unwrap_err();
        assert_eq!((error.status, error.code), (400, "ProposalFailedToValidate"));
        assert!(error.message.starts_with("Failed to execute validation: "), "{error}");
    }
    let consortium = Consortium::active(1);
    let signed = consortium.signed(0, MessageType::Proposal, None, vec![0xff, 0xfe]);
    let engine = Closures::unanimous();
    let error = with_scripts(&engine, |scripts| validate(&mut consortium.tx(), &signed, scripts)).unwrap_err();
    assert_eq!((error.status, error.code), (400, "InvalidInput"));
}

/// JavaScript takes more for JSON than whoever reads the proposal later, and one that cannot be read spoils all lists.
#[test]
fn d04_a_proposal_that_only_javascript_can_read_is_refused() {
    let consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for value in [deep.as_str(), "1e400", r#""\ud800""#] {
        let payload = format!(r#"{{"actions":[{{"name":"x","args":{value}}}]}}"#);
        let signed = consortium.signed(0, MessageType::Proposal, None, payload);
        let error = with_scripts(&engine, |scripts| validate(&mut consortium.tx(), &signed, scripts)).unwrap_err();
        assert_eq!((error.status, error.code), (400, "ProposalFailedToValidate"), "{error}");
        assert!(error.message.contains("line 1 column"), "{error}");
    }
}

/// What members read before they vote is what is applied.
#[test]
fn a_proposal_that_readers_take_for_another_is_refused() {
    let consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let refusal = |value: &str| {
        let payload = format!(r#"{{"actions":[{{"name":"x","args":{value}}}]}}"#);
        let signed = consortium.signed(0, MessageType::Proposal, None, payload);
        with_scripts(&engine, |scripts| validate(&mut consortium.tx(), &signed, scripts)).err().map(|why| why.message)
    };
    for value in ["9007199254740993", "18446744073709551615", "-9007199254740993", r#"{"a":[{"b":9007199254740993}]}"#]
    {
        assert!(refusal(value).unwrap().contains("integers go up to 9007199254740992, not"), "{value}");
    }
    for value in [r#"{"data":1,"data":2}"#, r#"{"a":1,"\u0061":1}"#, r#"{"__proto__":1,"__proto__":2}"#] {
        assert!(refusal(value).unwrap().contains("duplicate member"), "{value}");
    }
    for value in
        ["9007199254740992", "-9007199254740992", "0.1", "1e300", r#""9007199254740993""#, r#"{"__proto__":1}"#]
    {
        assert_eq!(refusal(value), None, "{value}");
    }
}

#[test]
fn requests_are_not_replayed() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    let error = propose_as(&mut consortium, &engine, 0, 100).unwrap_err();
    assert_eq!(error.message, format!("Proposal submission replay, already exists as proposal {id}"));
}

#[test]
fn scripts_get_the_recorded_arguments() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let calls = engine.calls.lock().unwrap();
    let member = &consortium.member(0).id;
    let (ballot, resolve, apply) = (&calls[2], &calls[3], &calls[4]);
    assert_eq!(calls[0].arguments, [json!(PROPOSAL)]);
    assert_eq!(ballot.module_name, format!("public:ccf.gov.proposals_info[{id}].ballots[m[{member}]]"));
    assert_eq!(ballot.arguments, [json!(PROPOSAL), json!(member)]);
    assert_eq!(resolve.module_name, "public:ccf.gov.constitution[0]");
    assert_eq!(
        resolve.arguments,
        [json!(PROPOSAL), json!(member), json!([{"member_id": member, "vote": true}]), json!(id)]
    );
    assert_eq!(apply.arguments, [json!(PROPOSAL), json!(id)]);
}

#[test]
fn d39_time_is_the_requests_and_chance_the_proposals() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let calls = engine.calls.lock().unwrap();
    let seed = hex::decode(&id).unwrap();
    assert_eq!((calls[0].created_at_ms, &calls[0].seed), (100_000, &crypto::sha256(&[7; 96])));
    assert_eq!((calls[1].created_at_ms, &calls[1].seed[..]), (100_000, &seed[..]));
    for call in &calls[2..] {
        assert_eq!((call.created_at_ms, &call.seed[..]), (1_700_000_000_000, &seed[..]), "{}", call.function);
    }
}

#[test]
fn an_accepted_proposal_is_applied_with_its_effects() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous().with("apply", |call, tables| {
        let id = call.arguments[1].as_str().unwrap();
        let info = tables.get(tables::PROPOSALS_INFO, id.as_bytes()).unwrap();
        let info: ProposalInfo = serde_json::from_slice(&info).unwrap();
        assert_eq!((info.state, info.final_votes.unwrap().len()), (ProposalState::Accepted, 1));
        let write = TableWrite { table: "public:ccf.gov.x".into(), key: b"k".to_vec(), value: Some(b"v".to_vec()) };
        Ok(Outcome { value: Value::Null, writes: vec![write], effects: vec![Effect::ChunkLedger] })
    });
    let id = propose(&mut consortium, &engine);
    let signed = consortium.signed(0, MessageType::Ballot, Some(&id), r#"{"ballot":"yes"}"#);
    let mut tx = consortium.tx();
    let decided = with_scripts(&engine, |scripts| {
        submit_ballot(&mut tx, &signed, &id, &signed.member_id, scripts, &context()).unwrap()
    });
    assert_eq!(decided.effects, [NodeEffect::ChunkLedger]);
    assert_eq!(tx.get("public:ccf.gov.x", b"k").unwrap(), "v");
}
