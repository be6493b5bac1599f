//! What a proposal must be like.

use api::{ApiError, is_truthy, to_js_text};
use kv::Tx;
use serde_json::{Value, json};

use super::open_proposal_for;
use crate::{
    body::{self, invalid},
    drafts,
    party::{Party, approvers, stored_approvers},
    stored,
    user_documents::KIND,
};

/// Checks a proposal; the answer is the id of its document.
pub(super) fn check(tx: &mut Tx, action: &Value) -> Result<String, ApiError> {
    let approvers = approvers_of(action)?;
    check_type(action)?;
    let args = action.get("args").filter(|args| args.is_object());
    let args = args.ok_or_else(|| invalid("args must be an object with documentId and document."))?;
    let Some(id) = body::given(args, "documentId") else {
        let message = "The UserDocumentId is required for set_user_document action.";
        return Err(ApiError::bad_request("InvalidUserDocumentId", message));
    };
    let id = body::text(id, "args.documentId")?;
    KIND.check_changeable(tx, id)?;
    check_only_proposal(tx, id)?;
    check_is_draft(tx, id, args.get("document").unwrap_or(&Value::Null), &approvers)?;
    Ok(id.to_owned())
}

fn approvers_of(action: &Value) -> Result<Vec<Party>, ApiError> {
    let Some(list) = action.get("approvers").filter(|list| !list.is_null()) else {
        let message = "The approvers field is required in the proposal.";
        return Err(ApiError::bad_request("ApproversMissing", message));
    };
    if list.as_array().is_some_and(Vec::is_empty) {
        return Err(ApiError::bad_request("EmptyApprovers", "The approvers field cannot be empty."));
    }
    approvers(list)
}

fn check_type(action: &Value) -> Result<(), ApiError> {
    let name = action.get("name").unwrap_or(&Value::Null);
    if name == "set_user_document" {
        return Ok(());
    }
    let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
    Err(ApiError::bad_request("InvalidProposalType", format!("A proposal of type '{name}' is not supported.")))
}

fn check_only_proposal(tx: &mut Tx, document_id: &str) -> Result<(), ApiError> {
    let Some(other) = open_proposal_for(tx, document_id)? else { return Ok(()) };
    let message = format!("Proposal {} for the specified documentId already exists.", json!([other.id]));
    Err(ApiError::new(409, "UserDocumentAlreadyProposed", message))
}

/// What is voted must be what is stored, and be voted by those that the draft names (D13).
fn check_is_draft(tx: &mut Tx, id: &str, document: &Value, named: &[Party]) -> Result<(), ApiError> {
    let Some(draft) = stored::json(tx, KIND.drafts, id.as_bytes())? else { return Err(KIND.not_found()) };
    let Some(read) = document.get("version").filter(|version| is_truthy(version)) else {
        let message = "args.document.version must be the version of the draft that is proposed.";
        return Err(ApiError::bad_request("VersionMissing", message));
    };
    let current = drafts::version(tx, KIND.drafts, id).unwrap_or_default();
    drafts::check_version(read, &current)?;
    for name in ["contractId", "data", "labels"] {
        if said(document, name) != said(&draft, name) {
            let message = format!("args.document.{name} is not that of the stored draft at version {current}.");
            return Err(ApiError::bad_request("UserDocumentMismatch", message));
        }
    }
    check_approvers(named, stored_approvers(&draft)?)
}

/// A member as it is when it is stored; null says nothing.
fn said(value: &Value, name: &str) -> Option<Value> {
    let value = value.get(name).filter(|value| !value.is_null())?;
    serde_json::from_str(&to_js_text(value)).ok()
}

/// A draft that names nobody leaves the choice to its proposer.
fn check_approvers(named: &[Party], mut bound: Vec<Party>) -> Result<(), ApiError> {
    let mut named = named.to_vec();
    for list in [&mut named, &mut bound] {
        list.sort();
        list.dedup();
    }
    if bound.is_empty() || named == bound {
        return Ok(());
    }
    let message = "The approvers of the proposal must be those that the document names.";
    Err(ApiError::bad_request("ApproversMismatch", message))
}
