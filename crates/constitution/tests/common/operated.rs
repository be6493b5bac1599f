//! A service that an operator runs, and what the operator may try.

use serde_json::{Value, json};

use super::consortium::{Consortium, action, certificate};

/// A node that waits, and passes the join policy.
pub const NODE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
/// A node that waits, with host data that the policy does not allow.
pub const STRANGER: &str = "2222222222222222222222222222222222222222222222222222222222222222";
/// A node that waits, with a measurement that the policy does not allow.
pub const FORMER: &str = "3333333333333333333333333333333333333333333333333333333333333333";
/// A node that was admitted.
pub const TRUSTED: &str = "4444444444444444444444444444444444444444444444444444444444444444";
pub const CPU: &str = "00a20f12";
pub const STATES: [&str; 4] = ["Opening", "Open", "Recovering", "WaitingForRecoveryShares"];

/// A service with operator `o`, recovery operator `r` and a counted member `c` that was invited; and things that an
/// operator may want to change.
pub fn operated() -> Consortium {
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

pub fn tcb(cpuid: &str, version: &str) -> Value {
    action("set_snp_minimum_tcb_version_hex", json!({"cpuid": cpuid, "tcb_version": version}))
}

pub fn uvm(did: &str, feed: &str, svn: &str) -> Value {
    action("add_snp_uvm_endorsement", json!({"did": did, "feed": feed, "svn": svn}))
}

pub fn remove_uvm(did: &str, feed: &str) -> Value {
    action("remove_snp_uvm_endorsement", json!({"did": did, "feed": feed}))
}

pub fn threshold(n: i64) -> Value {
    action("set_recovery_threshold", json!({"recovery_threshold": n}))
}

pub fn member(data: Value) -> Value {
    set_member(&certificate().0, data)
}

pub fn set_member(cert: &str, data: Value) -> Value {
    action("set_member", json!({"cert": cert, "member_data": data}))
}

pub fn member_data(id: &str, data: Value) -> Value {
    action("set_member_data", json!({"member_id": id, "member_data": data}))
}

pub fn bundle(name: &str, pem: &str) -> Value {
    action("set_ca_cert_bundle", json!({"name": name, "cert_bundle": pem}))
}

/// The known issuer, with something changed.
pub fn issuer(changes: Value) -> Value {
    let mut args = json!({"issuer": "https://i", "auto_refresh": true, "ca_cert_bundle_name": "bundle"});
    for (name, value) in changes.as_object().unwrap() {
        args[name] = value.clone();
    }
    action("set_jwt_issuer", args)
}

pub fn admit(id: &str) -> Value {
    action("transition_node_to_trusted", json!({"node_id": id, "valid_from": "260101000000Z"}))
}

/// An action, whether an operator takes it alone before the consortium is formed, and whether after that.
pub type Case = (Value, bool, bool);

/// Actions that the operator takes alone at any time.
pub fn upkeep() -> Vec<Case> {
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
pub fn widenings() -> Vec<Case> {
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

pub fn minimum_cases() -> Vec<Case> {
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

pub fn token_cases() -> Vec<Case> {
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

pub fn role_cases() -> Vec<Case> {
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
        (action("set_member", json!({"cert": certificate().0})), false, false),
        (member_data("o", json!({"isOperator": true})), false, false),
        (member_data("o", json!({"isOperator": true, "cgsRoles": {"cgsOperator": "true"}})), false, false),
        (member_data("c", json!({"isOperator": true})), false, false),
        (member_data("c", json!({"isRecoveryOperator": true})), false, false),
    ]
}

pub fn admission_cases() -> Vec<Case> {
    vec![
        (admit(NODE), true, true),
        (admit(STRANGER), true, false),
        (admit(FORMER), true, false),
        (admit(TRUSTED), true, true),
    ]
}

pub fn cases() -> Vec<Case> {
    [upkeep(), widenings(), minimum_cases(), token_cases(), role_cases(), admission_cases()].concat()
}
