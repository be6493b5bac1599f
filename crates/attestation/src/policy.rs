//! Clean room policies: which claims evidence must have, and why some evidence does not have them (cgs-app 4.4).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Claims;

/// The claims that are compared as minimums (D27): versions of what is below the guest.
const MINIMUMS: [&str; 2] = ["uvm_endorsements-svn", "paravisor-guestsvn"];

/// Claims with the values that are accepted for each. Every claim must be met; an empty policy is met by nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    claims: BTreeMap<String, Vec<Value>>,
}

/// A policy that is not an object of lists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a policy is an object of lists of accepted values; {0:?} has something else")]
pub struct Malformed(String);

impl Policy {
    /// A policy from an object whose values are lists.
    ///
    /// # Errors
    /// [`Malformed`] names the claim.
    pub fn from_json(object: &Map<String, Value>) -> Result<Self, Malformed> {
        let list = |(name, values): (&String, &Value)| {
            let values = values.as_array().cloned().ok_or_else(|| Malformed(name.clone()))?;
            Ok((name.clone(), values))
        };
        Ok(Self { claims: object.iter().map(list).collect::<Result<_, _>>()? })
    }

    /// Whether it asks for nothing, which is how a policy is stored that does not exist.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether evidence with these claims is what the policy wants.
    #[must_use]
    pub fn is_met(&self, claims: &Claims) -> bool {
        !self.is_empty() && self.claims.iter().all(|(name, accepted)| is_accepted(name, accepted, claims.get(name)))
    }

    fn explain(&self, name: &str, claims: &Claims) -> Alternative {
        let explained = |(claim, accepted): (&String, &Vec<Value>)| {
            let found = claims.get(claim);
            Explained {
                claim: claim.clone(),
                wanted: accepted.clone(),
                found: found.cloned(),
                met: is_accepted(claim, accepted, found),
            }
        };
        Alternative {
            name: name.to_owned(),
            met: self.is_met(claims),
            claims: self.claims.iter().map(explained).collect(),
        }
    }
}

/// Why evidence meets a policy or not: each alternative, claim by claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Whether one of the alternatives is met.
    pub met: bool,
    /// The alternative that is met, or else that comes closest: with the fewest claims that are not met. `None` if all are
    /// empty.
    pub closest: Option<String>,
    /// All alternatives, in the order in which they are tried.
    pub alternatives: Vec<Alternative>,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alternative {
    /// What the caller calls it.
    pub name: String,
    /// Whether it is met.
    pub met: bool,
    /// Its claims.
    pub claims: Vec<Explained>,
}

/// One claim of a policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// The name.
    pub claim: String,
    /// The values that are accepted.
    pub wanted: Vec<Value>,
    /// What the evidence says; absent if it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// Whether that is accepted.
    pub met: bool,
}

/// Compares claims with policies, each under the name that the caller gives it.
#[must_use]
pub fn explain(policies: &[(&str, &Policy)], claims: &Claims) -> Explanation {
    let alternatives: Vec<_> = policies.iter().map(|(name, policy)| policy.explain(name, claims)).collect();
    let misses = |one: &&Alternative| one.claims.iter().filter(|claim| !claim.met).count();
    let closest = alternatives.iter().filter(|one| !one.claims.is_empty()).min_by_key(misses);
    let closest = closest.map(|one| one.name.clone());
    Explanation { met: alternatives.iter().any(|one| one.met), closest, alternatives }
}

fn is_accepted(name: &str, accepted: &[Value], found: Option<&Value>) -> bool {
    let Some(found) = found else { return false };
    accepted
        .iter()
        .any(|wanted| if MINIMUMS.contains(&name) { is_at_least(found, wanted) } else { is_identical(found, wanted) })
}

/// As `===` of JavaScript, which is how the reference compares: objects and lists equal nothing.
fn is_identical(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Object(_) | Value::Array(_), _) => false,
        _ => one == other,
    }
}

