//! Contracts: co-authored as drafts, proposed to the consortium, accepted by its vote.

use std::collections::BTreeSet;

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::{Value, json};

use crate::{
    ACCEPTED_CONTRACTS, CONTRACTS, authorise, body,
    drafts::{self, Kind, Voted},
    proposals::{self, proposed},
    require_active_member,
};

const VOTED: Voted = Voted { kind: KIND, accepting: proposals::CONTRACT, members: &["data"] };

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
    VOTED.view(tx, input.param("contractId"))
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

#[cfg(test)]
mod tests;
