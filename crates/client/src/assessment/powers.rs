use serde::Serialize;

use crate::Member;

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
const OPERATOR: &str = "open the service; remove nodes, endorsements, issuers and bundles; raise minimums; renew \
                        certificates; trigger chunks and snapshots; admit a node that passes the voted join policy";
const MEMBER: &str = "stop a contract, policy or document by a vote of no; keep anything else from being accepted by not \
                      voting; switch off logging, telemetry and execution of a contract; change drafts";
const SOLE_MEMBER: &str = "everything: it is the only voting member that is active, and its vote is unanimity";

/// What each single party can do alone under the constitution that ships with the service; of another constitution
/// nothing can be said.
#[must_use]
pub fn powers(members: &[Member], shipped: bool, is_virtual: bool) -> Vec<Power> {
    let mut powers = Vec::new();
    if is_virtual {
        powers.push(Power::new(
            "whoever runs the host",
            "read all secrets, change and rewind everything (virtual platform)",
        ));
    } else {
        powers.push(Power::new(
            "whoever runs the host",
            "stop the service, or restore an older disk, which clients notice",
        ));
    }
    if !shipped {
        powers.push(Power::new("anybody", "unknown: the rules are not the shipped ones, so read them"));
        return powers;
    }
    let active = members.iter().filter(|member| member.is_counted() && member.is_active()).count();
    powers.extend(members.iter().flat_map(|member| of_member(member, active)));
    powers
}

fn of_member(member: &Member, active: usize) -> Vec<Power> {
    let who = member.name().map_or_else(|| member.id.clone(), str::to_owned);
    let power = |what: &str| Power::new(&who, what);
    let mut powers = Vec::new();
    if member.flag("isOperator") {
        powers.push(power(if active == 0 { OPERATOR_BEFORE } else { OPERATOR }));
    }
    if member.has_role("cgsOperator") {
        powers.push(power("replace the constitution, while the option autoapprove-constitution-proposal is on"));
    }
    if member.has_role("contractOperator") {
        powers.push(power(
            "set deployment and policy of accepted contracts, while the matching autoapprove option is on",
        ));
    }
    if member.is_counted() {
        powers.push(power(if active == 1 && member.is_active() { SOLE_MEMBER } else { MEMBER }));
    }
    if member.recovery_role == "Owner" {
        powers.push(power("recover the service and its secrets from the ledger's files"));
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn member(name: &str, status: &str, data: Value) -> Member {
        let mut member_data = data;
        member_data["identifier"] = name.into();
        Member {
            id: name.into(),
            certificate: String::new(),
            member_data,
            public_encryption_key: None,
            recovery_role: "NonParticipant".into(),
            status: status.into(),
        }
    }

    fn says(powers: &[Power], who: &str, word: &str) -> bool {
        powers.iter().any(|power| power.who == who && power.what.contains(word))
    }

    #[test]
    fn d32_an_operator_is_limited_by_the_first_active_member() {
        let operator = member("op", "Active", json!({"isOperator": true}));
        let with = |status| powers(&[operator.clone(), member("a", status, json!({}))], true, false);
        assert!(says(&with("Accepted"), "op", "unlimited"));
        assert!(says(&with("Active"), "op", "open the service"));
        assert!(!says(&with("Active"), "op", "unlimited"));
    }

    #[test]
    fn d32_a_sole_voter_is_named_as_such() {
        let alone = powers(&[member("a", "Active", json!({})), member("b", "Accepted", json!({}))], true, false);
        assert!(says(&alone, "a", "everything") && says(&alone, "b", "drafts"));
        let two = powers(&[member("a", "Active", json!({})), member("b", "Active", json!({}))], true, false);
        assert!(!says(&two, "a", "everything"));
        let role = member("c", "Active", json!({"cgsRoles": {"cgsOperator": "true"}}));
        assert!(says(&powers(&[role], true, false), "c", "constitution"));
    }

    #[test]
    fn d32_of_unknown_rules_nothing_is_claimed() {
        let powers = powers(&[member("a", "Active", json!({}))], false, true);
        assert!(says(&powers, "anybody", "read them") && says(&powers, "whoever runs the host", "rewind"));
        assert_eq!(powers.len(), 2);
    }
}
