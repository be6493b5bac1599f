use kv::UNIT_KEY;

use super::*;
use crate::{effects, testing::service_certificate};

#[test]
fn d19_an_apply_that_throws_keeps_the_vote_and_nothing_else() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous().with("apply", |_, tables| {
        tables.get("public:ccf.gov.marker", b"k");
        Err(threw("Error: Member does not exist"))
    });
    let id = propose(&mut consortium, &engine);
    let failed = vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    assert_eq!((&failed["proposalState"], &failed["ballotCount"]), (&json!("Failed"), &json!(1)));
    assert_eq!(
        failed["failure"],
        json!({"reason": "Failed to apply(): Error: Member does not exist", "trace": "    at here"})
    );
    let info = stored_info(&consortium, &id);
    assert_eq!((info.state, info.final_votes.unwrap().len()), (ProposalState::Failed, 1));
}

#[test]
fn d19_what_a_failed_apply_had_written_is_dropped_and_what_it_read_counts() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous().with("apply", |_, tables| {
        assert!(tables.get("public:ccf.gov.marker", b"k").is_none());
        let write = TableWrite { table: "public:ccf.gov.x".into(), key: b"k".to_vec(), value: Some(b"v".to_vec()) };
        let effects = vec![Effect::TransitionServiceToOpen { previous: None, next: "not this service".into() }];
        Ok(Outcome { value: Value::Null, writes: vec![write], effects })
    });
    let id = propose(&mut consortium, &engine);
    let signed = consortium.signed(0, MessageType::Ballot, Some(&id), r#"{"ballot":"yes"}"#);
    let mut tx = consortium.tx();
    let decided = with_scripts(&engine, |scripts| {
        submit_ballot(&mut tx, &signed, &id, &signed.member_id, scripts, &context()).unwrap()
    });
    let failed = body(&decided.output);
    assert_eq!((&failed["proposalState"], decided.effects.len()), (&json!("Failed"), 0));
    assert!(failed["failure"]["reason"].as_str().unwrap().contains("Service identity mismatch"));
    assert!(!tx.has("public:ccf.gov.x", b"k"));
    let (reads, writes) = tx.into_parts();
    assert!(writes.map(tables::COSE_HISTORY).is_some());
    assert!(reads.map_names().contains("public:ccf.gov.marker"));
}

