use api::{ApiError, from_unique_json};
use bytes::Bytes;
use kv::Tx;
use ledger::tables;
use serde_json::{Number, Value};

use super::{
    Decided, ProposalInfo, open, record_history, replay,
    resolve::{self, Proposal},
};
use crate::{
    ServiceContext,
    envelope::Signed,
    scripts::{Fault, Request, Scripts},
};

/// Up to here every integer is a double.
const MOST_EXACT: u64 = 1 << 53;

/// Bytes of what the constitution says of a proposal that it refuses. It may repeat the whole of it.
const MAX_DESCRIPTION_BYTES: usize = 16 << 10;

/// Proof that a proposal was validated; it belongs to one payload.
#[derive(Debug, Clone)]
pub struct Validated {
    payload: Bytes,
}

/// Asks the constitution whether a proposal may be made. Writes nothing.
///
/// What this transaction read must still hold where the proposal is placed: check its read set against that state, and
/// validate again if it does not.
///
/// # Errors
/// 400 `ProposalFailedToValidate` with what the constitution says; 400 `InvalidInput` for a payload that is not text; 500
/// if the constitution itself cannot answer; 503 if no script host is free.
pub fn validate(tx: &mut Tx, signed: &Signed, scripts: &mut Scripts<'_>) -> Result<Validated, ApiError> {
    let text = std::str::from_utf8(&signed.payload)
        .map_err(|why| ApiError::bad_request("InvalidInput", format!("The proposal is not UTF-8 text: {why}.")))?;
    let seed = crypto::sha256(&signed.signature);
    let request = Request { member_id: &signed.member_id, created_at: signed.created_at, seed };
    let outcome = scripts.constitution(tx, request, "validate", vec![text.into()]).map_err(refused)?;
    check_verdict(&outcome.value)?;
    check_readable(text)?;
    Ok(Validated { payload: signed.payload.clone() })
}

/// JavaScript takes nesting, numbers and halves of characters that nobody else reads as JSON. A proposal with such would
/// stand in the way of all who read proposals, and so would records that are made of it. Of a member that is named twice it
/// takes the last one, where others take the first, and large integers it changes: members would vote on something else than
/// what is applied.
fn check_readable(text: &str) -> Result<(), ApiError> {
    let refused = |why: String| {
        let message = format!("Proposal failed to validate: it is not JSON that everybody can read: {why}");
        ApiError::bad_request("ProposalFailedToValidate", message)
    };
    let read = from_unique_json(text.as_bytes()).map_err(|why| refused(why.to_string()))?;
    match inexact(&read) {
        None => Ok(()),
        Some(number) => Err(refused(format!("integers go up to {MOST_EXACT}, not {number}; write it as a text"))),
    }
}

/// An integer that need not be the same as a double, which all numbers are in JavaScript.
fn inexact(value: &Value) -> Option<&Number> {
    match value {
        Value::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            (size > Some(MOST_EXACT)).then_some(number)
        }
        Value::Array(items) => items.iter().find_map(inexact),
        Value::Object(members) => members.values().find_map(inexact),
        _ => None,
    }
}

/// `POST /gov/members/proposals:create`: places a validated proposal behind the state with Merkle root `root`, and
/// resolves it, which may settle it at once.
///
/// The id of the proposal depends on `root`, so the transaction must directly follow the state that it runs on.
///
/// # Errors
/// 400 `InvalidCreatedAt`, `ProposalReplay`, `ProposalCreatedTooLongAgo`, `TooManyOpenProposals`; 500 if the constitution cannot resolve it; 503
/// if no script host is free.
pub fn create(
    tx: &mut Tx,
    signed: &Signed,
    validated: &Validated,
    root: &[u8; 32],
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Decided, ApiError> {
    if validated.payload != signed.payload {
        return Err(ApiError::internal("Another proposal was validated than the one to be created."));
    }
    tx.require_exact_base();
    let digest = crypto::sha256(&signed.signature);
    let seed = crypto::sha256_parts(&[root, &digest]);
    let id = hex::encode(seed);
    replay::remember(tx, signed, &replay::fingerprint(signed), &id)?;
    open::check_room(tx, &signed.member_id, signed.payload.len())?;
    if tx.has(tables::PROPOSALS, id.as_bytes()) {
        return Err(ApiError::internal("Proposal ID collision."));
    }
    tx.put(tables::PROPOSALS, id.clone().into_bytes(), signed.payload.clone());
    let info = ProposalInfo::open(&signed.member_id);
    info.put(tx, &id);
    record_history(tx, signed);
    let request = Request { member_id: &signed.member_id, created_at: signed.created_at, seed };
    let proposal = Proposal { text: super::record::text(tx, &id)?, id, info };
    resolve::settle(tx, proposal, request, None, scripts, context)
}

/// A `validate` that throws has been given something that it cannot take: the proposer's fault (D4). What is wrong with
/// the constitution is not.
fn refused(fault: Fault) -> ApiError {
    match fault {
        Fault::Script(failure) | Fault::Limit(failure) => {
            let trace = failure.trace.unwrap_or_default();
            let message = format!("Failed to execute validation: {} {trace}", failure.reason);
            ApiError::bad_request("ProposalFailedToValidate", message.trim_end())
        }
        Fault::Unusable(why) => ApiError::internal(format!("Failed to execute validation: the constitution {why}")),
        Fault::Service(error) => error,
    }
}

fn check_verdict(verdict: &Value) -> Result<(), ApiError> {
    if !verdict.is_object() {
        return Err(ApiError::internal("Validation failed to return an object"));
    }
    if verdict.get("valid") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    let description = verdict.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = description.get(..description.floor_char_boundary(MAX_DESCRIPTION_BYTES)).unwrap_or_default();
    let message = format!("Proposal failed to validate: {description}");
    Err(ApiError::bad_request("ProposalFailedToValidate", message))
}
