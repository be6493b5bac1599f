//! Nodes, their certificates, and what machines must show to run one, in the shipped constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{Consortium, ONLY, consortium, only};
use constitution::CertificateRequest;
use serde_json::{Value, json};

const NODE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const UNKNOWN: &str = "3333333333333333333333333333333333333333333333333333333333333333";
const FROM: &str = "261124034750Z";
const CPU: &str = "00a00f11";

fn failure(consortium: &mut Consortium, name: &str, args: Value) -> Option<String> {
    consortium.apply(&only(name, args)).err().map(|error| error.to_string())
}

/// A service with a node that has asked for a certificate.
fn with_node(status: &str) -> Consortium {
    let (mut consortium, _) = consortium();
    let node = json!({"certificate_signing_request": "CSR", "node_data": {"n": 1}, "status": status});
    consortium.put("nodes.info", NODE, &node);
    consortium
}

/// What the service was asked to endorse for a node.
fn endorsed(consortium: &Consortium, id: &str) -> Option<CertificateRequest> {
    let asked = consortium.raw("nodes.endorsed_certificates", id.as_bytes())?;
    Some(serde_json::from_str(&asked).unwrap())
}

fn endorsement(days: u32) -> Option<CertificateRequest> {
    Some(CertificateRequest::Endorsed { request: "CSR".to_owned(), valid_from: FROM.to_owned(), days })
}

#[test]
fn nodes_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    let upper = NODE.replace('1', "g");
    for name in ["transition_node_to_trusted", "remove_node", "set_node_data", "set_node_certificate_validity"] {
        for (args, expected) in [
            (json!({}), "node_id must be of type string but is undefined"),
            (json!({"node_id": "x", "valid_from": FROM}), "node_id must contain exactly 64 characters"),
            (json!({"node_id": upper, "valid_from": FROM}), "node_id contains non-hexadecimal character"),
        ] {
            assert_eq!(consortium.fault(name, args), Some(format!("Error: {expected}")), "{name}");
        }
    }
}

#[test]
fn periods_of_validity_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    consortium.put_only("service.config", &json!({"maximum_node_certificate_validity_days": 90}));
    for (name, most) in [
        ("transition_node_to_trusted", 90),
        ("set_node_certificate_validity", 90),
        ("set_all_nodes_certificate_validity", 90),
        ("set_service_certificate_validity", 365),
    ] {
        let args = |days: Value| json!({"node_id": NODE, "valid_from": FROM, "validity_period_days": days});
        let long = format!("Validity period {} is greater than maximum allowed {most}", most + 1);
        for (args, expected) in [
            (json!({"node_id": NODE}), "valid_from must be of type string but is undefined"),
            (json!({"node_id": NODE, "valid_from": 5}), "valid_from must be of type string but is number"),
            (args(json!("5")), "validity_period_days must be an integer"),
            (args(json!(1.5)), "validity_period_days must be an integer"),
            (args(json!(0)), "validity_period_days must be greater than 1"),
            (args(json!(-1)), "validity_period_days must be greater than 1"),
            (args(json!(most + 1)), &long),
        ] {
            assert_eq!(consortium.fault(name, args.clone()), Some(format!("Error: {expected}")), "{name} {args}");
        }
        for days in [json!(1), json!(most), Value::Null] {
            assert_eq!(consortium.fault(name, args(days.clone())), None, "{name} {days}");
        }
    }
}

#[test]
fn a_node_that_waits_is_admitted() {
    let admit = |days: Value| json!({"node_id": NODE, "valid_from": FROM, "validity_period_days": days});
    let mut consortium = with_node("Pending");
    assert_eq!(failure(&mut consortium, "transition_node_to_trusted", admit(json!(30))), None);
    let node = consortium.get("nodes.info", NODE);
    assert_eq!(
        node,
        json!({
            "certificate_signing_request": "CSR",
            "ledger_secret_seqno": 1,
            "node_data": {"n": 1},
            "status": "Trusted",
        })
    );
    assert_eq!(endorsed(&consortium, NODE), endorsement(30));
    // Admitting it again changes nothing.
    assert_eq!(failure(&mut consortium, "transition_node_to_trusted", admit(json!(60))), None);
    assert_eq!(endorsed(&consortium, NODE), endorsement(30));
    let unknown = json!({"node_id": UNKNOWN, "valid_from": FROM});
    assert_eq!(
        failure(&mut consortium, "transition_node_to_trusted", unknown).unwrap(),
        format!("Error: No such node: {UNKNOWN}")
    );
}

