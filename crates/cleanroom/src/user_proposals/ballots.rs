//! Ballots of approvers, and what follows from them.

use api::{ApiError, Caller, Input, Output, to_js_text};
use kv::Tx;
use serde_json::{Map, Value, json};

use super::{Proposal, find};
use crate::{
    authorise_write, body,
    party::{Party, stored_approvers},
    user_documents::KIND,
};

const ACCEPTED: &str = "accepted";
const REJECTED: &str = "rejected";

/// `POST /app/users/proposals/{proposalId}/ballots/submit`: accepts or rejects, once.
///
/// # Errors
/// As [`authorise_write`]; 404 `ProposalNotFound`, 403 `NotProposalApprover`, 409 `ProposalNotOpen` or
/// `BallotAlreadySubmitted`, 400 `InvalidInput` (D4) or `InvalidBallotValue`.
pub fn submit_ballot(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise_write(tx, caller)?;
    let mut proposal = find(tx, input.param("proposalId"))?;
    let (approvers, voter) = (stored_approvers(&proposal.action)?, Party::of(caller));
    if !approvers.contains(&voter) {
        let message = "The caller is not an approver for this proposal.";
        return Err(ApiError::forbidden("NotProposalApprover", message));
    }
    proposal.check_open()?;
    if votes(&proposal.info).any(|(other, _)| other == voter) {
        return Err(ApiError::new(409, "BallotAlreadySubmitted", "The ballot has already been submitted."));
    }
    add(&mut proposal.info, &voter, value(&body::read(input)?)?);
    let state = decided(&proposal.info, &approvers);
    proposal.move_to(tx, state);
    if state == "Accepted" {
        accept(tx, &proposal);
    }
    Ok(Output::json(&proposal.status()))
}

/// The ballots of a record as they are answered.
pub(super) fn shown(info: &Value) -> Value {
    votes(info).map(|(voter, ballot)| json!({ "approverId": voter.id, "ballot": ballot })).collect()
}

fn value(body: &Value) -> Result<&'static str, ApiError> {
    let ballot = body.get("ballot").and_then(Value::as_str);
    [ACCEPTED, REJECTED].into_iter().find(|known| ballot == Some(known)).ok_or_else(|| {
        let message = "The ballot value must be either 'accepted' or 'rejected'.";
        ApiError::bad_request("InvalidBallotValue", message)
    })
}

fn add(info: &mut Value, voter: &Party, ballot: &str) {
    let ballot = json!({ "approverId": voter.id, "approverIdType": voter.kind.name(), "ballot": ballot });
    if let Some(ballots) = info.get_mut("ballots").and_then(Value::as_array_mut) {
        ballots.push(ballot);
    }
}

fn votes(info: &Value) -> impl Iterator<Item = (Party, &str)> {
    let ballots = info.get("ballots").and_then(Value::as_array).into_iter().flatten();
    ballots
        .filter_map(|vote| Some((Party::named(vote, "approverId", "approverIdType")?, vote.get("ballot")?.as_str()?)))
}

/// The state that the ballots make.
fn decided(info: &Value, approvers: &[Party]) -> &'static str {
    let accepted = |approver: &Party| votes(info).any(|(voter, ballot)| voter == *approver && ballot == ACCEPTED);
    if votes(info).any(|(_, ballot)| ballot == REJECTED) {
        "Rejected"
    } else if approvers.iter().all(accepted) {
        "Accepted"
    } else {
        super::OPEN
    }
}

fn accept(tx: &mut Tx, proposal: &Proposal) {
    let mut record = Map::new();
    let mut copy = |from: &Value, names: &[&str]| {
        record.extend(names.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone()))));
    };
    copy(proposal.document(), &["contractId", "data", "labels"]);
    copy(&json!({ "proposalId": proposal.id }), &["proposalId"]);
    copy(&proposal.info, &["proposerId"]);
    copy(&proposal.action, &["approvers"]);
    copy(&json!({ "finalVotes": shown(&proposal.info) }), &["finalVotes"]);
    tx.put(KIND.accepted, proposal.document_id().to_owned(), to_js_text(&record.into()));
}
