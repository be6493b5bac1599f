//! Proposals: created, voted, withdrawn, resolved; and read, also long after (D5).
//!
//! The constitution decides: `validate` whether a proposal may be made, `resolve` what the votes mean, `apply` what an
//! accepted one does. A member's ballot is a script, too.
//!
//! A script that fails decides nothing, with two exceptions: a ballot that fails is a vote that is not cast, and an
//! `apply` that fails makes the proposal Failed (D19).

mod ballots;
mod create;
mod effect;
mod open;
mod reads;
mod record;
mod replay;
mod resolve;
mod sound;
mod withdraw;

use api::{ApiError, Output};
use kv::Tx;
use serde_json::Value;

pub use ballots::submit as submit_ballot;
pub use create::{Validated, create, validate};
pub use effect::{Viewer, effect};
pub use reads::{actions, ballot, classic, get, list};
pub use record::{Failure, ProposalInfo, ProposalState};
pub use resolve::{reresolve, waiting};
pub use withdraw::withdraw;

use crate::{NodeEffect, envelope::Signed, ids};

/// A decision: the answer, and what the node does once it is committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The answer.
    pub output: Output,
    /// What is for the node to do.
    pub effects: Vec<NodeEffect>,
}

/// Remembers the last signed request of a member (CCF, `cose_history`).
fn record_history(tx: &mut Tx, signed: &Signed) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    put_history(tx, &signed.member_id, STANDARD.encode(&signed.raw));
}

/// `message` is base64.
fn put_history(tx: &mut Tx, member_id: &str, message: String) {
    tx.put(ledger::tables::COSE_HISTORY, member_id.to_owned().into_bytes(), Value::from(message).to_string());
}

/// Checks that the path of a request names the proposal that the signature is about.
fn check_signed_id(signed: &Signed, proposal_id: &str) -> Result<(), ApiError> {
    ids::check("proposal", proposal_id)?;
    if signed.proposal_id.as_deref() == Some(proposal_id) {
        return Ok(());
    }
    Err(ApiError::bad_request("InvalidResourceName", "Authenticated proposal id does not match URL"))
}

fn not_found(proposal_id: &str) -> ApiError {
    ApiError::not_found("ProposalNotFound", format!("Could not find proposal {proposal_id}."))
}

#[cfg(test)]
mod tests;
