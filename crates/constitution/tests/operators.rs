//! What an operator does alone (D32), in the shipped constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{Consortium, action, certificate, only};
use serde_json::{Value, json};

/// Identifiers of nodes and members.
const NODE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const STRANGER: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const FORMER: &str = "3333333333333333333333333333333333333333333333333333333333333333";
const TRUSTED: &str = "4444444444444444444444444444444444444444444444444444444444444444";
const CPU: &str = "00a20f12";
const STATES: [&str; 4] = ["Opening", "Open", "Recovering", "WaitingForRecoveryShares"];

/// A service with operator `o`, recovery operator `r` and a counted member `c` that was invited; and things that an
/// operator may want to change.
fn operated() -> Consortium {
    let mut consortium = Consortium::new();
    consortium.put_only("service.config", &json!({"recovery_threshold": 2}));
    consortium.put("nodes.snp.uvm_endorsements", "did:known", &json!({"feed": {"svn": "100"}}));
    consortium.put("nodes.snp.tcb_versions", CPU, &json!({"hexstring": "d315000000000004"}));
    consortium.put("tls.ca_cert_bundles", "bundle", &json!("PEM"));
    let issuer = json!({"issuer": "https://i", "auto_refresh": true, "ca_cert_bundle_name": "bundle"});
    consortium.put("jwt.issuers", "https://i", &issuer);
    consortium.join_policy("measurement", "host data");
    consortium.node(NODE, "Pending", "measurement", "host data");
    consortium.node(STRANGER, "Pending", "measurement", "other host data");
    consortium.node(FORMER, "Pending", "other measurement", "host data");
    consortium.node(TRUSTED, "Trusted", "measurement", "host data");
    consortium.member("o", "Active", json!({"isOperator": true}));
    consortium.member("r", "Active", json!({"isRecoveryOperator": true}));
    consortium.member("c", "Accepted", json!({}));
    consortium
}

fn tcb(cpuid: &str, version: &str) -> Value {
    action("set_snp_minimum_tcb_version_hex", json!({"cpuid": cpuid, "tcb_version": version}))
}

fn uvm(did: &str, feed: &str, svn: &str) -> Value {
    action("add_snp_uvm_endorsement", json!({"did": did, "feed": feed, "svn": svn}))
}

fn remove_uvm(did: &str, feed: &str) -> Value {
    action("remove_snp_uvm_endorsement", json!({"did": did, "feed": feed}))
}

fn threshold(n: i64) -> Value {
    action("set_recovery_threshold", json!({"recovery_threshold": n}))
}

fn member(data: Value) -> Value {
    action("set_member", json!({"cert": "x", "member_data": data}))
}

fn member_data(id: &str, data: Value) -> Value {
    action("set_member_data", json!({"member_id": id, "member_data": data}))
}

fn bundle(name: &str, pem: &str) -> Value {
    action("set_ca_cert_bundle", json!({"name": name, "cert_bundle": pem}))
}

/// The known issuer, with something changed.
fn issuer(changes: Value) -> Value {
    let mut args = json!({"issuer": "https://i", "auto_refresh": true, "ca_cert_bundle_name": "bundle"});
    for (name, value) in changes.as_object().unwrap() {
        args[name] = value.clone();
    }
    action("set_jwt_issuer", args)
}

fn admit(id: &str) -> Value {
    action("transition_node_to_trusted", json!({"node_id": id, "valid_from": "260101000000Z"}))
}

/// An action, whether an operator takes it alone before the consortium is formed, and whether after that.
type Case = (Value, bool, bool);

/// Actions that the operator takes alone at any time.
fn upkeep() -> Vec<Case> {
    let mut cases: Vec<_> = [
        ("transition_service_to_open", json!({"next_service_identity": "x"})),
        ("trigger_ledger_chunk", Value::Null),
        ("trigger_snapshot", Value::Null),
        ("remove_node", json!({"node_id": TRUSTED})),
        ("set_node_data", json!({"node_id": NODE, "node_data": {"isOperator": true}})),
        ("set_node_certificate_validity", json!({"node_id": TRUSTED, "valid_from": "260101000000Z"})),
        ("set_service_certificate_validity", json!({"valid_from": "260101000000Z", "validity_period_days": 365})),
        ("remove_ca_cert_bundle", json!({"name": "bundle"})),
        ("remove_jwt_issuer", json!({"issuer": "https://i"})),
        ("remove_member", json!({"member_id": "o"})),
    ]
    .map(|(name, args)| (action(name, args), true, true))
    .into();
    cases.push((remove_uvm("did:known", "feed"), true, true));
    cases
}

