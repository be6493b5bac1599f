//! What `validate` refuses and what `apply` writes, action by action, in the shipped constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{Consortium, ONLY, action, certificate, contract, document, only};
use constitution::{Effect, ScriptError, TableWrite};
use serde_json::{Value, json};

const HEX: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const CERT: &str = "cert must be a valid X509 certificate (bundle) in PEM format";

/// A consortium with one contract accepted, and a certificate for its service.
fn consortium() -> (Consortium, String) {
    let mut consortium = Consortium::of(&["a"]);
    let (pem, _) = certificate();
    consortium.put("accepted_contracts", "1234", &json!({}));
    consortium.service("Open", &pem);
    (consortium, pem)
}

#[test]
fn wrong_arguments_are_named() {
    let (mut consortium, pem) = consortium();
    let twice = format!("{pem}{pem}");
    let cases = [
        ("set_contract", json!({}), "Error: contractId must be of type string but is undefined"),
        ("set_contract", json!({"contractId": 1}), "Error: contractId must be of type string but is number"),
        ("set_contract", json!({"contractId": "x"}), "Error: contract must be of type object but is undefined"),
        (
            "set_contract",
            json!({"contractId": "x", "contract": "s"}),
            "Error: contract must be of type object but is string",
        ),
        ("set_contract", Value::Null, "TypeError: cannot read property 'contractId' of null"),
        ("set_deployment_spec", json!({"contractId": "1234"}), "Error: spec must be of type object but is undefined"),
        (
            "set_deployment_spec",
            json!({"contractId": "nope", "spec": {}}),
            "Error: Deployment spec can only be proposed once contract 'nope' has been accepted.",
        ),
        ("set_deployment_info", json!({"contractId": "1234"}), "Error: info must be of type object but is undefined"),
        (
            "set_deployment_info",
            json!({"contractId": "nope", "info": {}}),
            "Error: Deployment info can only be proposed once contract 'nope' has been accepted.",
        ),
        (
            "set_contract_runtime_options_enable_telemetry",
            json!({"contractId": "nope"}),
            "Error: Action can only be proposed once contract 'nope' has been accepted.",
        ),
        (
            "set_contract_runtime_options_disable_telemetry",
            json!({}),
            "Error: contractId must be of type string but is undefined",
        ),
        (
            "set_contract_runtime_options_enable_logging",
            json!({}),
            "Error: contractId must be of type string but is undefined",
        ),
        (
            "set_contract_runtime_options_disable_logging",
            json!({"contractId": "nope"}),
            "Error: Action can only be proposed once contract 'nope' has been accepted.",
        ),
        ("set_cgs_runtime_options", json!({}), "Error: option must be of type string but is undefined"),
        ("set_cgs_runtime_options", json!({"option": "x"}), "Error: status must be of type string but is undefined"),
        (
            "set_cgs_runtime_options",
            json!({"option": "constructor", "status": "enabled"}),
            "Error: The option 'constructor' is not an allowed option",
        ),
        (
            "set_cgs_runtime_options",
            json!({"option": "autoapprove-jsapp-proposal", "status": "maybe"}),
            "Error: The value 'maybe' is not supported",
        ),
        ("set_member_document", json!({"documentId": "d"}), "Error: document must be of type object but is undefined"),
        (
            "set_member_document",
            json!({"documentId": "d", "document": 5}),
            "Error: document must be of type object but is number",
        ),
        ("set_constitution", json!({}), "Error: constitution must be of type string but is undefined"),
        ("set_member", json!({}), &format!("Error: {CERT}")),
        ("set_member", json!({"cert": 5}), &format!("Error: {CERT}")),
        ("set_member", json!({"cert": "not a cert"}), &format!("Error: {CERT}")),
        (
            "set_member",
            json!({"cert": pem, "member_data": "x"}),
            "Error: member_data must be of type object but is string",
        ),
        (
            "set_member",
            json!({"cert": pem, "encryption_pub_key": "x"}),
            "Error: encryption_pub_key must be an RSA public key in PEM format",
        ),
        (
            "set_member",
            json!({"cert": pem, "recovery_role": "King"}),
            "Error: recovery_role must be one of NonParticipant,Participant,Owner",
        ),
        (
            "set_member",
            json!({"cert": twice, "recovery_role": "Owner"}),
            "Error: Cannot specify a recovery_role value when encryption_pub_key is not specified",
        ),
        ("remove_member", json!({}), "Error: member_id must be of type string but is undefined"),
        ("remove_member", json!({"member_id": "abc"}), "Error: member_id must contain exactly 64 characters"),
        (
            "remove_member",
            json!({"member_id": HEX.replace('0', "g")}),
            "Error: member_id contains non-hexadecimal character",
        ),
        ("set_member_data", json!({"member_id": HEX}), "Error: member_data must be of type object but is undefined"),
        ("set_user", json!({"cert": "x"}), &format!("Error: {CERT}")),
        ("remove_user", json!({}), "Error: user_id must be of type string but is undefined"),
        ("set_user_data", json!({}), "Error: user_id must be of type string but is undefined"),
        ("set_recovery_threshold", json!({}), "Error: threshold must be an integer"),
        ("set_recovery_threshold", json!({"recovery_threshold": "1"}), "Error: threshold must be an integer"),
        ("set_recovery_threshold", json!({"recovery_threshold": 0}), "Error: threshold must be greater than 1"),
        ("set_recovery_threshold", json!({"recovery_threshold": 500}), "Error: threshold must be lower than 254"),
        (
            "transition_service_to_open",
            json!({}),
            "Error: next service identity (PEM certificate) must be of type string but is undefined",
        ),
        (
            "transition_service_to_open",
            json!({"next_service_identity": "x"}),
            "Error: next_service_identity must be a valid X509 certificate (bundle) in PEM format",
        ),
        ("set_service_configuration", json!({"bad": 1}), "Error: Cannot change bad via set_service_configuration."),
        (
            "set_service_configuration",
            json!({"recovery_threshold": "x"}),
            "Error: recovery threshold must be an integer",
        ),
        (
            "set_service_configuration",
            json!({"recent_cose_proposals_window_size": 20000}),
            "Error: recent COSE proposals window size must be lower than 10000",
        ),
        (
            "assert_service_identity",
            json!({"service_identity": "x"}),
            "Error: service_identity must be a valid X509 certificate (bundle) in PEM format",
        ),
        (
            "assert_service_identity",
            json!({"service_identity": certificate().0}),
            "Error: Service identity certificate mismatch",
        ),
        ("trigger_snapshot", json!("x"), "Error: Proposal does not accept any argument, found \"x\""),
        ("set_js_runtime_options", json!({"max_heap_bytes": "x"}), "Error: max_heap_bytes must be an integer"),
    ];
    for (name, args, expected) in cases {
        assert_eq!(consortium.fault(name, args.clone()).as_deref(), Some(expected), "{name} {args}");
    }
}

