//! The rules of `resolve` in the shipped constitution, each as a table of cases.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::consortium::{Consortium, action, contract, document, only};
use serde_json::{Value, json};

/// A proposal that nothing special is said about.
fn plain() -> Value {
    only("set_user_data", json!({"user_id": "u", "user_data": {}}))
}

#[test]
fn unanimity_of_the_counted_active_members() {
    let mut consortium = Consortium::of(&["a", "b", "c"]);
    consortium.member("o", "Active", json!({"isOperator": true}));
    consortium.member("r", "Active", json!({"isRecoveryOperator": true}));
    consortium.member("g", "Active", json!({"cgsRoles": {"cgsOperator": "true"}}));
    consortium.member("k", "Active", json!({"cgsRoles": {"contractOperator": "true"}}));
    consortium.member("i", "Accepted", json!({}));
    for (votes, expected) in [
        ("", "Open"),
        ("a+ b+", "Open"),
        ("a+ b+ c+", "Accepted"),
        ("a+ b+ c-", "Open"),
        ("a+ b+ o+ r+ g+ k+", "Open"),
        ("a+ b+ c+ o- r- g- k- i-", "Accepted"),
        ("a+ b+ i+", "Open"),
        ("a- b- c-", "Open"),
    ] {
        assert_eq!(consortium.resolve("a", &plain(), votes), expected, "{votes}");
    }
}

#[test]
fn a_contract_waits_for_accepted_members() {
    let mut consortium = Consortium::of(&["a", "b"]);
    consortium.member("i", "Accepted", json!({}));
    assert_eq!(consortium.resolve("a", &json!([contract("x")]), "a+ b+"), "Open");
    assert_eq!(consortium.resolve("a", &json!([document("x")]), "a+ b+"), "Accepted");
    consortium.member("i", "Accepted", json!({"isOperator": true}));
    assert_eq!(consortium.resolve("a", &json!([contract("x")]), "a+ b+"), "Accepted");
}

#[test]
fn roles_need_their_exact_values() {
    for data in [
        json!({"isOperator": false}),
        json!({"cgsRoles": {"cgsOperator": true}}),
        json!({"cgsRoles": {"cgsOperator": "True"}}),
        json!({"cgsRoles": null}),
        json!({"cgsRoles": "cgsOperator"}),
        json!({"tenantId": "t"}),
        json!([]),
        Value::Null,
    ] {
        let mut consortium = Consortium::of(&["a"]);
        consortium.member("b", "Active", data.clone());
        assert_eq!(consortium.resolve("a", &plain(), "a+"), "Open", "{data} is counted");
        assert_eq!(consortium.resolve("a", &plain(), "a+ b+"), "Accepted", "{data} is counted");
    }
}

#[test]
fn d07_nobody_is_not_everybody() {
    let mut nobody = Consortium::new();
    assert_eq!(nobody.resolve("p", &plain(), ""), "Open");
    nobody.member("o", "Active", json!({"isRecoveryOperator": true}));
    nobody.member("i", "Accepted", json!({}));
    assert_eq!(nobody.resolve("o", &plain(), "o+ i+"), "Open");
    assert_eq!(nobody.resolve("o", &json!([contract("x")]), "o+"), "Open");
}

#[test]
fn d18_ballots_of_removed_members_are_ignored() {
    let mut consortium = Consortium::of(&["a", "b"]);
    assert_eq!(consortium.resolve("a", &plain(), "a+ b+ gone-"), "Accepted");
    assert_eq!(consortium.resolve("a", &plain(), "a+ gone+"), "Open");
    assert_eq!(consortium.resolve("a", &json!([contract("x")]), "a+ b+ gone-"), "Accepted");
    assert_eq!(consortium.resolve("gone", &plain(), "a+ b+"), "Accepted");
}

#[test]
fn d18_removing_a_member_needs_no_certificate() {
    let mut consortium = Consortium::of(&["a", "b"]);
    consortium.member("o", "Active", json!({"isOperator": true}));
    consortium.member("p", "Active", json!({"isOperator": true}));
    let remove = |id: &str| only("remove_member", json!({"member_id": id}));
    assert_eq!(consortium.resolve("a", &remove("b"), "a+"), "Open");
    assert_eq!(consortium.resolve("a", &remove("b"), "a+ b+"), "Accepted");
    assert_eq!(consortium.resolve("o", &remove("b"), ""), "Open");
    assert_eq!(consortium.resolve("o", &remove("unknown"), ""), "Open");
    assert_eq!(consortium.resolve("o", &remove("p"), ""), "Accepted");
    assert_eq!(consortium.resolve("a", &remove("p"), ""), "Open");
}

