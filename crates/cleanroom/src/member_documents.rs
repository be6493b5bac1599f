//! Documents of members: drafts like contracts, accepted by the vote of the consortium.
//!
//! A document belongs to a contract, and its id is unique in the service: the contract in the path of a request is not
//! looked at.

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::{Value, json};

use crate::{
    authorise, body, contracts,
    drafts::{Kind, Voted},
    proposals, require_active_member,
};

const VOTED: Voted = Voted { kind: KIND, accepting: proposals::MEMBER_DOCUMENT, members: &["contractId", "data"] };

const KIND: Kind = Kind {
    noun: "document",
    drafts: "public:documents",
    accepted: "public:ccf.gov.accepted_member_documents",
    authors: "public:cgs.authors.documents",
    exists: "DocumentAlreadyExists",
    is_accepted: ("DocumentAlreadyAccepted", "An accepted document cannot be changed."),
    unknown: ("DocumentNotFound", "A document with the specified id was not found."),
};

/// `PUT /app/contracts/{contractId}/memberdocuments/{documentId}`: writes a draft.
///
/// # Errors
/// 403 `CallerNotAuthorized` (D17), 405 `DocumentAlreadyAccepted`, 400 `InvalidInput` (D4), `ContractIdMissing` or
/// `DataMissing`, 404 `ContractNotFound`, 409 `DocumentAlreadyExists`, 412 `PreconditionFailed`.
pub fn put_document(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    require_active_member(tx, caller)?;
    let id = input.param("documentId");
    KIND.check_changeable(tx, id)?;
    let body = body::read(input)?;
    let (contract, data) = content(tx, &body, "document")?;
    KIND.put(tx, caller, id, body.get("version"), &json!({ "contractId": contract, "data": data }))
}

/// `POST /app/contracts/{contractId}/memberdocuments/{documentId}`: reads a document as accepted, proposed or draft.
///
/// # Errors
/// As [`authorise`]; 404 `DocumentNotFound`.
pub fn get_document(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    VOTED.view(tx, input.param("documentId"))
}

/// `GET /app/contracts/{contractId}/memberdocuments`: the ids of all documents, of every contract.
///
/// # Errors
/// As [`authorise`].
pub fn list_documents(tx: &mut Tx, caller: &Caller, _: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    Ok(Output::json(&KIND.ids(tx).iter().map(|id| json!({ "id": id })).collect()))
}

/// What every document says: the contract that it belongs to, of which there must be a draft, and something else.
///
/// # Errors
/// 400 `ContractIdMissing`, `DataMissing` or `InvalidInput`, 404 `ContractNotFound`. `noun` is how the texts call it.
pub(crate) fn content<'a>(tx: &mut Tx, body: &'a Value, noun: &str) -> Result<(&'a str, &'a Value), ApiError> {
    let Some(contract) = body::given(body, "contractId") else {
        let message = format!("ContractId must be specified in {noun} payload.");
        return Err(ApiError::bad_request("ContractIdMissing", message));
    };
    let Some(data) = body::given(body, "data") else {
        let message = format!("data key must be present in {noun} payload.");
        return Err(ApiError::bad_request("DataMissing", message));
    };
    let contract = body::text(contract, "contractId")?;
    if !tx.has(contracts::KIND.drafts, contract.as_bytes()) {
        return Err(contracts::KIND.not_found());
    }
    Ok((contract, data))
}

#[cfg(test)]
mod tests;