/// Actions that widen, or may widen, whom the service trusts and who decides.
fn widenings() -> Vec<Case> {
    let never = [
        ("add_snp_measurement", json!({"measurement": "ab"})),
        ("remove_snp_measurement", json!({"measurement": "ab"})),
        ("add_snp_host_data", json!({"host_data": "ab", "security_policy": ""})),
        ("remove_snp_host_data", json!({"host_data": "ab"})),
        ("add_node_code", json!({"code_id": "ab"})),
        ("add_executor_node_code", json!({"executor_code_id": "ab"})),
        ("add_virtual_measurement", json!({"measurement": "ab"})),
        ("set_jwt_public_signing_keys", json!({"issuer": "https://i", "jwks": {"keys": []}})),
        ("set_constitution", json!({"constitution": "x"})),
        ("set_cgs_runtime_options", json!({"option": "autoapprove-constitution-proposal", "status": "enabled"})),
        ("set_js_app", json!({"bundle": {}})),
        ("set_js_runtime_options", json!({"max_heap_bytes": 1, "max_stack_bytes": 1, "max_execution_time_ms": 1})),
        ("set_service_configuration", json!({"recovery_threshold": 2})),
        ("set_all_nodes_certificate_validity", json!({"valid_from": "260101000000Z"})),
        ("trigger_ledger_rekey", Value::Null),
        ("trigger_recovery_shares_refresh", Value::Null),
        ("remove_member", json!({"member_id": "r"})),
        ("remove_member", json!({"member_id": "c"})),
        ("remove_member", json!({"member_id": "unknown"})),
        ("set_user", json!({"cert": "x"})),
        ("set_user_identity", json!({"id": "u", "accountType": "microsoft", "data": {"tenantId": "t"}})),
        ("set_clean_room_policy", json!({"contractId": "c", "type": "add", "claims": {}})),
        ("enable_ca", json!({"contractId": "c"})),
        ("enable_oidc_issuer", json!({"kid": "k"})),
        ("set_oidc_issuer_url", json!({"issuer_url": "https://x"})),
        ("constructor", json!({})),
        ("__proto__", json!({})),
    ];
    let mut cases: Vec<_> = never.map(|(name, args)| (action(name, args), false, false)).into();
    cases.push((action("remove_snp_minimum_tcb_version", json!({"cpuid": CPU})), true, false));
    cases
}

fn minimum_cases() -> Vec<Case> {
    [
        (threshold(1), false),
        (threshold(2), true),
        (threshold(3), true),
        (uvm("did:known", "feed", "100"), true),
        (uvm("did:known", "feed", "101"), true),
        (uvm("did:known", "feed", "1000"), true),
        (uvm("did:known", "feed", "99"), false),
        (uvm("did:known", "feed", "9"), false),
        (uvm("did:known", "feed", "x"), false),
        (uvm("did:known", "feed", ""), false),
        (uvm("did:known", "feed", "1e3"), false),
        (uvm("did:known", "other", "101"), false),
        (uvm("did:known", "constructor", "101"), false),
        (uvm("did:known", "__proto__", "101"), false),
        (uvm("did:new", "feed", "101"), false),
        (uvm("__proto__", "feed", "101"), false),
        (tcb(CPU, "d315000000000004"), true),
        (tcb(CPU, "D315000000000004"), true),
        (tcb(CPU, "d415000000000004"), true),
        (tcb(CPU, "d414000000000004"), false),
        (tcb(CPU, "d215000000000004"), false),
        (tcb(CPU, "ffffffffffffff03"), false),
        (tcb(CPU, "d31500000000000400"), false),
        (tcb("00a20f13", "d415000000000004"), false),
        (tcb("constructor", "d415000000000004"), false),
    ]
    .map(|(action, after)| (action, true, after))
    .into()
}

fn token_cases() -> Vec<Case> {
    [
        (bundle("bundle", "PEM"), true),
        (bundle("bundle", "OTHER PEM"), false),
        (bundle("bundle", "PEM "), false),
        (bundle("other", "PEM"), false),
        (bundle("constructor", "PEM"), false),
        (bundle("__proto__", "PEM"), false),
        (issuer(json!({})), true),
        (issuer(json!({"jwks": {"keys": []}})), false),
        (issuer(json!({"jwks": false})), false),
        (issuer(json!({"auto_refresh": false})), false),
        (issuer(json!({"auto_refresh": null})), false),
        (issuer(json!({"ca_cert_bundle_name": "other"})), false),
        (issuer(json!({"ca_cert_bundle_name": null})), false),
        (issuer(json!({"issuer": "https://other"})), false),
        (issuer(json!({"issuer": "https://i/"})), false),
        (issuer(json!({"issuer": "constructor"})), false),
        (issuer(json!({"issuer": "__proto__", "auto_refresh": null, "ca_cert_bundle_name": null})), false),
    ]
    .map(|(action, after)| (action, true, after))
    .into()
}

