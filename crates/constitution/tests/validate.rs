//! What `validate` refuses, action by action, in the shipped constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{certificate, consortium};
use serde_json::{Value, json};

const HEX: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const CERT: &str = "cert must be a valid X509 certificate (bundle) in PEM format";

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
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
        (
            "set_js_runtime_options",
            json!({"max_heap_bytes": 1, "max_stack_bytes": 1, "max_execution_time_ms": 5001}),
            "Error: max_execution_time_ms must be lower than 5000",
        ),
        (
            "set_js_runtime_options",
            json!({"max_heap_bytes": 268_435_457, "max_stack_bytes": 1, "max_execution_time_ms": 1}),
            "Error: max_heap_bytes must be lower than 268435456",
        ),
        ("trigger_ledger_rekey", json!({}), "Error: Proposal does not accept any argument, found \"[object Object]\""),
        ("trigger_recovery_shares_refresh", json!(1), "Error: Proposal does not accept any argument, found \"1\""),
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
fn what_the_service_does_not_have_is_refused() {
    let (mut consortium, _) = consortium();
    for args in [json!({}), json!({"interfaces": ["x"]}), Value::Null] {
        let fault = consortium.fault("trigger_acme_refresh", args).unwrap();
        assert!(fault.starts_with("Error: the service does not obtain certificates by ACME"), "{fault}");
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
fn long_lists_of_faults_are_cut() {
    let (mut consortium, _) = consortium();
    let actions = vec![json!({"name": "x"}); 25];
    let fault = consortium.validate(&json!(actions)).unwrap();
    assert_eq!(fault.matches("x: no such action, ").count(), 20);
    assert!(fault.ends_with("and 5 more"));
}