#[test]
fn what_the_service_cannot_do_without_stays_readable() {
    let certificate = Consortium::active(1).member(0).certificate.clone();
    let foreign = json!({ "cert": certificate, "status": "Opening" }).to_string();
    for (table, key, value) in [
        (tables::SERVICE_INFO, &[0; 8][..], Some("garbage")),
        (tables::SERVICE_INFO, &[0; 8], Some(r#"{"cert":"none","status":"Opening"}"#)),
        (tables::SERVICE_INFO, &[0; 8], Some(foreign.as_str())),
        (tables::SERVICE_INFO, &[0; 8], None),
        (tables::SERVICE_CONFIG, &[0; 8], Some(r#"{"recovery_threshold":"two"}"#)),
        (tables::CONSTITUTION, &[0; 8], Some("export function validate() {}")),
        (tables::MEMBERS_INFO, b"somebody", Some(r#"{"status":"Busy"}"#)),
    ] {
        let mut consortium = Consortium::active(1);
        let write = TableWrite { table: table.into(), key: key.to_vec(), value: value.map(Into::into) };
        let engine = Closures::unanimous().with("apply", move |_, _| {
            Ok(Outcome { value: Value::Null, writes: vec![write.clone()], effects: Vec::new() })
        });
        let id = propose(&mut consortium, &engine);
        let failed = vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
        assert_eq!(failed["proposalState"], "Failed", "{table}");
        assert!(failed["failure"]["reason"].as_str().unwrap().contains(table), "{failed}");
    }
}

/// Each start of the node issues shares, so a proposal that makes that impossible would be the last one.
#[test]
fn an_open_service_keeps_members_who_could_recover_it() {
    let changes = [
        (tables::MEMBERS_INFO, Some(r#"{"status":"Accepted"}"#)),
        (tables::MEMBERS_INFO, Some(r#"{"status":"Active","recovery_role":"NonParticipant"}"#)),
        (tables::MEMBERS_INFO, None),
        (tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, Some("RSA")),
        (tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, None),
        (tables::SERVICE_CONFIG, Some(r#"{"recovery_threshold":2}"#)),
        (tables::SERVICE_CONFIG, None),
    ];
    for (is_open, (table, value)) in [true, false].into_iter().flat_map(|open| changes.map(|change| (open, change))) {
        let mut consortium = Consortium::active(2);
        if is_open {
            let effect = Effect::TransitionServiceToOpen { previous: None, next: service_certificate().into() };
            let mut tx = consortium.tx();
            effects::apply(&mut tx, effect, &context()).unwrap();
            consortium.commit(tx);
        }
        let of_service = table == tables::SERVICE_CONFIG;
        let key = if of_service { UNIT_KEY.to_vec() } else { consortium.member(0).id.clone().into_bytes() };
        let write = TableWrite { table: table.into(), key, value: value.map(Into::into) };
        let engine = Closures::unanimous().with("apply", move |_, _| {
            Ok(Outcome { value: Value::Null, writes: vec![write.clone()], effects: Vec::new() })
        });
        let id = propose(&mut consortium, &engine);
        vote(&mut consortium, &engine, &id, 1, "yes").unwrap();
        let voted = vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
        let expected = if is_open { "Failed" } else { "Accepted" };
        assert_eq!(voted["proposalState"], expected, "{table} {value:?}: {voted}");
        assert!(!is_open || voted["failure"]["reason"].as_str().unwrap().contains("recovery shares"), "{voted}");
    }
}

#[test]
fn a_resolve_that_fails_decides_nothing() {
    for (outcome, message) in [
        (Err(threw("Error: x")), "Failed to resolve(): Error: x\nTrace:     at here"),
        (Err(ScriptError::TimeLimit), "Failed to resolve(): Operation took too long to complete.\nTrace: N/A"),
        (value(json!("Maybe")), "resolve() returned invalid status value: \"Maybe\"\nTrace: N/A"),
        (value(Value::Null), "resolve() returned invalid status value: \"null\"\nTrace: N/A"),
    ] {
        let mut consortium = Consortium::active(1);
        let engine = Closures::unanimous().with("resolve", move |_, _| outcome.clone());
        let error = propose_as(&mut consortium, &engine, 0, 100).unwrap_err();
        assert_eq!((error.status, error.message.as_str()), (500, message));
    }
}

#[test]
fn d41_a_ballot_that_hits_a_limit_is_kept_marked_and_never_run_again() {
    let mut consortium = Consortium::active(3);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    let (m0, m1) = (consortium.member(0).id.clone(), consortium.member(1).id.clone());
    let kept = vote(&mut consortium, &engine, &id, 1, "loops").unwrap();
    assert_eq!((&kept["ballotCount"], &kept["proposalState"]), (&json!(1), &json!("Open")));
    let info = stored_info(&consortium, &id);
    assert_eq!(info.limited_ballots[&m1].reason, "Operation took too long to complete.");
    engine.ran();
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    assert_eq!(engine.ran(), ["yes", "resolve"]);
    vote(&mut consortium, &engine, &id, 1, "loops").unwrap();
    assert_eq!(engine.ran(), ["yes", "resolve"]);
    let rejected = vote(&mut consortium, &engine, &id, 2, "no").unwrap();
    assert_eq!(rejected["finalVotes"].as_object().unwrap().len(), 2);
    assert_eq!(rejected["finalVotes"][&m0], true);
    assert_eq!(rejected["voteFailures"], json!({m1: {"reason": "Operation took too long to complete."}}));
}

#[test]
fn d41_no_ballot_uses_up_the_time_of_others_or_of_resolve() {
    let mut consortium = Consortium::active(4);
    let engine = Closures::unanimous().with("later", |_, _| value(json!(true)));
    let id = propose(&mut consortium, &engine);
    // Two ballots of earlier rounds turn into endless loops, whichever runs first.
    let mut tx = consortium.tx();
    let mut info = stored_info(&consortium, &id);
    for member in &consortium.by_id()[..2] {
        info.ballots.insert(member.id.clone(), "loops".into());
    }
    tx.put(tables::PROPOSALS_INFO, id.clone(), json!(info).to_string());
    consortium.commit(tx);
    let third = consortium.by_id()[2].id.clone();
    let index = (0..4).find(|index| consortium.member(*index).id == third).unwrap();
    vote(&mut consortium, &engine, &id, index, "yes").unwrap();
    assert_eq!(stored_info(&consortium, &id).limited_ballots.len(), 2);
    assert_eq!(engine.ran().last().unwrap(), "resolve");
}

#[test]
fn a_busy_sandbox_decides_nothing() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    let error = vote(&mut consortium, &engine, &id, 0, "busy").unwrap_err();
    assert_eq!((error.status, error.headers[0].0), (503, "retry-after"));
}