#[test]
fn a_node_is_admitted_under_the_latest_secret_and_for_the_maximum() {
    let mut consortium = with_node("Pending");
    let chain = br#"{"next_version":40}"#;
    consortium.tables.put("public:ccf.internal.historical_encrypted_ledger_secret", &ONLY, chain);
    consortium.put_only("service.config", &json!({"maximum_node_certificate_validity_days": 90}));
    consortium.apply(&only("transition_node_to_trusted", json!({"node_id": NODE, "valid_from": FROM}))).unwrap();
    assert_eq!(consortium.get("nodes.info", NODE)["ledger_secret_seqno"], 40);
    assert_eq!(endorsed(&consortium, NODE), endorsement(90));
}

#[test]
fn a_node_that_was_removed_is_not_admitted_again() {
    let mut consortium = with_node("Retired");
    consortium.apply(&only("transition_node_to_trusted", json!({"node_id": NODE, "valid_from": FROM}))).unwrap();
    assert_eq!(consortium.get("nodes.info", NODE)["status"], "Retired");
    assert_eq!(endorsed(&consortium, NODE), None);
}

#[test]
fn nodes_are_removed() {
    let remove = json!({"node_id": NODE});
    let mut consortium = with_node("Pending");
    assert_eq!(failure(&mut consortium, "remove_node", remove.clone()), None);
    assert_eq!(consortium.get("nodes.info", NODE), Value::Null);
    assert_eq!(failure(&mut consortium, "remove_node", remove.clone()), None);
    let mut consortium = with_node("Trusted");
    assert_eq!(
        failure(&mut consortium, "remove_node", remove.clone()).unwrap(),
        format!("Error: Node {NODE} is the last trusted one and cannot be removed")
    );
    consortium.put("nodes.info", OTHER, &json!({"status": "Trusted"}));
    assert_eq!(failure(&mut consortium, "remove_node", remove.clone()), None);
    assert_eq!(consortium.get("nodes.info", NODE)["status"], "Retired");
    assert_eq!(consortium.get("nodes.info", NODE)["node_data"], json!({"n": 1}));
    assert_eq!(failure(&mut consortium, "remove_node", remove), None);
    assert!(failure(&mut consortium, "remove_node", json!({"node_id": OTHER})).is_some());
}

#[test]
fn notes_about_nodes_are_replaced() {
    let mut consortium = with_node("Trusted");
    for (given, expected) in [(json!([1]), json!([1])), (json!("x"), json!("x")), (Value::Null, Value::Null)] {
        consortium.apply(&only("set_node_data", json!({"node_id": NODE, "node_data": given}))).unwrap();
        assert_eq!(consortium.get("nodes.info", NODE)["node_data"], expected);
    }
    consortium.apply(&only("set_node_data", json!({"node_id": NODE}))).unwrap();
    assert_eq!(consortium.get("nodes.info", NODE).get("node_data"), None);
    assert_eq!(
        failure(&mut consortium, "set_node_data", json!({"node_id": UNKNOWN})).unwrap(),
        format!("Error: Node {UNKNOWN} does not exist")
    );
}

#[test]
fn certificates_of_nodes_are_renewed() {
    let renew = "set_node_certificate_validity";
    let args = |id: &str, days: u32| json!({"node_id": id, "valid_from": FROM, "validity_period_days": days});
    let mut consortium = with_node("Trusted");
    assert_eq!(failure(&mut consortium, renew, args(NODE, 7)), None);
    assert_eq!(endorsed(&consortium, NODE), endorsement(7));
    let refused = |consortium: &mut Consortium, id: &str, days| failure(consortium, renew, args(id, days)).unwrap();
    assert_eq!(refused(&mut consortium, UNKNOWN, 7), format!("Error: No such node: {UNKNOWN}"));
    assert_eq!(refused(&mut consortium, NODE, 366), "Error: Validity period 366 is greater than maximum allowed 365");
    consortium.put("nodes.info", OTHER, &json!({"status": "Pending"}));
    assert_eq!(refused(&mut consortium, OTHER, 7), format!("Error: Node {OTHER} is not trusted"));
    consortium.put("nodes.info", OTHER, &json!({"status": "Trusted"}));
    assert_eq!(refused(&mut consortium, OTHER, 7), format!("Error: Node {OTHER} has no certificate signing request"));
}

#[test]
fn certificates_of_all_nodes_are_renewed() {
    let mut consortium = with_node("Trusted");
    consortium.put("nodes.info", OTHER, &json!({"certificate_signing_request": "CSR", "status": "Trusted"}));
    consortium.put("nodes.info", UNKNOWN, &json!({"certificate_signing_request": "CSR", "status": "Retired"}));
    consortium.apply(&only("set_all_nodes_certificate_validity", json!({"valid_from": FROM}))).unwrap();
    assert_eq!(endorsed(&consortium, NODE), endorsement(365));
    assert_eq!(endorsed(&consortium, OTHER), endorsement(365));
    assert_eq!(endorsed(&consortium, UNKNOWN), None);
}

