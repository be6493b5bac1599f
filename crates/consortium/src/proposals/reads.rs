use api::{ApiError, Body, Output};
use kv::Tx;
use ledger::tables;
use serde_json::{Value, json};

use super::{ProposalInfo, not_found};
use crate::{ids, json::answer, stored};

/// `GET /gov/members/proposals`: all proposals, resolved ones too (D5).
///
/// # Errors
/// 500 if a record is damaged.
pub fn list(tx: &mut Tx) -> Result<Output, ApiError> {
    let mut proposals = Vec::new();
    for (id, value) in tx.entries(tables::PROPOSALS_INFO) {
        let info: ProposalInfo = stored::parse(tables::PROPOSALS_INFO, &value)?;
        proposals.push(info.describe(&stored::lossy(&id)));
    }
    Ok(answer(&json!({ "value": proposals })))
}

/// `GET /gov/members/proposals/{proposalId}`
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ProposalNotFound`.
pub fn get(tx: &mut Tx, proposal_id: &str) -> Result<Output, ApiError> {
    ids::check("proposal", proposal_id)?;
    let info = ProposalInfo::read(tx, proposal_id)?.ok_or_else(|| not_found(proposal_id))?;
    Ok(info.answer(proposal_id))
}

/// `GET /gov/members/proposals/{proposalId}/actions`: the proposal exactly as it was signed.
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ProposalNotFound`.
pub fn actions(tx: &mut Tx, proposal_id: &str) -> Result<Output, ApiError> {
    ids::check("proposal", proposal_id)?;
    let text = tx.get(tables::PROPOSALS, proposal_id.as_bytes()).ok_or_else(|| not_found(proposal_id))?;
    Ok(Output::new(200, Body::Raw(text)))
}

/// `GET /gov/members/proposals/{proposalId}/ballots/{memberId}`: the text of a ballot.
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ProposalNotFound` or `VoteNotFound`.
pub fn ballot(tx: &mut Tx, proposal_id: &str, member_id: &str) -> Result<Output, ApiError> {
    ids::check("proposal", proposal_id)?;
    ids::check("member", member_id)?;
    let Some(info) = ProposalInfo::read(tx, proposal_id)? else {
        return Err(ApiError::not_found("ProposalNotFound", format!("Proposal {proposal_id} does not exist.")));
    };
    let Some(ballot) = info.ballots.get(member_id) else {
        let message = format!("Member m[{member_id}] has not voted for proposal {proposal_id}.");
        return Err(ApiError::not_found("VoteNotFound", message));
    };
    Ok(Output::new(200, Body::JavaScript(ballot.clone())))
}

/// `GET /gov/proposals/{proposalId}` of the classic API (D1): the record with all ballots.
///
/// # Errors
/// 404 `ProposalNotFound`.
pub fn classic(tx: &mut Tx, proposal_id: &str) -> Result<Output, ApiError> {
    let record: Option<Value> = stored::json(tx, tables::PROPOSALS_INFO, proposal_id.as_bytes())?;
    Ok(answer(&record.ok_or_else(|| not_found(proposal_id))?))
}
