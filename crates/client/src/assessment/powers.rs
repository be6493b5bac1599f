use serde::Serialize;

use crate::{Member, Names};

/// What one party can do alone (D32).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Power {
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
}

impl Power {
    fn new(who: impl Into<String>, what: impl Into<String>) -> Self {
        Self { who: who.into(), what: what.into() }
    }
}

const OPERATOR_BEFORE: &str = "everything an operator may do, unlimited, until the first voting member is active: also \
                               trust other software and other issuers, and make other operators";
const OPERATOR: &str = "open the service; raise the recovery threshold; admit a node that passes the voted join policy; \
                        remove nodes and note things about them; renew certificates, for as long as was agreed at most; \
                        raise minimums of nodes that join; remove endorsements, issuers and bundles; remove operators; \
                        trigger chunks and snapshots";
const CGS_OPERATOR: &str = "replace the constitution, and with it everything, while the option \
                            autoapprove-constitution-proposal is on";
const CONTRACT_OPERATOR: &str = "set deployment and policy of accepted contracts, while the matching autoapprove option \
                                 is on";
/// What members without a vote that counts can do: their no does.
const UNCOUNTED: &str = "stop a contract, policy or document by a vote of no; switch off logging and telemetry of a \
                         contract; change drafts";
const MEMBER: &str = "stop a contract, policy or document by a vote of no; keep anything else from being accepted by not \
                      voting; switch off logging, telemetry and execution of a contract; change drafts";
const SOLE_MEMBER: &str = "everything: it is the only voting member that is active, and its vote is unanimity";

const SHARE: &str = "read everything that is secret, given the ledger's files: one recovery share is enough";

/// What each single party can do alone under the constitution that ships with the service; of another constitution
/// nothing can be said. Parties that can do the same stand together.
#[must_use]
pub fn powers(members: &[Member], recovery_threshold: u64, shipped: bool, is_virtual: bool) -> Vec<Power> {
    let host = "whoever runs the host";
    let mut powers = vec![if is_virtual {
        Power::new(host, "read all secrets, change and rewind everything (virtual platform)")
    } else {
        Power::new(host, "stop the service, or restore an older disk, which clients notice")
    }];
    let names = Names::new(members);
    if shipped {
        let active = members.iter().filter(|member| member.is_counted() && member.is_active()).count();
        powers.extend(members.iter().flat_map(|member| by_rules(names.of(&member.id), member, active)));
    } else {
        powers.push(Power::new("anybody", "unknown: the rules are not the shipped ones, so read them"));
    }
    powers.extend(members.iter().filter_map(|member| by_share(names.of(&member.id), member, recovery_threshold)));
    together(powers)
}

fn together(powers: Vec<Power>) -> Vec<Power> {
    let mut merged: Vec<Power> = Vec::new();
    for power in powers {
        match merged.iter_mut().find(|known| known.what == power.what) {
            Some(known) => known.who = format!("{}, {}", known.who, power.who),
            None => merged.push(power),
        }
    }
    merged
}

fn by_rules(name: &str, member: &Member, active: usize) -> Vec<Power> {
    let power = |what: &str| Power::new(name, what);
    let mut powers = Vec::new();
    if member.flag("isOperator") {
        powers.push(power(if active == 0 { OPERATOR_BEFORE } else { OPERATOR }));
    }
    if member.has_role("cgsOperator") {
        powers.push(power(CGS_OPERATOR));
    }
    if member.has_role("contractOperator") {
        powers.push(power(CONTRACT_OPERATOR));
    }
    powers.push(power(match member.is_counted() {
        true if active == 1 && member.is_active() => SOLE_MEMBER,
        true => MEMBER,
        false => UNCOUNTED,
    }));
    powers
}

fn by_share(name: &str, member: &Member, recovery_threshold: u64) -> Option<Power> {
    let enough = match member.recovery_role.as_str() {
        "Owner" => true,
        "Participant" => recovery_threshold <= 1,
        _ => false,
    };
    enough.then(|| Power::new(name, SHARE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn member(name: &str, status: &str, data: Value) -> Member {
        let mut data = data;
        data["identifier"] = name.into();
        crate::types::member(name, status, data)
    }

    fn says(powers: &[Power], who: &str, word: &str) -> bool {
        powers.iter().any(|power| power.who == who && power.what.contains(word))
    }

    #[test]
    fn d32_an_operator_is_limited_by_the_first_active_member() {
        let operator = member("op", "Active", json!({"isOperator": true}));
        let with = |status| powers(&[operator.clone(), member("a", status, json!({}))], 1, true, false);
        assert!(says(&with("Accepted"), "op", "unlimited"));
        assert!(says(&with("Active"), "op", "open the service"));
        assert!(!says(&with("Active"), "op", "unlimited"));
        for (word, may) in [
            ("raise the recovery threshold", true),
            ("voted join policy", true),
            ("note things about them", true),
            ("remove operators", true),
            ("vote of no", true),
            ("not voting", false),
        ] {
            assert_eq!(says(&with("Active"), "op", word), may, "{word}");
        }
    }

    #[test]
    fn d32_a_sole_voter_is_named_as_such() {
        let alone = powers(&[member("a", "Active", json!({})), member("b", "Accepted", json!({}))], 1, true, false);
        assert!(says(&alone, "a", "unanimity") && says(&alone, "b", "drafts"));
        let two = powers(&[member("a", "Active", json!({})), member("b", "Active", json!({}))], 1, true, false);
        assert!(!two.iter().any(|power| power.what.contains("unanimity")));
        let role = member("c", "Active", json!({"cgsRoles": {"cgsOperator": "true"}}));
        assert!(says(&powers(&[role], 1, true, false), "c", "constitution"));
    }

    #[test]
    fn d32_one_share_that_is_enough_is_a_power_and_equals_stand_together() {
        let holder = |name: &str, role: &str| {
            let mut member = member(name, "Active", json!({}));
            member.recovery_role = role.into();
            member
        };
        let members = [holder("a", "Participant"), holder("b", "Participant"), holder("c", "NonParticipant")];
        assert!(says(&powers(&members, 1, true, false), "a, b", "one recovery share"));
        assert!(says(&powers(&members, 1, true, false), "a, b, c", "drafts"));
        assert!(!powers(&members, 2, true, false).iter().any(|power| power.what == SHARE));
        assert!(says(&powers(&[holder("o", "Owner")], 2, true, false), "o", "recovery share"));
    }

    #[test]
    fn d32_of_unknown_rules_nothing_is_claimed() {
        let powers = powers(&[member("a", "Active", json!({}))], 1, false, true);
        assert!(says(&powers, "anybody", "read them") && says(&powers, "whoever runs the host", "rewind"));
        assert_eq!(powers.len(), 2);
    }
}
