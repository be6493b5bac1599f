//! What an operator does alone (D32), in the shipped constitution.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{
    consortium::{Consortium, action, certificate, only},
    operated::{
        CPU, Case, FORMER, NODE, STATES, STRANGER, TRUSTED, admit, bundle, cases, member, member_data, operated,
        remove_uvm, set_member, tcb, threshold, uvm,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

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

/// Before the consortium is formed the operator brings in operators. It must not make one of somebody who was invited to
/// decide, or to hold shares: that one could then be removed, too.
#[test]
fn d32_nobody_who_was_invited_becomes_an_operator() {
    let operator = json!({"isOperator": true});
    for (known, alone) in [
        (None, "Accepted"),
        (Some(operator.clone()), "Accepted"),
        (Some(json!({})), "Open"),
        (Some(json!({"isRecoveryOperator": true})), "Open"),
        (Some(json!({"cgsRoles": {"contractOperator": "true"}})), "Open"),
    ] {
        let mut consortium = operated();
        let (pem, id) = certificate();
        if let Some(data) = &known {
            consortium.member(&id, "Accepted", data.clone());
        }
        let set = set_member(&pem, operator.clone());
        assert_eq!(consortium.resolve("o", &json!([set]), ""), alone, "{known:?}");
        let removed = action("remove_member", json!({"member_id": id}));
        let expected = if known == Some(operator.clone()) { "Accepted" } else { "Open" };
        assert_eq!(consortium.resolve("o", &json!([set, removed]), ""), expected, "{known:?}");
    }
}

/// What somebody may do alone in one role and in another is not lawful together: each role is a rule of its own.
#[test]
fn d32_roles_do_not_add_up() {
    let mut consortium = operated();
    consortium.member("c", "Active", json!({}));
    let roles = json!({"cgsOperator": "true", "contractOperator": "true"});
    consortium.member("o", "Active", json!({"isOperator": true, "cgsRoles": roles}));
    consortium.enable("autoapprove-constitution-proposal");
    consortium.enable("autoapprove-deploymentspec-proposal");
    let alone = [
        action("trigger_snapshot", Value::Null),
        action("set_constitution", json!({"constitution": "x"})),
        action("set_deployment_spec", json!({"contractId": "1", "spec": {"data": 1}})),
    ];
    for (at, one) in alone.iter().enumerate() {
        assert_eq!(consortium.resolve("o", &json!([one]), ""), "Accepted", "{one}");
        for other in alone.iter().skip(at + 1) {
            assert_eq!(consortium.resolve("o", &json!([one, other]), ""), "Open", "{one} {other}");
            assert_eq!(consortium.resolve("o", &json!([other, one]), "o+ r+"), "Open", "{one} {other}");
        }
    }
}

/// Other rules need everybody who is counted, and somebody, whoever proposes them and whatever the service does.
#[test]
fn d07_other_rules_are_for_all_in_every_state_of_the_service() {
    let rules = only("set_constitution", json!({"constitution": "x"}));
    for state in STATES {
        let mut consortium = operated();
        consortium.member("d", "Accepted", json!({}));
        consortium.member("g", "Active", json!({"cgsRoles": {"cgsOperator": "true"}}));
        consortium.service(state, "x");
        for proposer in ["o", "r", "g"] {
            assert_eq!(consortium.resolve(proposer, &rules, "o+ r+ g+ c+ d+"), "Open", "nobody is active: {state}");
        }
        consortium.member("c", "Active", json!({}));
        consortium.member("d", "Active", json!({}));
        for proposer in ["o", "r", "g", "c"] {
            assert_eq!(consortium.resolve(proposer, &rules, "o+ r+ g+ c+"), "Open", "{proposer}: {state}");
            assert_eq!(consortium.resolve(proposer, &rules, "o+ r+ g+ c+ d-"), "Open", "{proposer}: {state}");
            assert_eq!(consortium.resolve(proposer, &rules, "o- r- g- c+ d+"), "Accepted", "{proposer}: {state}");
        }
        consortium.enable("autoapprove-constitution-proposal");
        for (proposer, expected) in [("o", "Open"), ("r", "Open"), ("c", "Open"), ("g", "Accepted")] {
            assert_eq!(consortium.resolve(proposer, &rules, "c- d-"), expected, "delegated, {proposer}: {state}");
        }
    }
}

/// What an operator must never make wider, as of one state of the service.
struct Ground {
    feeds: BTreeMap<String, u64>,
    minimums: BTreeMap<String, String>,
    threshold: u64,
    /// Records that may only vanish: bundles, issuers, members, measurements, host data.
    trusted: BTreeSet<(String, Vec<u8>, Vec<u8>)>,
}

/// Tables in which an operator may only remove records, or change none at all.
const ONLY_LESS: [&str; 9] = [
    "constitution",
    "cgs_runtime_options",
    "jwt.issuers",
    "members.certs",
    "members.info",
    "nodes.snp.host_data",
    "nodes.snp.measurements",
    "nodes.virtual.measurements",
    "tls.ca_cert_bundles",
];

impl Ground {
    fn of(consortium: &Consortium) -> Self {
        let table =
            |name: &str| consortium.tables.0.get(&format!("public:ccf.gov.{name}")).cloned().unwrap_or_default();
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        let mut feeds = BTreeMap::new();
        for (did, record) in table("nodes.snp.uvm_endorsements") {
            for (feed, minimum) in parse(&record).as_object().unwrap() {
                let name = format!("{} {feed}", String::from_utf8_lossy(&did));
                feeds.insert(name, minimum["svn"].as_str().unwrap().parse().unwrap());
            }
        }
        let minimum = |(cpuid, record): (Vec<u8>, Vec<u8>)| {
            (String::from_utf8(cpuid).unwrap(), parse(&record)["hexstring"].as_str().unwrap().to_owned())
        };
        let records =
            |name: &str| table(name).into_iter().map(|(key, value)| (name.to_owned(), key, value)).collect::<Vec<_>>();
        Self {
            feeds,
            minimums: table("nodes.snp.tcb_versions").into_iter().map(minimum).collect(),
            threshold: consortium.get_only("service.config")["recovery_threshold"].as_u64().unwrap(),
            trusted: ONLY_LESS.iter().flat_map(|name| records(name)).collect(),
        }
    }

    /// Whether nothing is wider than in `before`.
    fn is_within(&self, before: &Self) -> bool {
        let bytes =
            |hex: &str| (0..8).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect::<Vec<_>>();
        let not_below =
            |now: &str, before: &str| bytes(now).iter().zip(bytes(before)).all(|(now, before)| *now >= before);
        self.threshold >= before.threshold
            && self.feeds.iter().all(|(name, svn)| before.feeds.get(name).is_some_and(|least| svn >= least))
            && self.minimums.len() == before.minimums.len()
            && self
                .minimums
                .iter()
                .all(|(cpuid, now)| before.minimums.get(cpuid).is_some_and(|least| not_below(now, least)))
            && self.trusted.is_subset(&before.trusted)
    }
}

fn trusted_nodes(consortium: &Consortium) -> Vec<&str> {
    let nodes = [NODE, STRANGER, FORMER, TRUSTED].into_iter();
    nodes.filter(|id| consortium.get("nodes.info", id)["status"] == "Trusted").collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever an operator proposes, in whatever order and state of the service: what is carried out without the members
    /// makes nothing wider, admits no node that the policy does not allow, and ends nobody's proposal.
    #[test]
    fn d32_no_sequence_of_an_operator_widens_anything(
        state in prop::sample::select(STATES.to_vec()),
        proposals in prop::collection::vec(
            prop::collection::vec(prop::sample::select(cases()), 1..4), 1..25),
    ) {
        let mut consortium = operated();
        consortium.member("c", "Active", json!({}));
        consortium.service(state, "x");
        consortium.record("theirs", &only("set_user_data", json!({})), "Open");
        let mut before = Ground::of(&consortium);
        for proposal in proposals {
            let actions = json!(proposal.into_iter().map(|(action, _, _)| action).collect::<Vec<_>>());
            if consortium.resolve("o", &actions, "o+ r+") != "Accepted" {
                continue;
            }
            // What cannot be carried out changes nothing, so its failure is of no interest here.
            let _failed = consortium.apply(&actions).is_err();
            let now = Ground::of(&consortium);
            prop_assert!(now.is_within(&before), "{actions}");
            prop_assert!(trusted_nodes(&consortium).iter().all(|id| [NODE, TRUSTED].contains(id)), "{actions}");
            prop_assert_eq!(&consortium.get("proposals_info", "theirs")["state"], "Open", "{}", actions);
            before = now;
        }
    }
}