#[test]
fn right_arguments_pass() {
    let (mut consortium, pem) = consortium();
    let (rsa, _) = crypto::wrap::generate_rsa_pair().unwrap();
    for (name, args) in [
        ("set_contract", json!({"contractId": "x", "contract": {"data": null, "more": 1}, "extra": 1})),
        ("set_member_document", json!({"documentId": "d", "document": {"data": 1}})),
        ("set_deployment_spec", json!({"contractId": "1234", "spec": {"data": 1}})),
        ("set_member", json!({"cert": pem, "member_data": null})),
        ("set_member", json!({"cert": pem, "recovery_role": "NonParticipant"})),
        ("set_member", json!({"cert": pem, "encryption_pub_key": rsa, "recovery_role": "Owner"})),
        ("remove_member", json!({"member_id": HEX})),
        ("set_user_data", json!({"user_id": HEX})),
        ("set_service_configuration", json!({})),
        ("set_service_configuration", json!({"recovery_threshold": null})),
        ("transition_service_to_open", json!({"next_service_identity": pem, "previous_service_identity": null})),
        ("assert_service_identity", json!({"service_identity": pem})),
        ("trigger_snapshot", Value::Null),
        ("set_constitution", json!({"constitution": constitution::DEFAULT_CONSTITUTION})),
        ("set_js_runtime_options", json!({"max_heap_bytes": 1, "max_stack_bytes": 1, "max_execution_time_ms": 1})),
    ] {
        assert_eq!(consortium.fault(name, args.clone()), None, "{name} {args}");
    }
    assert_eq!(consortium.validate(&json!([{"name": "trigger_ledger_chunk"}])), None);
}

