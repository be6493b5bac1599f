//! Contracts: co-authored as drafts, proposed to the consortium, accepted by its vote.

use std::collections::BTreeSet;

use api::{ApiError, Caller, Input, Output, is_truthy, to_js_text};
use kv::Tx;
use serde_json::{Map, Value, json};

use crate::{ACCEPTED_CONTRACTS, CONTRACTS, authorise, proposals::proposed_contracts, require_active_member, stored};

const ALREADY_EXISTS: &str = "The specified contract already exists. If the intent was to update the existing contract \
    then retry the request after reading the latest version of the resource and setting the version on the request.";
const PRECONDITION_FAILED: &str = "The operation specified a version that is different from the version available at the \
    server, that is, an optimistic concurrency error. Retry the request after reading the latest version of the resource \
    and updating the version on the request.";

/// `PUT /app/contracts/{contractId}`: writes a draft; an existing one only with the version that the caller has read.
///
/// # Errors
/// 403 `CallerNotAuthorized` (D17), 405 `ContractAlreadyAccepted`, 400 `InvalidInput` (D4) or `DataMissing`, 409
/// `ContractAlreadyExists`, 412 `PreconditionFailed`.
pub fn put_contract(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    require_active_member(tx, caller)?;
    let id = input.param("contractId").as_bytes();
    if tx.has(ACCEPTED_CONTRACTS, id) {
        let message = "An accepted contract cannot be changed.";
        return Err(ApiError::new(405, "ContractAlreadyAccepted", message));
    }
    let body = body(input)?;
    let Some(data) = body.get("data").filter(|data| is_truthy(data)) else {
        return Err(ApiError::bad_request("DataMissing", "data key must be present in contract payload."));
    };
    check_version(tx, id, body.get("version"))?;
    tx.put(CONTRACTS, id.to_vec(), to_js_text(&json!({ "data": data })));
    Ok(Output::empty())
}

/// `POST /app/contracts/{contractId}`: reads a contract as accepted, proposed or draft, whichever it is.
///
/// # Errors
/// As [`authorise`]; 404 `ContractNotFound`.
pub fn get_contract(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let id = input.param("contractId");
    let view = match accepted_view(tx, id)? {
        Some(view) => Some(view),
        None => match proposed_view(tx, id)? {
            Some(view) => Some(view),
            None => draft_view(tx, id)?,
        },
    };
    view.map(|view| Output::json(&view))
        .ok_or_else(|| ApiError::not_found("ContractNotFound", "A contract with the specified id was not found."))
}

/// `GET /app/contracts?state=`: the ids of drafts and accepted contracts, or of those in one state.
///
/// # Errors
/// As [`authorise`]; 400 `InvalidParameter`.
pub fn list_contracts(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let drafts = ids(tx, CONTRACTS);
    let accepted = ids(tx, ACCEPTED_CONTRACTS);
    let state = input.query.get("state").filter(|state| !state.is_empty());
    let listed: BTreeSet<String> = match state {
        None => drafts.union(&accepted).cloned().collect(),
        Some("Accepted") => accepted,
        Some(state @ ("Draft" | "Proposed")) => {
            let proposed = proposed_contracts(tx)?;
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

fn ids(tx: &mut Tx, table: &str) -> BTreeSet<String> {
    tx.entries(table).iter().map(|(key, _)| stored::lossy(key)).collect()
}

/// The body of a request that must be JSON; `null` has no members, which the reference does not survive.
fn body(input: &Input) -> Result<Value, ApiError> {
    let body = input.json()?;
    if body.is_null() {
        let message = "The request body must be a JSON object with a data member, but is null.";
        return Err(ApiError::bad_request("InvalidInput", message));
    }
    Ok(body)
}

/// Nobody overwrites a draft that they have not read: the request must name the version of the last write.
fn check_version(tx: &mut Tx, id: &[u8], requested: Option<&Value>) -> Result<(), ApiError> {
    let Some(current) = version(tx, CONTRACTS, id) else { return Ok(()) };
    let Some(requested) = requested.filter(|version| is_truthy(version)) else {
        return Err(ApiError::new(409, "ContractAlreadyExists", ALREADY_EXISTS));
    };
    let matches = match requested {
        Value::String(requested) => *requested == current,
        Value::Number(requested) => requested.to_string() == current,
        _ => false,
    };
    if matches { Ok(()) } else { Err(ApiError::new(412, "PreconditionFailed", PRECONDITION_FAILED)) }
}

/// The transaction that last wrote a key, as text.
fn version(tx: &mut Tx, table: &str, id: &[u8]) -> Option<String> {
    tx.written(table, id).map(|written| written.to_string())
}

fn accepted_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(record) = stored::json(tx, ACCEPTED_CONTRACTS, id.as_bytes())? else { return Ok(None) };
    let mut view = Map::new();
    view.insert("id".into(), id.into());
    view.extend(version(tx, ACCEPTED_CONTRACTS, id.as_bytes()).map(|version| ("version".to_owned(), version.into())));
    view.insert("state".into(), "Accepted".into());
    copy(&mut view, &record, "data");
    copy(&mut view, &record, "proposalId");
    view.insert("finalVotes".into(), final_votes(&record));
    Ok(Some(Value::Object(view)))
}

/// All votes that were cast, in the order of the member ids.
fn final_votes(record: &Value) -> Value {
    let mut votes: Vec<(&String, &Value)> =
        record.get("finalVotes").and_then(Value::as_object).into_iter().flatten().collect();
    votes.sort_by_key(|(member, _)| *member);
    votes.into_iter().map(|(member, vote)| json!({ "memberId": member, "vote": vote })).collect()
}

fn proposed_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(proposed) = proposed_contracts(tx)?.remove(id) else { return Ok(None) };
    let mut view = Map::new();
    view.insert("id".into(), id.into());
    view.insert("state".into(), "Proposed".into());
    copy(&mut view, &proposed.contract, "data");
    copy(&mut view, &proposed.contract, "version");
    view.insert("proposalId".into(), proposed.proposal_id.into());
    Ok(Some(Value::Object(view)))
}

fn draft_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(record) = stored::json(tx, CONTRACTS, id.as_bytes())? else { return Ok(None) };
    let mut view = Map::new();
    view.insert("id".into(), id.into());
    view.insert("state".into(), "Draft".into());
    view.extend(version(tx, CONTRACTS, id.as_bytes()).map(|version| ("version".to_owned(), version.into())));
    copy(&mut view, &record, "data");
    view.insert("proposalId".into(), "".into());
    Ok(Some(Value::Object(view)))
}

/// Copies a member that is there.
fn copy(view: &mut Map<String, Value>, from: &Value, name: &str) {
    view.extend(from.get(name).map(|value| (name.to_owned(), value.clone())));
}

#[cfg(test)]
mod tests;
