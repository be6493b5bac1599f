//! From an empty directory to an accepted contract, with nothing but commands.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failure report of a test")]

mod support;

use std::{fs, path::Path};

use serde_json::{Value, json};
use support::{Person, open_service};

fn write(directory: &Path, name: &str, value: &Value) {
    fs::write(directory.join(name), value.to_string()).unwrap();
}

/// Lets the founder add a member, and the member accept; returns the member as a person of its own.
fn invite(founder: &Person, name: &str) -> Person {
    founder.say(&format!("member keygen {name}")).ended_with(0);
    let added = founder.say(&format!("member add {name} --cert {name}_cert.pem --vote")).ended_with(0);
    assert!(added.contains("Accepted"), "{added}");
    founder.say(&format!("member invite {name} --file {name}.json")).ended_with(0);
    let member = Person::new(&founder.directory, &format!("profiles-{name}"));
    let keys = format!("--member-cert {name}_cert.pem --member-key {name}_privk.pem");
    member.say(&format!("login {name} --invitation {name}.json {keys}")).ended_with(0);
    member
}

#[test]
fn d42_a_member_accepts_exactly_what_it_judged() {
    let (_scratch, _node, founder) = open_service();
    let ada = invite(&founder, "ada");
    let early = ada.say("member activate").ended_with(1);
    assert!(early.contains("cgs service verify"), "{early}");
    let judged = ada.say("service verify --invitation ada.json --output json").json(12);
    let good = |what: &str| {
        let findings = judged["findings"].as_array().unwrap();
        findings.iter().any(|finding| finding["what"] == what && finding["level"] == "good")
    };
    for what in ["service", "constitution", "invitation: build", "invitation: member", "invitation: resume"] {
        assert!(good(what), "{what}: {judged:#}");
    }
    assert_eq!(judged["constitutionDifference"], "");
    let _birch = invite(&founder, "birch");
    let refused = ada.say("member activate").ended_with(13);
    assert!(refused.contains("was added") && refused.contains("was accepted"), "{refused}");
    ada.say("service verify --invitation ada.json").ended_with(12);
    ada.say("member activate").ended_with(0);
    let members = ada.say("member list --output json").json(0);
    let status = |name: &str| {
        let member = members.as_array().unwrap().iter().find(|member| member["memberData"]["identifier"] == name);
        member.unwrap()["status"].clone()
    };
    assert_eq!(
        (status("member0"), status("ada"), status("birch")),
        (json!("Active"), json!("Active"), json!("Accepted"))
    );
}

#[test]
fn d42_a_broken_promise_is_told() {
    let (scratch, _node, founder) = open_service();
    let ada = invite(&founder, "ada");
    let path = scratch.path().join("ada.json");
    let mut invitation: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    invitation["constitution_digest"] = "00".repeat(32).into();
    fs::write(&path, invitation.to_string()).unwrap();
    let said = ada.say("service verify --invitation ada.json").ended_with(13);
    assert!(said.contains("FAILURE") && said.contains("do not accept"), "{said}");
    assert_eq!(ada.say("member activate").code, 1, "nothing that failed can be acknowledged");
    let other = "ab".repeat(32);
    founder.say(&format!("service verify --expect-build {other}")).ended_with(13);
    founder.say("service verify --expect-build xyz").ended_with(2);
}

