//! Open proposals of the consortium, as far as the application looks at them.

use std::collections::BTreeMap;

use api::ApiError;
use kv::Tx;
use serde_json::Value;

use crate::stored;

const PROPOSALS: &str = "public:ccf.gov.proposals";
const PROPOSALS_INFO: &str = "public:ccf.gov.proposals_info";
/// The keys of all Open proposals.
const OPEN_PROPOSALS: &str = "public:ccf.internal.cgs_open_proposals";

/// An action that accepts something: its name, and which of its arguments are the id and the content.
#[derive(Clone, Copy)]
pub(crate) struct Accepting {
    action: &'static str,
    id: &'static str,
    content: &'static str,
}

pub(crate) const CONTRACT: Accepting = Accepting { action: "set_contract", id: "contractId", content: "contract" };
pub(crate) const MEMBER_DOCUMENT: Accepting =
    Accepting { action: "set_member_document", id: "documentId", content: "document" };

/// An Open proposal to accept something.
pub(crate) struct Proposed {
    pub(crate) proposal_id: String,
    /// What the action says it is.
    pub(crate) content: Value,
}

/// What Open proposals want to accept, by id. Of several proposals the last one counts.
pub(crate) fn proposed(tx: &mut Tx, what: Accepting) -> Result<BTreeMap<String, Proposed>, ApiError> {
    let mut found = BTreeMap::new();
    for (proposal_id, mut args) in open_actions(tx, what.action)? {
        let Some(id) = text(&args, what.id) else { continue };
        let content = args.get_mut(what.content).map(Value::take).unwrap_or_default();
        found.insert(id, Proposed { proposal_id, content });
    }
    Ok(found)
}

/// The ids of Open proposals with an action of this name for a contract, each once.
pub(crate) fn proposals_for(tx: &mut Tx, action: &str, contract: &str) -> Result<Vec<String>, ApiError> {
    let actions = open_actions(tx, action)?.into_iter();
    let mut ids: Vec<String> =
        actions.filter(|(_, args)| text(args, CONTRACT.id).as_deref() == Some(contract)).map(|(id, _)| id).collect();
    ids.dedup();
    Ok(ids)
}

/// The arguments of all actions of this name in Open proposals, with the proposal.
fn open_actions(tx: &mut Tx, name: &str) -> Result<Vec<(String, Value)>, ApiError> {
    let mut found = Vec::new();
    for (id, _) in tx.entries(OPEN_PROPOSALS) {
        if !is_open(tx, &id)? {
            continue;
        }
        let proposal = stored::json(tx, PROPOSALS, &id)?.unwrap_or_default();
        found.extend(actions(proposal, name).map(|args| (stored::lossy(&id), args)));
    }
    Ok(found)
}

fn text(args: &Value, name: &str) -> Option<String> {
    args.get(name)?.as_str().map(str::to_owned)
}

/// The record decides; the index only says where to look.
fn is_open(tx: &mut Tx, proposal_id: &[u8]) -> Result<bool, ApiError> {
    let record = stored::json(tx, PROPOSALS_INFO, proposal_id)?;
    Ok(record.is_some_and(|record| record.get("state").is_some_and(|state| state == "Open")))
}

/// The arguments of the actions of this name. Only strings name actions; whatever else stands there was not validated.
fn actions(mut proposal: Value, name: &str) -> impl Iterator<Item = Value> {
    let actions = match proposal.get_mut("actions").map(Value::take) {
        Some(Value::Array(actions)) => actions,
        _ => Vec::new(),
    };
    actions.into_iter().filter_map(move |mut action| {
        let wanted = action.get("name").and_then(Value::as_str) == Some(name);
        action.get_mut("args").filter(|_| wanted).map(Value::take)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{propose, world};

    #[test]
    fn only_open_proposals_count() {
        let mut tx = world();
        propose(&mut tx, "p1", "Open", r#"{"actions":[{"name":"set_contract","args":{"contractId":"a"}}]}"#);
        propose(&mut tx, "p2", "Rejected", r#"{"actions":[{"name":"set_contract","args":{"contractId":"b"}}]}"#);
        propose(&mut tx, "p3", "Open", r#"{"actions":[{"name":"set_user","args":{"contractId":"c"}}]}"#);
        propose(&mut tx, "p4", "Open", r#"{"actions":[null,5,{"name":"set_contract"},{"args":{}}]}"#);
        propose(&mut tx, "p5", "Open", r#""text""#);
        let found = proposed(&mut tx, CONTRACT).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(found["a"].proposal_id, "p1");
    }

    #[test]
    fn d05_resolved_proposals_are_not_even_looked_at() {
        let mut tx = world();
        tx.put(PROPOSALS_INFO, "p", "a record that nobody may read");
        tx.put(OPEN_PROPOSALS, "never was", vec![0; 8]);
        assert!(proposed(&mut tx, CONTRACT).unwrap().is_empty());
        let (reads, _) = tx.into_parts();
        assert_eq!(reads.map_names().into_iter().collect::<Vec<_>>(), [PROPOSALS_INFO, OPEN_PROPOSALS]);
    }

    #[test]
    fn a_ballot_cannot_make_a_proposal_look_open() {
        let mut tx = world();
        let ballot =
            serde_json::json!({"ballots": {"m": r#"{"state":"Open"}"#}, "proposer_id": "m", "state": "Rejected"});
        tx.put(PROPOSALS_INFO, "p", ballot.to_string());
        tx.put(OPEN_PROPOSALS, "p", vec![0; 8]);
        tx.put(PROPOSALS, "p", r#"{"actions":[{"name":"set_contract","args":{"contractId":"a"}}]}"#);
        assert!(proposed(&mut tx, CONTRACT).unwrap().is_empty());
    }
}