fn role_cases() -> Vec<Case> {
    vec![
        (member(json!({"isOperator": true})), true, false),
        (member(json!({"isOperator": 1})), true, false),
        (member(json!({"isOperator": true, "cgsRoles": {"cgsOperator": "true"}})), true, false),
        (member(json!({"isRecoveryOperator": true})), false, false),
        (member(json!({"cgsRoles": {"cgsOperator": "true"}})), false, false),
        (member(json!({"isOperator": false})), false, false),
        (member(json!({"__proto__": {"isOperator": true}})), false, false),
        (member(json!({})), false, false),
        (member(Value::Null), false, false),
        (action("set_member", json!({"cert": "x"})), false, false),
        (member_data("o", json!({"isOperator": true})), false, false),
        (member_data("o", json!({"isOperator": true, "cgsRoles": {"cgsOperator": "true"}})), false, false),
        (member_data("c", json!({"isOperator": true})), false, false),
        (member_data("c", json!({"isRecoveryOperator": true})), false, false),
    ]
}

fn admission_cases() -> Vec<Case> {
    vec![
        (admit(NODE), true, true),
        (admit(STRANGER), true, false),
        (admit(FORMER), true, false),
        (admit(TRUSTED), true, true),
    ]
}

fn cases() -> Vec<Case> {
    [upkeep(), widenings(), minimum_cases(), token_cases(), role_cases(), admission_cases()].concat()
}

#[test]
fn d32_what_an_operator_does_alone() {
    let mut before = operated();
    let mut after = operated();
    after.member("c", "Active", json!({}));
    let word = |alone: bool| if alone { "Accepted" } else { "Open" };
    for (action, alone_before, alone_after) in cases() {
        let proposal = json!([action]);
        assert_eq!(before.resolve("o", &proposal, "o+"), word(alone_before), "before: {proposal}");
        assert_eq!(before.resolve("r", &proposal, "r+"), "Open", "recovery operator: {proposal}");
        assert_eq!(after.resolve("o", &proposal, "o+"), word(alone_after), "after: {proposal}");
        assert_eq!(after.resolve("c", &proposal, ""), "Open", "counted member alone: {proposal}");
        assert_eq!(after.resolve("o", &proposal, "c+"), "Accepted", "unanimity: {proposal}");
    }
}

#[test]
fn d32_in_every_state_of_the_service() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    for state in STATES {
        consortium.service(state, "x");
        for (action, _, alone) in cases() {
            let expected = if alone { "Accepted" } else { "Open" };
            assert_eq!(consortium.resolve("o", &json!([action]), "o+ r+"), expected, "{state}: {action}");
        }
    }
}

#[test]
fn d32_one_unlawful_action_needs_the_members_for_all() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    let (lawful, unlawful): (Vec<_>, Vec<_>) = cases().into_iter().partition(|(_, _, alone)| *alone);
    let all = |cases: &[Case]| cases.iter().map(|(action, _, _)| action.clone()).collect::<Vec<_>>();
    assert_eq!(consortium.resolve("o", &json!(all(&lawful)), ""), "Accepted");
    for action in all(&unlawful) {
        for proposal in [json!([lawful[0].0, action]), json!([action, lawful[0].0])] {
            assert_eq!(consortium.resolve("o", &proposal, ""), "Open", "{proposal}");
        }
    }
}

#[test]
fn d32_removing_and_adding_again_is_no_way_around() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    consortium.service("Open", "x");
    // In one proposal: what was there before counts, so that it may come back as it was, or stricter.
    let steps = |second: Value| json!([remove_uvm("did:known", "feed"), second]);
    assert_eq!(consortium.resolve("o", &steps(uvm("did:known", "feed", "99")), ""), "Open");
    assert_eq!(consortium.resolve("o", &steps(uvm("did:known", "feed", "100")), ""), "Accepted");
    let raise_first = json!([uvm("did:known", "feed", "200"), uvm("did:known", "feed", "100")]);
    assert_eq!(consortium.resolve("o", &raise_first, ""), "Accepted");
    // In two proposals: what was removed is gone.
    consortium.apply(&json!([remove_uvm("did:known", "feed")])).unwrap();
    assert_eq!(consortium.resolve("o", &json!([uvm("did:known", "feed", "100")]), ""), "Open");
    assert_eq!(consortium.resolve("o", &json!([uvm("did:known", "feed", "101")]), ""), "Open");
    consortium.apply(&only("remove_ca_cert_bundle", json!({"name": "bundle"}))).unwrap();
    assert_eq!(consortium.resolve("o", &json!([bundle("bundle", "PEM")]), ""), "Open");
    consortium.apply(&only("remove_snp_minimum_tcb_version", json!({"cpuid": CPU}))).unwrap();
    assert_eq!(consortium.resolve("o", &json!([tcb(CPU, "ffffffffffffffff")]), ""), "Open");
}

