//! Contracts: co-authored as drafts, proposed to the consortium, accepted by its vote.

use std::collections::BTreeSet;

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::{Value, json};

use crate::{
    ACCEPTED_CONTRACTS, CONTRACTS, authorise, body,
    drafts::{self, Kind, View},
    proposals::{self, proposed},
    require_active_member, stored,
};

pub(crate) const KIND: Kind = Kind {
    noun: "contract",
    drafts: CONTRACTS,
    accepted: ACCEPTED_CONTRACTS,
    authors: "public:cgs.authors.contracts",
    exists: "ContractAlreadyExists",
    is_accepted: ("ContractAlreadyAccepted", "An accepted contract cannot be changed."),
    unknown: ("ContractNotFound", "A contract with the specified id was not found."),
};

/// `PUT /app/contracts/{contractId}`: writes a draft; an existing one only with the version that the caller has read.
///
/// # Errors
/// 403 `CallerNotAuthorized` (D17), 405 `ContractAlreadyAccepted`, 400 `InvalidInput` (D4) or `DataMissing`, 409
/// `ContractAlreadyExists`, 412 `PreconditionFailed`.
pub fn put_contract(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    require_active_member(tx, caller)?;
    let id = input.param("contractId");
    KIND.check_changeable(tx, id)?;
    let body = body::read(input)?;
    let Some(data) = body::given(&body, "data") else {
        return Err(ApiError::bad_request("DataMissing", "data key must be present in contract payload."));
    };
    KIND.put(tx, caller, id, body.get("version"), &json!({ "data": data }))
}

/// `POST /app/contracts/{contractId}`: reads a contract as accepted, proposed or draft, whichever it is.
///
/// # Errors
/// As [`authorise`]; 404 `ContractNotFound`.
pub fn get_contract(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    KIND.view(tx, input.param("contractId"), [accepted_view, proposed_view, draft_view])
}

/// `GET /app/contracts?state=`: the ids of drafts and accepted contracts, or of those in one state.
///
/// # Errors
/// As [`authorise`]; 400 `InvalidParameter`.
pub fn list_contracts(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let state = input.query.get("state").filter(|state| !state.is_empty());
    let listed: BTreeSet<String> = match state {
        None => KIND.ids(tx),
        Some("Accepted") => drafts::ids(tx, ACCEPTED_CONTRACTS),
        Some(state @ ("Draft" | "Proposed")) => {
            let (drafts, accepted) = (drafts::ids(tx, CONTRACTS), drafts::ids(tx, ACCEPTED_CONTRACTS));
            let proposed = proposed(tx, proposals::CONTRACT)?;
            let wanted = state == "Proposed";
            drafts.difference(&accepted).filter(|id| proposed.contains_key(*id) == wanted).cloned().collect()
        }
        Some(_) => {
            let message = "The state query parameter must be either 'Draft', 'Accepted' or 'Proposed'.";
            return Err(ApiError::bad_request("InvalidParameter", message));
        }
    };
    let value: Vec<Value> = listed.iter().map(|id| json!({ "id": id })).collect();
    Ok(Output::json(&json!({ "value": value })))
}

fn accepted_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(record) = stored::json(tx, ACCEPTED_CONTRACTS, id.as_bytes())? else { return Ok(None) };
    let view = View::of(id).version(tx, ACCEPTED_CONTRACTS, id).with("state", "Accepted");
    let view = view.copy(&record, &["data", "proposalId"]).with("finalVotes", drafts::final_votes(&record));
    Ok(Some(view.value()))
}

fn proposed_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(proposed) = proposed(tx, proposals::CONTRACT)?.remove(id) else { return Ok(None) };
    let view = View::of(id).with("state", "Proposed").copy(&proposed.content, &["data", "version"]);
    Ok(Some(view.with("proposalId", proposed.proposal_id).value()))
}

fn draft_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(record) = stored::json(tx, CONTRACTS, id.as_bytes())? else { return Ok(None) };
    let view = View::of(id).with("state", "Draft").version(tx, CONTRACTS, id).copy(&record, &["data"]);
    Ok(Some(view.with("proposalId", "").value()))
}

#[cfg(test)]
mod tests;
