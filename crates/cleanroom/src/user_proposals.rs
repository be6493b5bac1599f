//! Proposals to accept a document of users: made by anybody who may write, decided by the approvers that they name.
//!
//! One rejection rejects; when all approvers have accepted, the document is. What is decided on is the stored draft at the
//! version that the proposal names, and where the draft names approvers, it is those (D13).

mod ballots;
mod checks;

use api::{ApiError, Caller, Input, Output, to_js_text};
use kv::Tx;
use serde_json::{Value, json};

use crate::{authorise, authorise_write, body, party::Party, stored};

pub use ballots::submit_ballot;

/// Proposal id to `{actions:[…]}`, the proposal as it was sent.
const PROPOSALS: &str = "public:user_proposals";
/// Proposal id to `{proposerId, proposerIdType, state, ballots:[{approverId, approverIdType, ballot}]}`.
const PROPOSALS_INFO: &str = "public:user_proposals_info";
/// Document id to the id of its Open proposal: says where to look, the record of the proposal decides.
const OPEN_PROPOSALS: &str = "public:cgs.open_user_proposals";

const OPEN: &str = "Open";

/// A proposal with its record.
pub(crate) struct Proposal {
    pub(crate) id: String,
    /// What was sent: name, approvers, arguments.
    pub(crate) action: Value,
    /// The record: who proposed it, its state, its ballots.
    pub(crate) info: Value,
}

impl Proposal {
    /// The document that is to be accepted.
    pub(crate) fn document(&self) -> &Value {
        self.action.get("args").and_then(|args| args.get("document")).unwrap_or(&Value::Null)
    }

    fn document_id(&self) -> &str {
        let id = self.action.get("args").and_then(|args| args.get("documentId"));
        id.and_then(Value::as_str).unwrap_or_default()
    }

    fn state(&self) -> &str {
        self.info.get("state").and_then(Value::as_str).unwrap_or_default()
    }

    fn check_open(&self) -> Result<(), ApiError> {
        if self.state() == OPEN {
            return Ok(());
        }
        let message = format!("The proposal is not in an open state. State is: '{}'.", self.state());
        Err(ApiError::new(409, "ProposalNotOpen", message))
    }

    /// Moves the proposal to a state and writes its record.
    fn move_to(&mut self, tx: &mut Tx, state: &str) {
        if let Some(known) = self.info.get_mut("state") {
            *known = state.into();
        }
        tx.put(PROPOSALS_INFO, self.id.clone(), to_js_text(&self.info));
        if state != OPEN {
            tx.remove(OPEN_PROPOSALS, self.document_id().to_owned());
        }
    }

    /// The record as it is answered; the kinds of approvers stand in the proposal.
    fn status(&self) -> Value {
        let member = |name: &str| self.info.get(name);
        json!({ "proposerId": member("proposerId"), "state": member("state"), "ballots": ballots::shown(&self.info) })
    }
}

/// `PUT /app/users/proposals/{proposalId}`: proposes the draft of a document. The caller chooses the id.
///
/// # Errors
/// As [`authorise_write`]; 409 `ProposalAlreadyExists`, 400 `InvalidInput` (D4), `ApproversMissing`, `EmptyApprovers`,
/// `InvalidProposalType` or `InvalidUserDocumentId`, 405 `UserDocumentAlreadyAccepted`, 409 `UserDocumentAlreadyProposed`;
/// where the proposal is not that of the draft (D13): 404 `UserDocumentNotFound`, 400 `VersionMissing`, 412
/// `PreconditionFailed`, 400 `UserDocumentMismatch` or `ApproversMismatch`.
pub fn put_proposal(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise_write(tx, caller)?;
    let id = input.param("proposalId");
    if tx.has(PROPOSALS, id.as_bytes()) {
        let message = "The specified proposal already exists.";
        return Err(ApiError::new(409, "ProposalAlreadyExists", message));
    }
    let action = body::read(input)?;
    let document_id = checks::check(tx, &action)?;
    let proposer = Party::of(caller);
    let info = json!({
        "proposerId": proposer.id, "proposerIdType": proposer.kind.name(), "state": OPEN, "ballots": [],
    });
    tx.put(PROPOSALS, id.to_owned(), to_js_text(&json!({ "actions": [action] })));
    tx.put(PROPOSALS_INFO, id.to_owned(), to_js_text(&info));
    tx.put(OPEN_PROPOSALS, document_id, id.to_owned());
    Ok(Output::json(&json!({ "proposalId": id })))
}

/// `POST /app/users/proposals/{proposalId}`: what is proposed.
///
/// # Errors
/// As [`authorise`]; 404 `ProposalNotFound`.
pub fn get_proposal(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let Proposal { id, action, .. } = find(tx, input.param("proposalId"))?;
    let member = |name: &str| action.get(name);
    let (name, approvers, args) = (member("name"), member("approvers"), member("args"));
    Ok(Output::json(&json!({ "proposalId": id, "name": name, "approvers": approvers, "args": args })))
}

/// `POST /app/users/proposals/{proposalId}/status`: who proposed it, its state and ballots.
///
/// # Errors
/// As [`get_proposal`].
pub fn get_status(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    Ok(Output::json(&find(tx, input.param("proposalId"))?.status()))
}

/// `POST /app/users/proposals/{proposalId}/withdraw`: takes an Open proposal back.
///
/// # Errors
/// As [`authorise_write`]; 404 `ProposalNotFound`, 403 `NotProposalOwner`, 409 `ProposalNotOpen`.
pub fn withdraw(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise_write(tx, caller)?;
    let mut proposal = find(tx, input.param("proposalId"))?;
    if Party::named(&proposal.info, "proposerId", "proposerIdType") != Some(Party::of(caller)) {
        let message = "Only the proposal owner can withdraw the proposal.";
        return Err(ApiError::forbidden("NotProposalOwner", message));
    }
    proposal.check_open()?;
    proposal.move_to(tx, "Withdrawn");
    Ok(Output::json(&proposal.status()))
}

/// The Open proposal for a document, if there is one.
pub(crate) fn open_proposal_for(tx: &mut Tx, document_id: &str) -> Result<Option<Proposal>, ApiError> {
    let Some(id) = tx.get(OPEN_PROPOSALS, document_id.as_bytes()) else { return Ok(None) };
    let proposal = stored_proposal(tx, &stored::lossy(&id))?;
    Ok(proposal.filter(|proposal| proposal.state() == OPEN && proposal.document_id() == document_id))
}

fn find(tx: &mut Tx, id: &str) -> Result<Proposal, ApiError> {
    let message = "A proposal with the specified id was not found.";
    stored_proposal(tx, id)?.ok_or_else(|| ApiError::not_found("ProposalNotFound", message))
}

fn stored_proposal(tx: &mut Tx, id: &str) -> Result<Option<Proposal>, ApiError> {
    let Some(mut proposal) = stored::json(tx, PROPOSALS, id.as_bytes())? else { return Ok(None) };
    let Some(info) = stored::json(tx, PROPOSALS_INFO, id.as_bytes())? else { return Ok(None) };
    let action = proposal.pointer_mut("/actions/0").map(Value::take).unwrap_or_default();
    Ok(Some(Proposal { id: id.to_owned(), action, info }))
}

#[cfg(test)]
mod tests;