#[test]
fn d32_a_minimum_that_was_raised_stays_raised() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    consortium.service("Opening", "x");
    consortium.apply(&json!([uvm("did:known", "feed", "200"), threshold(3)])).unwrap();
    for action in [uvm("did:known", "feed", "199"), threshold(2)] {
        assert_eq!(consortium.resolve("o", &json!([action]), ""), "Open", "{action}");
    }
    for action in [uvm("did:known", "feed", "200"), threshold(3)] {
        assert_eq!(consortium.resolve("o", &json!([action]), ""), "Accepted", "{action}");
    }
}

#[test]
fn d32_tightening_does_not_end_the_proposals_of_others() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    let state = |consortium: &Consortium| consortium.get("proposals_info", "theirs")["state"].clone();
    consortium.record("theirs", &only("set_user_data", json!({})), "Open");
    // What was there before the proposal counts, or an operator could end all proposals at will.
    consortium.apply(&json!([remove_uvm("did:known", "feed"), uvm("did:known", "feed", "100")])).unwrap();
    assert_eq!(state(&consortium), "Open");
    consortium.apply(&json!([uvm("did:known", "feed", "200"), remove_uvm("did:known", "feed")])).unwrap();
    assert_eq!(state(&consortium), "Open");
    consortium.apply(&json!([uvm("did:known", "feed", "200")])).unwrap();
    assert_eq!(state(&consortium), "Dropped");
}

#[test]
fn d32_a_node_is_judged_by_the_policy_of_today() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    assert_eq!(consortium.resolve("o", &json!([admit(NODE)]), ""), "Accepted");
    consortium.put("nodes.virtual.measurements", "measurement", &json!("Retired"));
    assert_eq!(consortium.resolve("o", &json!([admit(NODE)]), ""), "Open");
    assert_eq!(consortium.resolve("o", &json!([admit(NODE)]), "c+"), "Accepted");
}

#[test]
fn d32_evidence_that_says_nothing_admits_no_node() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    for quote_info in [
        Value::Null,
        json!({}),
        json!({"format": "Insecure_Virtual"}),
        json!({"format": "Insecure_Virtual", "quote": ""}),
        json!({"format": "Insecure_Virtual", "quote": "bm90IEpTT04="}),
        json!({"format": "Insecure_Virtual", "quote": "bnVsbA=="}),
        json!({"format": "Insecure_Virtual", "quote": "e30="}),
        json!({"format": "AMD_SEV_SNP_v1", "quote": "AAAA", "endorsements": "AAAA"}),
    ] {
        consortium.put("nodes.info", NODE, &json!({"status": "Pending", "quote_info": quote_info}));
        assert_eq!(consortium.resolve("o", &json!([admit(NODE)]), ""), "Open", "{quote_info}");
    }
}

#[test]
fn d32_a_formed_consortium_stays_formed() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    let grant = json!([member(json!({"isOperator": true}))]);
    assert_eq!(consortium.resolve("o", &grant, ""), "Open");
    consortium.apply(&only("set_user_data", json!({"user_id": "u"}))).unwrap();
    consortium.member("c", "Accepted", json!({}));
    assert_eq!(consortium.resolve("o", &grant, ""), "Open", "while the only member confirms a new state");
}

/// The only member that ever was active is turned into something else by a vote: the vote remembers what it was.
#[test]
fn d32_the_last_counted_member_leaves_a_formed_consortium() {
    let (pem, id) = certificate();
    let set = |data: Value| only("set_member", json!({"cert": pem, "member_data": data}));
    for last in [
        set(json!({})),
        set(json!({"isOperator": true})),
        only("remove_member", json!({"member_id": id})),
        json!([member_data(&id, json!({"isOperator": true}))]),
    ] {
        let mut consortium = operated();
        consortium.member(&id, "Active", json!({}));
        consortium.apply(&last).unwrap();
        for (action, _, alone) in cases() {
            let expected = if alone { "Accepted" } else { "Open" };
            assert_eq!(consortium.resolve("o", &json!([action]), ""), expected, "{last}: {action}");
        }
    }
}