#[test]
fn proposals_that_are_none() {
    let (mut consortium, _) = consortium();
    for (text, expected) in [
        ("nope{", "the proposal is not JSON: "),
        ("", "the proposal is not JSON: "),
        ("{}", "the proposal must be an object whose field 'actions' is a list"),
        ("[]", "the proposal must be an object whose field 'actions' is a list"),
        ("null", "the proposal must be an object whose field 'actions' is a list"),
        ("\"x\"", "the proposal must be an object whose field 'actions' is a list"),
        (r#"{"actions":{}}"#, "the proposal must be an object whose field 'actions' is a list"),
        (r#"{"actions":null}"#, "the proposal must be an object whose field 'actions' is a list"),
        (r#"{"actions":[null]}"#, "undefined: no such action"),
        (r#"{"actions":[{"name":5}]}"#, "5: no such action"),
        (r#"{"actions":[{"name":"constructor"}]}"#, "constructor: no such action"),
        (r#"{"actions":[{"name":"add_virtual_measurement"}]}"#, "add_virtual_measurement: no such action"),
        (
            r#"{"actions":[{"name":"no_such_action"},{"name":"set_contract","args":{}}]}"#,
            "no_such_action: no such action, set_contract at position 1 failed validation: Error: contractId must be of type string but is undefined\n    at ",
        ),
        (
            r#"{"actions":[{"name":"set_contract"}]}"#,
            "set_contract at position 0 failed validation: TypeError: cannot read property 'contractId' of undefined\n    at ",
        ),
    ] {
        let fault = consortium.validate_text(text).unwrap();
        assert!(fault.starts_with(expected), "{text}: {fault}");
    }
}

#[test]
fn d06_a_proposal_without_actions_is_refused() {
    let (mut consortium, _) = consortium();
    let fault = consortium.validate(&json!([])).unwrap();
    assert_eq!(fault, "the list of actions is empty, so there is nothing to decide");
}

#[test]
fn d02_applications_are_refused() {
    let (mut consortium, _) = consortium();
    for name in ["set_js_app", "remove_js_app", "refresh_js_app_bytecode_cache"] {
        let fault = consortium.fault(name, json!({"bundle": {}})).unwrap();
        assert!(fault.starts_with("Error: the application is built into the attested node"), "{fault}");
    }
}

#[test]
fn d03_constitutions_that_cannot_govern_are_refused() {
    let (mut consortium, _) = consortium();
    for (text, expected) in [
        ("not js", "SyntaxError"),
        ("export function validate(p) {}", "does not export a function 'resolve'"),
        (
            "export function validate(p) {} export function resolve(p) {} export function apply(p, i) {}",
            "'resolve' must take 3 to 4",
        ),
    ] {
        let fault = consortium.fault("set_constitution", json!({"constitution": text})).unwrap();
        assert!(fault.starts_with("Error: the constitution is not valid: ") && fault.contains(expected), "{fault}");
    }
}

#[test]
fn d37_what_is_voted_on_must_be_there() {
    let (mut consortium, _) = consortium();
    for (name, field) in [
        ("set_contract", "contract"),
        ("set_member_document", "document"),
        ("set_deployment_spec", "spec"),
        ("set_deployment_info", "info"),
    ] {
        for value in [Value::Null, json!({}), json!([])] {
            let args = json!({"contractId": "1234", "documentId": "d", field: value});
            let expected = format!("Error: {field} must be an object with a field 'data'");
            assert_eq!(consortium.fault(name, args), Some(expected));
        }
    }
}

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
    let triggers = json!([{"name": "trigger_ledger_chunk"}, {"name": "trigger_snapshot"}]);
    assert_eq!(consortium.apply(&triggers).unwrap().effects, [Effect::ChunkLedger, Effect::Snapshot]);
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
