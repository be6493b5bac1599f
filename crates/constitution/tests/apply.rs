//! What `apply` writes and triggers, action by action, in the shipped constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{Consortium, ONLY, action, certificate, consortium, contract, document, only};
use constitution::{Effect, ScriptError, TableWrite};
use serde_json::{Value, json};

const HEX: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn members_are_set_and_removed() {
    let (mut consortium, _) = consortium();
    consortium.tables.put("public:ccf.internal.signatures", &ONLY, br#"{"root":"abcd"}"#);
    let (pem, id) = certificate();
    let (rsa, _) = crypto::wrap::generate_rsa_pair().unwrap();
    let set = only(
        "set_member",
        json!({"cert": pem, "encryption_pub_key": rsa, "member_data": {"n": 1}, "recovery_role": "Owner"}),
    );
    consortium.apply(&set).unwrap();
    assert_eq!(consortium.raw("members.certs", id.as_bytes()), Some(pem.clone()));
    assert_eq!(consortium.raw("members.encryption_public_keys", id.as_bytes()), Some(rsa));
    assert_eq!(
        consortium.raw("members.info", id.as_bytes()).unwrap(),
        r#"{"member_data":{"n":1},"recovery_role":"Owner","status":"Accepted"}"#
    );
    assert_eq!(consortium.get("members.acks", &id), json!({"state_digest": "abcd"}));
    consortium.apply(&only("set_member", json!({"cert": pem}))).unwrap();
    assert_eq!(consortium.raw("members.info", id.as_bytes()).unwrap(), r#"{"status":"Accepted"}"#);
    assert_eq!(consortium.raw("members.encryption_public_keys", id.as_bytes()), None);
    consortium.put("history", &id, &json!({}));
    let outcome = consortium.apply(&only("remove_member", json!({"member_id": id}))).unwrap();
    assert!(outcome.effects.is_empty());
    for name in ["members.certs", "members.info", "members.acks", "history"] {
        assert_eq!(consortium.raw(name, id.as_bytes()), None, "{name}");
    }
    assert_eq!(consortium.apply(&only("remove_member", json!({"member_id": HEX}))).unwrap().writes, []);
}

#[test]
fn member_data_is_replaced_whole() {
    let (mut consortium, _) = consortium();
    consortium.put(
        "members.info",
        "m",
        &json!({"member_data": {"x": 1}, "recovery_role": "Owner", "status": "Active"}),
    );
    consortium.apply(&only("set_member_data", json!({"member_id": "m", "member_data": {"y": 2}}))).unwrap();
    let expected = json!({"member_data": {"y": 2}, "recovery_role": "Owner", "status": "Active"});
    assert_eq!(consortium.get("members.info", "m"), expected);
}

#[test]
fn d19_an_action_that_cannot_be_carried_out_throws() {
    let (mut consortium, _) = consortium();
    let proposal = json!([
        action("set_user_data", json!({"user_id": "u", "user_data": 1})),
        action("set_member_data", json!({"member_id": HEX, "member_data": {}}))
    ]);
    let Err(ScriptError::Threw { reason, trace }) = consortium.apply(&proposal) else { panic!("it must throw") };
    assert_eq!(reason, format!("Error: Member {HEX} does not exist"));
    assert!(trace.unwrap().contains("(public:ccf.gov.constitution[0]:"));
}

#[test]
fn users_are_set_and_removed() {
    let (mut consortium, _) = consortium();
    let (pem, id) = certificate();
    consortium.apply(&only("set_user", json!({"cert": pem, "user_data": {"t": 1}}))).unwrap();
    assert_eq!(consortium.raw("users.certs", id.as_bytes()), Some(pem));
    assert_eq!(consortium.raw("users.info", id.as_bytes()).unwrap(), r#"{"user_data":{"t":1}}"#);
    consortium.apply(&only("set_user_data", json!({"user_id": id, "user_data": {"t": 2}}))).unwrap();
    assert_eq!(consortium.get("users.info", &id), json!({"user_data": {"t": 2}}));
    consortium.apply(&only("remove_user", json!({"user_id": id}))).unwrap();
    assert_eq!(consortium.raw("users.certs", id.as_bytes()), None);
    assert_eq!(consortium.raw("users.info", id.as_bytes()), None);
}

/// Gives a member an encryption key and makes it active.
fn recovery_member(consortium: &mut Consortium, id: &str, role: &str) {
    consortium.put("members.info", id, &json!({"member_data": {}, "recovery_role": role, "status": "Active"}));
    consortium.put("members.encryption_public_keys", id, &json!("key"));
}

fn reason(result: Result<constitution::Outcome, ScriptError>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn the_service_stays_recoverable() {
    let (mut consortium, _) = consortium();
    recovery_member(&mut consortium, "r", "Participant");
    recovery_member(&mut consortium, "s", "Participant");
    let threshold = |n: u32| only("set_recovery_threshold", json!({"recovery_threshold": n}));
    let remove = |id: &str| only("remove_member", json!({"member_id": id}));
    let too_few = |n: u32, t: u32| {
        format!("Error: The number of active recovery members ({n}) would be less than the recovery threshold ({t})")
    };
    assert_eq!(reason(consortium.apply(&threshold(3))), too_few(2, 3));
    assert_eq!(consortium.apply(&threshold(2)).unwrap().effects, [Effect::RefreshRecoveryShares]);
    assert_eq!(consortium.get_only("service.config"), json!({"recovery_threshold": 2}));
    assert_eq!(consortium.apply(&threshold(2)).unwrap().effects, []);
    assert_eq!(reason(consortium.apply(&remove("r"))), too_few(1, 2));
    consortium.apply(&threshold(1)).unwrap();
    assert_eq!(consortium.apply(&remove("r")).unwrap().effects, [Effect::RekeyLedger]);
    assert_eq!(reason(consortium.apply(&remove("s"))), too_few(0, 1));
    recovery_member(&mut consortium, "o", "Owner");
    assert_eq!(consortium.apply(&remove("s")).unwrap().effects, [Effect::RekeyLedger]);
    assert_eq!(reason(consortium.apply(&remove("o"))), too_few(0, 1));
    consortium.service("WaitingForRecoveryShares", "x");
    assert!(reason(consortium.apply(&threshold(7))).contains("waits for recovery shares"));
}

#[test]
fn the_service_is_opened() {
    let (mut consortium, pem) = consortium();
    let open = |args: Value| only("transition_service_to_open", args);
    consortium.service("Opening", &pem);
    assert!(
        reason(consortium.apply(&open(json!({"next_service_identity": pem})))).contains("active recovery members (0)")
    );
    recovery_member(&mut consortium, "r", "Participant");
    let other = certificate().0;
    assert!(reason(consortium.apply(&open(json!({"next_service_identity": other})))).contains("next service identity"));
    let both = open(json!({"next_service_identity": pem, "previous_service_identity": other}));
    assert!(reason(consortium.apply(&both)).contains("must not name a previous"));
    let effect = |previous: Option<String>| Effect::TransitionServiceToOpen { previous, next: pem.clone() };
    let outcome = consortium.apply(&open(json!({"next_service_identity": pem}))).unwrap();
    assert_eq!(outcome.effects, [effect(None)]);
    consortium.service("Recovering", &pem);
    assert!(reason(consortium.apply(&open(json!({"next_service_identity": pem})))).contains("requires the previous"));
    assert!(reason(consortium.apply(&both)).contains("not that of the ledger"));
    consortium.put_only("service.previous_service_identity", &json!(other));
    assert_eq!(consortium.apply(&both).unwrap().effects, [effect(Some(other))]);
}

#[test]
fn a_new_constitution_is_stored_as_voted_and_drops_other_proposals() {
    let (mut consortium, _) = consortium();
    consortium.record("open", &json!([contract("x")]), "Open");
    consortium.record("old", &json!([contract("y")]), "Rejected");
    let text = "// é\nexport function validate(p) {}";
    consortium.apply(&only("set_constitution", json!({"constitution": text}))).unwrap();
    assert_eq!(consortium.get_only("constitution"), json!(text));
    assert_eq!(consortium.get("proposals_info", "open")["state"], "Dropped");
    assert_eq!(consortium.get("proposals_info", "open")["proposer_id"], "p");
    assert_eq!(consortium.get("proposals_info", "old")["state"], "Rejected");
    assert_eq!(consortium.get("proposals_info", "P")["state"], "Accepted");
}

#[test]
fn contracts_and_what_belongs_to_them_are_recorded() {
    let (mut consortium, _) = consortium();
    consortium.apply(&json!([contract("c"), document("d")])).unwrap();
    assert_eq!(
        consortium.raw("accepted_contracts", b"c").unwrap(),
        r#"{"data":1,"proposalId":"P","finalVotes":{"a":true}}"#
    );
    assert_eq!(
        consortium.raw("accepted_member_documents", b"d").unwrap(),
        r#"{"data":1,"contractId":"c","proposalId":"P","finalVotes":{"a":true}}"#
    );
    for (name, field, table) in
        [("set_deployment_spec", "spec", "deployment_specs"), ("set_deployment_info", "info", "deployment_info")]
    {
        consortium.apply(&only(name, json!({"contractId": "c", field: {"data": {"i": 1}, "more": 2}}))).unwrap();
        assert_eq!(consortium.raw(table, b"c").unwrap(), r#"{"data":{"i":1}}"#);
    }
    for (what, status) in
        [("logging", "enabled"), ("logging", "disabled"), ("telemetry", "enabled"), ("telemetry", "disabled")]
    {
        let name = format!("set_contract_runtime_options_{}_{what}", status.trim_end_matches('d'));
        consortium.apply(&only(&name, json!({"contractId": "c"}))).unwrap();
        assert_eq!(consortium.get(&format!("contracts_{what}_status"), "c"), json!({"status": status}));
    }
}

#[test]
fn options_and_limits_are_recorded() {
    let (mut consortium, _) = consortium();
    let option = "autoapprove-constitution-proposal";
    consortium.apply(&only("set_cgs_runtime_options", json!({"option": option, "status": "enabled"}))).unwrap();
    assert_eq!(consortium.get("cgs_runtime_options", option), json!({"status": "enabled"}));
    let options = json!({"max_heap_bytes": 1, "max_stack_bytes": 2, "max_execution_time_ms": 3});
    consortium.apply(&only("set_js_runtime_options", options.clone())).unwrap();
    assert_eq!(consortium.get_only("js_runtime_options"), options);
    consortium
        .apply(&only(
            "set_service_configuration",
            json!({"recent_cose_proposals_window_size": 7, "recovery_threshold": null}),
        ))
        .unwrap();
    assert_eq!(
        consortium.get_only("service.config"),
        json!({"recovery_threshold": 1, "recent_cose_proposals_window_size": 7})
    );
}

#[test]
fn what_only_the_service_can_do_is_asked_for() {
    let (mut consortium, _) = consortium();
    let triggers =
        ["trigger_ledger_chunk", "trigger_snapshot", "trigger_ledger_rekey", "trigger_recovery_shares_refresh"];
    let actions: Vec<_> = triggers.iter().map(|name| json!({"name": name})).collect();
    assert_eq!(
        consortium.apply(&json!(actions)).unwrap().effects,
        [Effect::ChunkLedger, Effect::Snapshot, Effect::RekeyLedger, Effect::RefreshRecoveryShares]
    );
}

#[test]
fn d32_the_first_decision_of_an_active_member_marks_the_consortium() {
    let (mut consortium, _) = consortium();
    let nothing = only("assert_service_identity", json!({}));
    let mark = TableWrite {
        table: "public:ccf.gov.cgs_consortium".to_owned(),
        key: ONLY.to_vec(),
        value: Some(br#"{"formed":true}"#.to_vec()),
    };
    assert_eq!(consortium.apply(&nothing).unwrap().writes, [mark]);
    assert_eq!(consortium.apply(&nothing).unwrap().writes, []);
    let mut unformed = Consortium::new();
    unformed.member("o", "Active", json!({"isOperator": true}));
    unformed.member("c", "Accepted", json!({}));
    assert_eq!(unformed.apply(&nothing).unwrap().writes, []);
}