#[test]
fn d20_an_activation_can_complete_a_decision() {
    let mut consortium = Consortium::of(&["a"]);
    consortium.member("i", "Accepted", json!({}));
    let proposal = json!([contract("x")]);
    assert_eq!(consortium.resolve("a", &proposal, "a+"), "Open");
    consortium.member("i", "Active", json!({"isRecoveryOperator": true}));
    assert_eq!(consortium.resolve("a", &proposal, "a+"), "Accepted");
}

#[test]
fn a_false_vote_of_any_member_vetoes_what_concerns_contracts() {
    let mut consortium = Consortium::of(&["a", "b"]);
    consortium.member("o", "Active", json!({"isOperator": true}));
    consortium.member("i", "Accepted", json!({}));
    for (name, vetoable) in [
        ("set_clean_room_policy", true),
        ("set_deployment_spec", true),
        ("set_deployment_info", true),
        ("set_contract_runtime_options_enable_logging", true),
        ("set_contract_runtime_options_enable_telemetry", true),
        ("set_cgs_runtime_options", false),
        ("set_constitution", false),
        ("set_member", false),
    ] {
        let proposal = only(name, json!({"contractId": "x"}));
        let expected = if vetoable { "Rejected" } else { "Open" };
        for vote in ["a-", "o-", "i-", "a+ b-"] {
            assert_eq!(consortium.resolve("a", &proposal, vote), expected, "{name} {vote}");
        }
    }
    for proposal in [json!([contract("x")]), json!([document("x")]), json!([plain()[0], document("x")])] {
        assert_eq!(consortium.resolve("a", &proposal, "a+ b+ o-"), "Rejected");
    }
}

#[test]
fn contracts_are_decided_alone_and_once() {
    let mut consortium = Consortium::of(&["a"]);
    consortium.put("accepted_contracts", "accepted", &json!({}));
    consortium.record("other", &json!([contract("pending"), contract("pending2")]), "Open");
    consortium.record("old", &json!([contract("withdrawn")]), "Withdrawn");
    consortium.record("failed", &json!([contract("failed")]), "Failed");
    for (actions, expected) in [
        (json!([contract("x")]), "Accepted"),
        (json!([contract("x"), contract("y")]), "Accepted"),
        (json!([contract("x"), plain()[0]]), "Rejected"),
        (json!([document("x"), contract("x")]), "Rejected"),
        (json!([contract("x"), contract("x")]), "Rejected"),
        (json!([contract("accepted")]), "Rejected"),
        (json!([contract("x"), contract("pending2")]), "Rejected"),
        (json!([contract("withdrawn")]), "Accepted"),
        (json!([contract("failed")]), "Accepted"),
    ] {
        assert_eq!(consortium.resolve("a", &actions, "a+"), expected, "{actions}");
    }
    consortium.member("i", "Accepted", json!({}));
    assert_eq!(consortium.resolve("a", &json!([contract("accepted")]), ""), "Rejected", "before any vote");
}

#[test]
fn documents_are_decided_once() {
    let mut consortium = Consortium::of(&["a"]);
    consortium.put("accepted_member_documents", "accepted", &json!({}));
    consortium.record("other", &json!([document("pending"), contract("c")]), "Open");
    for (actions, expected) in [
        (json!([document("x"), document("y"), plain()[0]]), "Accepted"),
        (json!([document("x"), document("x")]), "Rejected"),
        (json!([document("accepted")]), "Rejected"),
        (json!([document("pending")]), "Rejected"),
        (json!([document("c")]), "Accepted"),
    ] {
        assert_eq!(consortium.resolve("a", &actions, "a+"), expected, "{actions}");
    }
}

#[test]
fn d05_resolved_proposals_that_stay_readable_block_nothing() {
    let mut consortium = Consortium::of(&["a"]);
    for (number, state) in ["Accepted", "Rejected", "Withdrawn", "Failed", "Dropped"].into_iter().enumerate() {
        consortium.record(&format!("old{number}"), &json!([contract("x"), document("x")]), state);
    }
    assert_eq!(consortium.resolve("a", &json!([contract("x")]), "a+"), "Accepted");
    assert_eq!(consortium.resolve("a", &json!([document("x")]), "a+"), "Accepted");
    // Nor do they where the list of open ones still has them, or one that never was.
    for id in ["old0", "old1", "old2", "old3", "old4", "never"] {
        consortium.index(id);
    }
    assert_eq!(consortium.resolve("a", &json!([contract("x")]), "a+"), "Accepted");
}

