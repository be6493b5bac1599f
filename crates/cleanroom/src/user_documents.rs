//! Documents of users: drafts that members and users write, accepted by approvers of their own.
//!
//! A draft may name its approvers; then nobody else decides on it (D13). As with documents of members, the contract in the
//! path of a request is not looked at.

mod labels;

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::{Map, Value, json};

use crate::{
    authorise, authorise_write, body,
    drafts::{Kind, View},
    member_documents::content,
    party::approvers,
    stored,
    user_proposals::open_proposal_for,
};
use labels::Selector;

pub(crate) const KIND: Kind = Kind {
    noun: "document",
    drafts: "public:user_documents",
    accepted: "public:accepted_user_documents",
    authors: "public:cgs.authors.user_documents",
    exists: "UserDocumentAlreadyExists",
    is_accepted: ("UserDocumentAlreadyAccepted", "The specified document has already been accepted."),
    unknown: ("UserDocumentNotFound", "A document with the specified id was not found."),
};

/// `PUT /app/contracts/{contractId}/userdocuments/{documentId}`: writes a draft.
///
/// # Errors
/// As [`authorise_write`]; 405 `UserDocumentAlreadyAccepted`, 400 `InvalidInput` (D4), `ContractIdMissing` or
/// `DataMissing`, 404 `ContractNotFound`, 409 `UserDocumentAlreadyExists`, 412 `PreconditionFailed`.
pub fn put_document(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise_write(tx, caller)?;
    let id = input.param("documentId");
    KIND.check_changeable(tx, id)?;
    let body = body::read(input)?;
    let (contract, data) = content(tx, &body, "UserDocument")?;
    let mut draft = Map::from_iter([("contractId".to_owned(), contract.into()), ("data".to_owned(), data.clone())]);
    if let Some(labels) = body.get("labels") {
        labels::check(labels)?;
        draft.insert("labels".into(), labels.clone());
    }
    if let Some(list) = body.get("approvers") {
        if !list.is_null() {
            approvers(list)?;
        }
        draft.insert("approvers".into(), list.clone());
    }
    KIND.put(tx, caller, id, body.get("version"), &draft.into())
}

/// `POST /app/contracts/{contractId}/userdocuments/{documentId}`: reads a document as accepted, proposed or draft.
///
/// # Errors
/// As [`authorise`]; 404 `UserDocumentNotFound`.
pub fn get_document(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    KIND.view(tx, input.param("documentId"), [&accepted_view, &proposed_view, &draft_view])
}

/// `GET /app/contracts/{contractId}/userdocuments?labelSelector=a:b,c:d`: the documents that have all of these labels, of
/// every contract.
///
/// # Errors
/// As [`authorise`]; 400 `InvalidParameter`.
pub fn list_documents(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let selector = input.query.get("labelSelector").map(Selector::parse).transpose()?;
    let mut value = Vec::new();
    for id in KIND.ids(tx) {
        let record = match stored::json(tx, KIND.accepted, id.as_bytes())? {
            Some(accepted) => accepted,
            None => stored::json(tx, KIND.drafts, id.as_bytes())?.unwrap_or_default(),
        };
        if selector.as_ref().is_none_or(|selector| selector.selects(record.get("labels"))) {
            value.push(View::of(&id).copy(&record, &["labels"]).value());
        }
    }
    Ok(Output::json(&json!({ "value": value })))
}

fn accepted_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(record) = stored::json(tx, KIND.accepted, id.as_bytes())? else { return Ok(None) };
    let view = View::of(id).version(tx, KIND.accepted, id).with("state", "Accepted");
    let members = ["contractId", "approvers", "data", "labels", "proposalId", "proposerId", "finalVotes"];
    Ok(Some(view.copy(&record, &members).value()))
}

fn proposed_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(proposal) = open_proposal_for(tx, id)? else { return Ok(None) };
    let view = View::of(id).with("state", "Proposed");
    let view = view.copy(proposal.document(), &["contractId", "data", "labels", "version"]);
    let view = view.copy(&proposal.action, &["approvers"]).with("proposalId", proposal.id.as_str());
    Ok(Some(view.copy(&proposal.info, &["proposerId"]).value()))
}

fn draft_view(tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
    let Some(record) = stored::json(tx, KIND.drafts, id.as_bytes())? else { return Ok(None) };
    let view = View::of(id).with("state", "Draft").version(tx, KIND.drafts, id);
    let view = view.copy(&record, &["contractId", "data", "labels", "approvers"]);
    Ok(Some(view.with("proposalId", "").with("proposerId", "").value()))
}

#[cfg(test)]
mod tests;