#[test]
fn a_contract_is_amended_without_lost_updates_and_accepted_by_all() {
    let (scratch, _node, founder) = open_service();
    let ada = invite(&founder, "ada");
    ada.say("service verify").ended_with(12);
    ada.say("member activate").ended_with(0);

    write(scratch.path(), "first.json", &json!({"purpose": "trial", "rows": 10}));
    write(scratch.path(), "ada.json", &json!({"purpose": "trial", "rows": 20}));
    write(scratch.path(), "mine.json", &json!({"purpose": "trial", "rows": 10, "until": 2030}));
    let first = founder.say("contract create trial --file first.json --output json").json(0);
    let first = first["version"].as_str().unwrap();
    founder.say("contract create trial --file first.json").ended_with(5);
    ada.say(&format!("contract update trial --file ada.json --version {first}")).ended_with(0);
    let conflict = founder.say(&format!("contract update trial --file mine.json --version {first}")).ended_with(5);
    for part in ["-  \"rows\": 20", "+  \"until\": 2030", "--version "] {
        assert!(conflict.contains(part), "{part}: {conflict}");
    }
    let equal = ada.say("contract diff trial --file ada.json").ended_with(0);
    assert!(equal.contains("no difference"), "{equal}");
    founder.say(&format!("contract propose trial --version {first}")).ended_with(5);

    let proposed = founder.say("contract propose trial --vote --output json").json(0);
    assert_eq!(proposed["waitingFor"], json!(["ada"]));
    let inbox = ada.say("proposal list --output json").json(0);
    assert_eq!((&inbox[0]["awaitsMyVote"], &inbox[0]["actions"][0]["name"]), (&json!(true), &json!("set_contract")));
    assert!(inbox.as_array().unwrap()[1..].iter().all(|row| row["awaitsMyVote"] == false), "{inbox:#}");
    let text = ada.say("proposal list").ended_with(0);
    assert!(text.contains("MUST VOTE") && text.contains("1 await my vote"), "{text}");
    let id = &proposed["proposal"]["proposalId"].as_str().unwrap()[..8];
    assert!(ada.say(&format!("proposal show {id}")).ended_with(0).contains("has not voted"));
    ada.say("contract vote trial --accept --proposal 00000000").ended_with(5);
    let voted = ada.say(&format!("contract vote trial --accept --proposal {id} --output json")).json(0);
    assert_eq!(voted["proposal"]["proposalState"], "Accepted");
    assert_eq!(founder.say("contract list --output json").json(0), json!([{"id": "trial", "state": "Accepted"}]));
    founder.say("contract propose trial").ended_with(1);
    founder.say(&format!("proposal withdraw {id}")).ended_with(4);
}

#[test]
fn receipts_and_ledger_are_proven_from_files_alone() {
    let (scratch, mut node, founder) = open_service();
    write(scratch.path(), "first.json", &json!({"purpose": "trial"}));
    let first = founder.say("contract create trial --file first.json --output json").json(0);
    let version = first["version"].as_str().unwrap();
    founder.say(&format!("receipt get {version} --file receipt.json")).ended_with(0);
    node.kill();

    let auditor = Person::new(scratch.path(), "auditor");
    let verify = "receipt verify receipt.json --service-cert node/service_cert.pem --output json";
    assert_eq!(auditor.say(verify).json(0)["transactionId"], version);
    let receipt = fs::read_to_string(scratch.path().join("receipt.json")).unwrap();
    let changed = receipt.replacen(&format!("ce:{version}:"), &format!("ce:{version}:0"), 1);
    assert_ne!(receipt, changed);
    fs::write(scratch.path().join("receipt.json"), changed).unwrap();
    assert!(auditor.say(verify).ended_with(14).contains("does not verify"));

    let verify = "ledger verify node/ledger --service-cert node/service_cert.pem --output json";
    let report = auditor.say(verify).json(0);
    assert_eq!(report["unverifiedTail"], 0, "{report:#}");
    auditor.say("ledger verify node/ledger --service-cert node/member0_cert.pem").ended_with(14);
    let shown = auditor.say("ledger show node/ledger --table ^public:ccf.gov.members.info$ --seqno 1..3").ended_with(0);
    assert!(shown.starts_with("2.1 (") && shown.contains("Accepted") && !shown.contains("members.certs"), "{shown}");
    let none = auditor.say("ledger show node/ledger --table no-such-table").ended_with(0);
    assert_eq!(none, "");
}