/// More than a script may read.
fn add_long_history(consortium: &mut Consortium) {
    let ballot = "x".repeat(1 << 20);
    for number in 0..40 {
        let info = json!({"ballots": {"a": ballot}, "proposer_id": "p", "state": "Rejected"});
        consortium.put("proposals_info", &format!("old{number}"), &info);
    }
}

#[test]
fn d05_a_long_history_does_not_keep_the_consortium_from_deciding() {
    let mut consortium = Consortium::of(&["a"]);
    add_long_history(&mut consortium);
    consortium.record("other", &json!([contract("y")]), "Open");
    assert_eq!(consortium.resolve("a", &json!([contract("x")]), "a+"), "Accepted");
    assert_eq!(consortium.resolve("a", &json!([contract("y")]), "a+"), "Rejected");
    consortium.apply(&only("set_constitution", json!({"constitution": "x"}))).unwrap();
    assert_eq!(consortium.get("proposals_info", "other")["state"], "Dropped");
}

#[test]
fn switching_off_takes_no_votes() {
    let mut consortium = Consortium::of(&["a", "b"]);
    let off = |what: &str| action(&format!("set_contract_runtime_options_disable_{what}"), json!({"contractId": "x"}));
    let on = action("set_contract_runtime_options_enable_logging", json!({"contractId": "x"}));
    assert_eq!(consortium.resolve("a", &json!([off("logging"), off("telemetry")]), ""), "Accepted");
    assert_eq!(consortium.resolve("a", &json!([off("logging"), on]), ""), "Open");
}

#[test]
fn d06_no_actions_are_accepted_by_no_rule() {
    let mut consortium = Consortium::of(&["a"]);
    consortium.member("o", "Active", json!({"isOperator": true}));
    consortium.member("g", "Active", json!({"cgsRoles": {"cgsOperator": "true", "contractOperator": "true"}}));
    for proposer in ["a", "o", "g"] {
        assert_eq!(consortium.resolve(proposer, &json!([]), ""), "Open");
    }
}

#[test]
fn d32_no_vote_puts_an_application_in() {
    let mut consortium = Consortium::of(&["a"]);
    consortium.member("g", "Active", json!({"cgsRoles": {"cgsOperator": "true"}}));
    consortium.enable("autoapprove-jsapp-proposal");
    assert_eq!(consortium.resolve("g", &only("set_js_app", json!({})), ""), "Open");
}

#[test]
fn delegated_decisions_need_role_and_option() {
    let cases = [
        ("cgsOperator", "set_constitution", "autoapprove-constitution-proposal"),
        ("contractOperator", "set_deployment_spec", "autoapprove-deploymentspec-proposal"),
        ("contractOperator", "set_deployment_info", "autoapprove-deploymentinfo-proposal"),
        ("contractOperator", "set_clean_room_policy", "autoapprove-cleanroompolicy-proposal"),
    ];
    for (role, name, option) in cases {
        let mut consortium = Consortium::of(&["a"]);
        consortium.member("g", "Active", json!({"cgsRoles": {role: "true"}}));
        consortium.member("o", "Active", json!({"isOperator": true}));
        let proposal = only(name, json!({"contractId": "x"}));
        let mixed = json!([proposal[0], plain()[0]]);
        assert_eq!(consortium.resolve("g", &proposal, ""), "Open", "{name}: not switched on");
        consortium.enable(option);
        assert_eq!(consortium.resolve("g", &proposal, ""), "Accepted", "{name}");
        assert_eq!(consortium.resolve("g", &mixed, ""), "Open", "{name}: with something else");
        assert_eq!(consortium.resolve("a", &proposal, ""), "Open", "{name}: by a member without the role");
        assert_eq!(consortium.resolve("o", &proposal, ""), "Open", "{name}: by an operator");
        consortium.put("cgs_runtime_options", option, &json!({"status": "disabled"}));
        assert_eq!(consortium.resolve("g", &proposal, ""), "Open", "{name}: switched off again");
    }
}

#[test]
fn a_veto_comes_before_a_delegated_decision() {
    let mut consortium = Consortium::of(&["a"]);
    consortium.member("g", "Active", json!({"cgsRoles": {"contractOperator": "true"}}));
    consortium.enable("autoapprove-deploymentspec-proposal");
    let proposal = only("set_deployment_spec", json!({"contractId": "x"}));
    assert_eq!(consortium.resolve("g", &proposal, "a-"), "Rejected");
}
