use api::{ApiError, from_unique_json};
use kv::Tx;
use serde_json::Value;

use super::{
    Decided, ProposalInfo, ProposalState, check_signed_id, not_found, record_history,
    resolve::{self, Proposal},
};
use crate::{
    ServiceContext,
    envelope::Signed,
    ids,
    scripts::{Request, Scripts},
};

/// Bytes of a ballot. It stands in the record of the proposal, which is read again and again while that is Open.
const MOST_BYTES: usize = 32 << 10;

/// `POST /gov/members/proposals/{proposalId}/ballots/{memberId}:submit`: takes a ballot and resolves the proposal. The
/// same ballot again changes nothing by itself but resolves again, too (D6).
///
/// # Errors
/// 400 `InvalidResourceName`, `ProposalNotOpen`, `InvalidInput`, `VoteAlreadyExists`; 404 `ProposalNotFound`; 500 if the
/// constitution cannot resolve the proposal; 503 if no script host is free.
pub fn submit(
    tx: &mut Tx,
    signed: &Signed,
    proposal_id: &str,
    member_id: &str,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Decided, ApiError> {
    check_signed_id(signed, proposal_id)?;
    check_member(signed, member_id)?;
    let mut info = ProposalInfo::read(tx, proposal_id)?.ok_or_else(|| not_found(proposal_id))?;
    check_open(&info, proposal_id)?;
    let ballot = parse(&signed.payload)?;
    let is_new = take(&mut info, member_id, ballot, proposal_id)?;
    if is_new {
        record_history(tx, signed);
    }
    let request = Request { member_id, created_at: signed.created_at, seed: resolve::seed(proposal_id)? };
    let proposal = Proposal { text: super::record::text(tx, proposal_id)?, id: proposal_id.into(), info };
    let decided = resolve::settle(tx, proposal, request, is_new.then_some(member_id), scripts, context)?;
    // Anybody who reads the ledger can send a ballot again: that must not make it longer. Where it decides something, it
    // is what was decided on (D39).
    if !is_new && !tx.is_read_only() {
        record_history(tx, signed);
    }
    Ok(decided)
}

fn check_member(signed: &Signed, member_id: &str) -> Result<(), ApiError> {
    ids::check("member", member_id)?;
    if signed.member_id == member_id {
        return Ok(());
    }
    Err(ApiError::bad_request("InvalidResourceName", "Authenticated member id does not match URL"))
}

fn check_open(info: &ProposalInfo, proposal_id: &str) -> Result<(), ApiError> {
    if info.state == ProposalState::Open {
        return Ok(());
    }
    let message = format!(
        "Proposal {proposal_id} is currently in state {} - only open proposals can receive votes",
        info.state.lower()
    );
    Err(ApiError::bad_request("ProposalNotOpen", message))
}

fn parse(payload: &[u8]) -> Result<String, ApiError> {
    let invalid = |message: String| ApiError::bad_request("InvalidInput", message);
    let payload =
        from_unique_json(payload).map_err(|why| invalid(format!("Signed request body is not valid JSON: {why}")))?;
    let ballot = payload.get("ballot").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        invalid("Signed request body is not a JSON object containing required string field \"ballot\"".into())
    })?;
    if ballot.len() > MOST_BYTES {
        return Err(invalid(format!("The ballot has {} bytes, at most {MOST_BYTES} are allowed", ballot.len())));
    }
    Ok(ballot)
}

/// Adds a ballot; whether it is new.
fn take(info: &mut ProposalInfo, member_id: &str, ballot: String, proposal_id: &str) -> Result<bool, ApiError> {
    match info.ballots.get(member_id) {
        None => {
            info.ballots.insert(member_id.into(), ballot);
            Ok(true)
        }
        Some(earlier) if *earlier == ballot => Ok(false),
        Some(_) => {
            let message = format!("Different ballot already submitted by m[{member_id}] for {proposal_id}.");
            Err(ApiError::bad_request("VoteAlreadyExists", message))
        }
    }
}
