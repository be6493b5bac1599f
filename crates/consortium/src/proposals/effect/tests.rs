//! Foreseeing, with closures in place of scripts.

use constitution::{Effect, Outcome, ScriptError, TableWrite};
use kv::UNIT_KEY;

use super::*;
use crate::{
    envelope::MessageType,
    proposals::{create, submit_ballot, validate},
    testing::{Closures, Consortium, body, context, threw, with_scripts},
};

/// Opens a proposal; `ballots` are those of the first members.
fn proposed(consortium: &mut Consortium, engine: &Closures, ballots: &[&str]) -> String {
    let signed = consortium.signed(0, MessageType::Proposal, None, r#"{"actions":[]}"#);
    let mut tx = consortium.tx();
    let decided = with_scripts(engine, |scripts| {
        let validated = validate(&mut consortium.tx(), &signed, scripts).unwrap();
        create(&mut tx, &signed, &validated, &[1; 32], scripts, &context()).unwrap()
    });
    consortium.commit(tx);
    let id = body(&decided.output)["proposalId"].as_str().unwrap().to_owned();
    for (index, ballot) in ballots.iter().enumerate() {
        let signed = consortium.signed(index, MessageType::Ballot, Some(&id), json!({ "ballot": ballot }).to_string());
        let mut tx = consortium.tx();
        with_scripts(engine, |scripts| {
            submit_ballot(&mut tx, &signed, &id, &signed.member_id, scripts, &context()).unwrap()
        });
        consortium.commit(tx);
    }
    id
}

fn foreseen_by(engine: &Closures, tx: &mut Tx, id: &str) -> Result<Value, ApiError> {
    let viewer = Viewer { member_id: "viewer", now: 7 };
    with_scripts(engine, |scripts| effect(tx, id, viewer, scripts, &context())).map(|output| body(&output))
}

fn foreseen(consortium: &Consortium, engine: &Closures, id: &str) -> Value {
    foreseen_by(engine, &mut consortium.tx(), id).unwrap()
}

fn put(table: &str, key: &[u8], value: Option<&str>) -> TableWrite {
    TableWrite { table: table.into(), key: key.to_vec(), value: value.map(Into::into) }
}

#[test]
fn the_writes_are_those_that_the_vote_then_makes() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous().with("apply", |call, tables| {
        let info: Value = serde_json::from_slice(
            &tables.get(tables::PROPOSALS_INFO, call.arguments[1].as_str().unwrap().as_bytes()).unwrap(),
        )
        .unwrap();
        assert_eq!(info["state"], "Accepted");
        let config = String::from_utf8(tables.get(tables::SERVICE_CONFIG, &UNIT_KEY).unwrap()).unwrap();
        let writes = vec![
            put("public:ccf.gov.x", b"new", Some(r#"{"a":1}"#)),
            put("public:ccf.gov.votes", b"k", Some(&info["final_votes"].to_string())),
            put(tables::SERVICE_CONFIG, &UNIT_KEY, Some(&config)),
            put(tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, b"nobody", None),
        ];
        Ok(Outcome { value: Value::Null, writes, effects: vec![Effect::ChunkLedger] })
    });
    let id = proposed(&mut consortium, &engine, &["yes"]);
    let state = consortium.state.tx_id();
    let seen = foreseen(&consortium, &engine, &id);
    let [first, second] = [0, 1].map(|index| consortium.member(index).id.clone());
    assert_eq!((&seen["wouldBe"], &seen["waitingFor"]), (&json!("Accepted"), &json!([second])));
    assert_eq!((&seen["votes"], &seen["effects"]), (&json!({ first.as_str(): true }), &json!(["chunkLedger"])));
    let both = serde_json::Map::from_iter([&first, &second].map(|id| (id.clone(), Value::Bool(true))));
    assert_eq!(
        seen["writes"],
        json!([
            {"after": both, "format": "json", "key": "k", "table": "public:ccf.gov.votes"},
            {"after": {"a": 1}, "format": "json", "key": "new", "table": "public:ccf.gov.x"},
        ])
    );
    assert_eq!(consortium.state.tx_id(), state);

    let signed = consortium.signed(1, MessageType::Ballot, Some(&id), r#"{"ballot":"yes"}"#);
    let mut tx = consortium.tx();
    with_scripts(&engine, |scripts| submit_ballot(&mut tx, &signed, &id, &second, scripts, &context()).unwrap());
    for write in seen["writes"].as_array().unwrap() {
        let table = write["table"].as_str().unwrap();
        let written = tx.get(table, write["key"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(*write["after"].to_string().as_bytes(), *written, "{table}");
    }
    consortium.commit(tx);
    let error = foreseen_by(&engine, &mut consortium.tx(), &id).unwrap_err();
    assert_eq!((error.status, error.code), (400, "ProposalNotOpen"));
}

/// Whoever proposes to become the only holder of a share must not be given one for asking what would happen.
#[test]
fn nothing_internal_is_shown() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous().with("apply", |_, tables| {
        let info: Value = serde_json::from_slice(&tables.get(tables::SERVICE_INFO, &UNIT_KEY).unwrap()).unwrap();
        let next = info["cert"].as_str().unwrap().to_owned();
        let effects = vec![Effect::TransitionServiceToOpen { previous: None, next }, Effect::RefreshRecoveryShares];
        Ok(Outcome { value: Value::Null, writes: Vec::new(), effects })
    });
    let id = proposed(&mut consortium, &engine, &[]);
    let mut tx = consortium.tx();
    let seen = foreseen_by(&engine, &mut tx, &id).unwrap();
    assert!(tx.has(tables::RECOVERY_SHARES, &UNIT_KEY), "shares would be issued");
    let tables: Vec<&str> = seen["writes"].as_array().unwrap().iter().map(|w| w["table"].as_str().unwrap()).collect();
    assert_eq!(tables, [tables::SERVICE_INFO]);
    assert_eq!(
        (&seen["writes"][0]["before"]["status"], &seen["writes"][0]["after"]["status"]),
        (&json!("Opening"), &json!("Open"))
    );
    assert_eq!(seen["effects"], json!(["transitionServiceToOpen", "refreshRecoveryShares"]));
}

#[test]
fn an_apply_that_fails_is_foreseen() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous().with("apply", |_, _| Err(threw("Error: Member does not exist")));
    let id = proposed(&mut consortium, &engine, &[]);
    let seen = foreseen(&consortium, &engine, &id);
    assert_eq!((&seen["wouldBe"], &seen["writes"]), (&json!("Failed"), &json!([])));
    assert_eq!(seen["failure"]["reason"], "Error: Member does not exist");
    let engine = engine.with("apply", |_, _| Err(ScriptError::Busy { limit: 1 }));
    assert_eq!(foreseen_by(&engine, &mut consortium.tx(), &id).unwrap_err().status, 503);
}

#[test]
fn members_whose_vote_changes_nothing_are_not_waited_for() {
    let mut consortium = Consortium::active(3);
    let needed = consortium.member(1).id.clone();
    let wanted = needed.clone();
    let engine = Closures::unanimous().with("resolve", move |call, _| {
        let votes = call.arguments[2].as_array().unwrap();
        let agreed = votes.iter().any(|vote| vote["member_id"] == wanted.as_str() && vote["vote"] == true);
        crate::testing::value(json!(if agreed { "Accepted" } else { "Open" }))
    });
    let id = proposed(&mut consortium, &engine, &["no"]);
    let seen = foreseen(&consortium, &engine, &id);
    assert_eq!((&seen["wouldBe"], &seen["waitingFor"]), (&json!("Accepted"), &json!([needed])));
    assert_eq!(seen["votes"], json!({ consortium.member(0).id.as_str(): false }));
}

#[test]
fn what_no_vote_can_accept_says_so() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous().with("resolve", |_, _| crate::testing::value(json!("Open")));
    let id = proposed(&mut consortium, &engine, &["throws"]);
    let seen = foreseen(&consortium, &engine, &id);
    assert_eq!((&seen["wouldBe"], seen["waitingFor"].as_array().unwrap().len()), (&json!("Open"), 1));
    assert_eq!(seen["voteFailures"][&consortium.member(0).id]["reason"], "Error: no");
    let unknown = foreseen_by(&engine, &mut consortium.tx(), &"0".repeat(64)).unwrap_err();
    assert_eq!((unknown.status, unknown.code), (404, "ProposalNotFound"));
    assert_eq!(foreseen_by(&engine, &mut consortium.tx(), "x").unwrap_err().code, "InvalidResourceName");
}