fn is_at_least(found: &Value, minimum: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::String(text) if !text.starts_with('+') => text.parse::<u64>().ok(),
        other => other.as_u64(),
    };
    matches!((number(found), number(minimum)), (Some(found), Some(minimum)) if found >= minimum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn policy(json: Value) -> Policy {
        Policy::from_json(json.as_object().unwrap()).unwrap()
    }

    fn claims(json: Value) -> Claims {
        json.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn every_claim_must_have_one_of_its_values() {
        let claims = claims(json!({"host": "ab", "vmpl": 0, "debug": false, "list": [1], "svn": "2"}));
        for (wanted, met) in [
            (json!({"host": ["cd", "ab"]}), true),
            (json!({"host": ["ab"], "vmpl": [0]}), true),
            (json!({"vmpl": [0.0]}), true),
            (json!({}), false),
            (json!({"host": []}), false),
            (json!({"host": ["ab"], "vmpl": [1]}), false),
            (json!({"vmpl": ["0"]}), false),
            (json!({"debug": [0]}), false),
            (json!({"debug": [false]}), true),
            (json!({"list": [[1]]}), false),
            (json!({"other": [null]}), false),
            (json!({"constructor": ["ab"]}), false),
        ] {
            assert_eq!(policy(wanted.clone()).is_met(&claims), met, "{wanted}");
        }
    }

    #[test]
    fn d27_a_policy_demands_a_minimum_version_of_the_utility_vm() {
        let found = claims(json!({"uvm_endorsements-svn": "103"}));
        for (wanted, met) in [
            (json!(["103"]), true),
            (json!(["9"]), true),
            (json!([103]), true),
            (json!(["104"]), false),
            (json!(["1e2"]), false),
            (json!(["+1"]), false),
            (json!([""]), false),
            (json!([-1]), false),
        ] {
            assert_eq!(policy(json!({"uvm_endorsements-svn": wanted})).is_met(&found), met, "{wanted}");
        }
        assert!(!policy(json!({"uvm_endorsements-svn": ["0"]})).is_met(&Claims::new()), "not endorsed at all");
    }

    #[test]
    fn the_closest_alternative_is_named() {
        let claims = claims(json!({"a": 1, "b": 2, "c": 3}));
        let (main, delegate) = (policy(json!({"a": [1], "b": [9], "c": [9]})), policy(json!({"a": [1], "b": [9]})));
        let empty = Policy::default();
        let explained = explain(&[("main", &main), ("empty", &empty), ("delegate", &delegate)], &claims);
        assert!(!explained.met);
        assert_eq!(explained.closest.as_deref(), Some("delegate"));
        let shown = serde_json::to_value(&explained.alternatives[2]).unwrap();
        let b = json!({"claim": "b", "wanted": [9], "found": 2, "met": false});
        assert_eq!(
            shown,
            json!({"name": "delegate", "met": false, "claims": [
                {"claim": "a", "wanted": [1], "found": 1, "met": true}, b
            ]})
        );
        assert_eq!(explain(&[("empty", &empty)], &claims).closest, None);
    }

    #[test]
    fn other_json_is_no_policy() {
        let error = Policy::from_json(json!({"a": [1], "b": "x"}).as_object().unwrap()).unwrap_err();
        assert!(error.to_string().contains("\"b\""), "{error}");
    }

    proptest! {
        #[test]
        fn an_explanation_agrees_with_the_match(
            wanted in prop::collection::btree_map("[a-c]", prop::collection::vec(0..3_u8, 0..3), 0..3),
            found in prop::collection::btree_map("[a-c]", 0..3_u8, 0..3),
        ) {
            let policy = policy(json!(wanted));
            let claims = claims(json!(found));
            let explained = explain(&[("main", &policy)], &claims);
            prop_assert_eq!(explained.met, policy.is_met(&claims));
            prop_assert_eq!(explained.met, !wanted.is_empty() && explained.alternatives[0].claims.iter().all(|c| c.met));
        }
    }
}