#[test]
fn the_certificate_of_the_service_is_renewed() {
    let (mut consortium, _) = consortium();
    let renew = "set_service_certificate_validity";
    let mut info = consortium.get_only("service.info");
    let args = |days: u32| json!({"valid_from": FROM, "validity_period_days": days});
    assert!(failure(&mut consortium, renew, args(366)).is_some());
    assert_eq!(consortium.get_only("service.info"), info);
    assert_eq!(failure(&mut consortium, renew, args(100)), None);
    let asked = CertificateRequest::Network { valid_from: FROM.to_owned(), days: 100 };
    info["cert"] = json!(serde_json::to_string(&asked).unwrap());
    assert_eq!(consortium.get_only("service.info"), info);
}

#[test]
fn join_policies_with_wrong_arguments() {
    let (mut consortium, _) = consortium();
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let host = |host_data: &str, policy: &str| json!({"host_data": host_data, "security_policy": policy});
    let uvm = |svn: Value| json!({"did": "d", "feed": "f", "svn": svn});
    let tcb = |cpuid: &str, version: &str| json!({"cpuid": cpuid, "tcb_version": version});
    for (name, args, expected) in [
        ("add_snp_measurement", json!({}), "measurement must be of type string but is undefined"),
        ("add_snp_measurement", json!({"measurement": "zz"}), "measurement must contain exactly 96 characters"),
        ("add_snp_measurement", json!({"measurement": "A".repeat(96)}), "measurement must be in lower case"),
        ("remove_snp_measurement", json!({}), "measurement must be of type string but is undefined"),
        ("add_snp_host_data", json!({}), "security_policy must be of type string but is undefined"),
        ("add_snp_host_data", json!({"security_policy": ""}), "host_data must be of type string but is undefined"),
        ("add_snp_host_data", host("zz", ""), "host_data must contain exactly 64 characters"),
        ("add_snp_host_data", host(&"z".repeat(64), ""), "host_data contains non-hexadecimal character"),
        (
            "add_snp_host_data",
            host(digest, "abd"),
            "The hash of raw policy abd does not match digest ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        ("remove_snp_host_data", json!({}), "host_data must be of type string but is undefined"),
        ("add_snp_uvm_endorsement", json!({}), "did must be of type string but is undefined"),
        ("add_snp_uvm_endorsement", json!({"did": "d"}), "feed must be of type string but is undefined"),
        ("add_snp_uvm_endorsement", uvm(json!(100)), "svn must be of type string but is number"),
        ("add_snp_uvm_endorsement", uvm(json!("x")), "svn must be a number"),
        ("add_snp_uvm_endorsement", uvm(json!("1".repeat(21))), "svn must be a number"),
        ("remove_snp_uvm_endorsement", json!({"did": "d"}), "feed must be of type string but is undefined"),
        ("set_snp_minimum_tcb_version_hex", json!({}), "cpuid must be of type string but is undefined"),
        ("set_snp_minimum_tcb_version_hex", tcb("zz", "1"), "cpuid must contain exactly 8 characters"),
        ("set_snp_minimum_tcb_version_hex", tcb("00A00F11", "1"), "cpuid must be in lower case"),
        ("set_snp_minimum_tcb_version_hex", tcb(CPU, "1"), "tcb_version must contain exactly 16 characters"),
        ("remove_snp_minimum_tcb_version", json!({}), "cpuid must be of type string but is undefined"),
        ("add_node_code", json!({}), "code_id must be of type string but is undefined"),
        ("remove_node_code", json!({}), "code_id must be of type string but is undefined"),
        ("add_executor_node_code", json!({}), "executor_code_id must be of type string but is undefined"),
        ("remove_executor_node_code", json!({}), "executor_code_id must be of type string but is undefined"),
    ] {
        assert_eq!(consortium.fault(name, args.clone()), Some(format!("Error: {expected}")), "{name} {args}");
    }
    let unknown = consortium.fault("set_snp_minimum_tcb_version_hex", tcb("00000000", "d315000000000004")).unwrap();
    assert!(unknown.contains("family"), "{unknown}");
    assert_eq!(consortium.fault("add_snp_host_data", host(digest, "abc")), None);
    assert_eq!(consortium.fault("add_snp_uvm_endorsement", uvm(json!("100"))), None);
    assert_eq!(consortium.fault("set_snp_minimum_tcb_version_hex", tcb(CPU, "d315000000000004")), None);
}

#[test]
fn join_policies_are_added_and_removed() {
    let (mut consortium, _) = consortium();
    for (subject, field, table, more, expected) in [
        ("snp_measurement", "measurement", "nodes.snp.measurements", json!({}), "AllowedToJoin"),
        ("snp_host_data", "host_data", "nodes.snp.host_data", json!({"security_policy": "policy"}), "policy"),
        ("node_code", "code_id", "nodes.code_ids", json!({}), "AllowedToJoin"),
        ("executor_node_code", "executor_code_id", "nodes.executor_code_ids", json!({}), "AllowedToExecute"),
    ] {
        let mut args = more;
        args[field] = json!("ab");
        consortium.apply(&only(&format!("add_{subject}"), args.clone())).unwrap();
        assert_eq!(consortium.get(table, "ab"), expected, "{subject}");
        let remove = only(&format!("remove_{subject}"), args);
        consortium.apply(&remove).unwrap();
        assert_eq!(consortium.get(table, "ab"), Value::Null, "{subject}");
        assert_eq!(consortium.apply(&remove).unwrap().writes, [], "{subject}");
    }
}

#[test]
fn endorsements_are_kept_by_issuer_and_feed() {
    let (mut consortium, _) = consortium();
    let table = "nodes.snp.uvm_endorsements";
    let mut uvm = |add: bool, feed: &str| {
        let name = if add { "add_snp_uvm_endorsement" } else { "remove_snp_uvm_endorsement" };
        consortium.apply(&only(name, json!({"did": "did:x", "feed": feed, "svn": "100"}))).unwrap();
        consortium.raw(table, b"did:x")
    };
    assert_eq!(uvm(true, "f").unwrap(), r#"{"f":{"svn":"100"}}"#);
    assert_eq!(uvm(true, "__proto__").unwrap(), r#"{"f":{"svn":"100"},"__proto__":{"svn":"100"}}"#);
    assert_eq!(uvm(true, "f").unwrap(), r#"{"__proto__":{"svn":"100"},"f":{"svn":"100"}}"#);
    assert_eq!(uvm(false, "constructor").unwrap(), r#"{"__proto__":{"svn":"100"},"f":{"svn":"100"}}"#);
    assert_eq!(uvm(false, "__proto__").unwrap(), r#"{"f":{"svn":"100"}}"#);
    assert_eq!(uvm(false, "f"), None);
    assert_eq!(uvm(false, "f"), None);
}

#[test]
fn minimum_versions_are_kept_by_processor() {
    let (mut consortium, _) = consortium();
    let set = json!({"cpuid": CPU, "tcb_version": "d315000000000804"});
    consortium.apply(&only("set_snp_minimum_tcb_version_hex", set)).unwrap();
    let expected = json!({"boot_loader": 4, "hexstring": "d315000000000804", "microcode": 211, "snp": 21, "tee": 8});
    assert_eq!(consortium.get("nodes.snp.tcb_versions", CPU), expected);
    consortium.apply(&only("remove_snp_minimum_tcb_version", json!({"cpuid": CPU}))).unwrap();
    assert_eq!(consortium.get("nodes.snp.tcb_versions", CPU), Value::Null);
}

/// Whether a proposal of somebody else survives an action that is carried out twice.
#[test]
fn a_wider_join_policy_ends_other_proposals() {
    let (mut consortium, _) = consortium();
    let digest = "ab".repeat(32);
    for (name, args, ends) in [
        ("add_snp_measurement", json!({"measurement": "ab"}), true),
        ("add_snp_host_data", json!({"host_data": digest, "security_policy": ""}), true),
        ("add_node_code", json!({"code_id": "ab"}), true),
        ("add_executor_node_code", json!({"executor_code_id": "ab"}), false),
        ("add_snp_uvm_endorsement", json!({"did": "d", "feed": "f", "svn": "1"}), true),
        ("set_snp_minimum_tcb_version_hex", json!({"cpuid": CPU, "tcb_version": "d315000000000804"}), true),
        ("remove_snp_measurement", json!({"measurement": "ab"}), false),
        ("set_user_data", json!({"user_id": NODE}), false),
    ] {
        for expected in [if ends { "Dropped" } else { "Open" }, "Open"] {
            consortium.record("theirs", &only("set_user_data", json!({})), "Open");
            consortium.apply(&only(name, args.clone())).unwrap();
            assert_eq!(consortium.get("proposals_info", "theirs")["state"], expected, "{name}");
        }
    }
}
