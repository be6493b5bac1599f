//! State digests: what a member signs to become active, and to confirm later that it still sees the same state.

use api::{ApiError, Output, from_unique_json};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::cose::Sign1;
use kv::{Tx, UNIT_KEY};
use ledger::tables;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    ServiceContext,
    envelope::Signed,
    ids,
    json::{answer, sorted_text},
    members::{self, RecoveryRole, Status},
    service::{self, ServiceStatus},
    shares, stored,
};

/// A record of `members.acks`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Ack {
    /// The last signed acknowledgement, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cose_sign1_req: Option<String>,
    /// What is to be acknowledged; empty before the member has asked for it.
    #[serde(default)]
    state_digest: String,
}

/// An acknowledgement that was taken.
#[derive(Debug, PartialEq)]
pub struct Acknowledged {
    /// The answer: 204.
    pub output: Output,
    /// Whether it made the member active. Then the open proposals are to be resolved again, each in a transaction of
    /// its own (D20): [`crate::proposals::waiting`], [`crate::proposals::reresolve`].
    pub activated: bool,
}

/// `GET /gov/members/state-digests/{memberId}`
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ResourceNotFound`.
pub fn read(tx: &mut Tx, member_id: &str) -> Result<Output, ApiError> {
    ids::check("member", member_id)?;
    let ack =
        stored_ack(tx, member_id)?.ok_or_else(|| ApiError::not_found("ResourceNotFound", no_record(member_id)))?;
    Ok(shown(member_id, &ack))
}

/// `POST /gov/members/state-digests/{memberId}:update`: the digest becomes the root of the last signature.
///
/// # Errors
/// 400 `InvalidAuthenticationInfo` if the path names somebody else; 503 before the first signature.
pub fn update(tx: &mut Tx, signed: &Signed, member_id: &str) -> Result<Output, ApiError> {
    check_signer(signed, member_id)?;
    let mut ack = stored_ack(tx, member_id)?.unwrap_or_default();
    ack.state_digest = last_signed_root(tx)?;
    put(tx, member_id, &ack);
    Ok(shown(member_id, &ack))
}

/// `POST /gov/members/state-digests/{memberId}:ack`: the member confirms the digest, which makes it active. Where that
/// makes it a holder of recovery shares of an open service, new shares are issued to all.
///
/// # Errors
/// 400 `InvalidAuthenticationInfo`, `InvalidInput`, `StateDigestMismatch`; 403 `AuthorizationFailed` without a digest.
pub fn acknowledge(
    tx: &mut Tx,
    signed: &Signed,
    member_id: &str,
    context: &ServiceContext<'_>,
) -> Result<Acknowledged, ApiError> {
    check_signer(signed, member_id)?;
    let mut ack =
        stored_ack(tx, member_id)?.ok_or_else(|| ApiError::forbidden("AuthorizationFailed", no_record(member_id)))?;
    check_digest(&ack.state_digest, &signed.payload)?;
    if is_repeated(tx, &ack, signed)? {
        return Ok(Acknowledged { output: Output::no_content(), activated: false });
    }
    let holder = is_holder(tx, member_id)?;
    let status = service::status(tx)?;
    check_recovery(tx, member_id, holder, status)?;
    ack.cose_sign1_req = Some(STANDARD.encode(&signed.raw));
    put(tx, member_id, &ack);
    let activated = members::activate(tx, member_id)?;
    if activated && holder && status == ServiceStatus::Open {
        shares::issue(tx, context)?;
    }
    Ok(Acknowledged { output: Output::no_content(), activated })
}

/// The last acknowledgement of a member: the signed message as it is recorded, base64, and when it was made.
///
/// # Errors
/// 500 if the record is damaged.
pub(crate) fn recorded(tx: &mut Tx, member_id: &str) -> Result<Option<(String, i64)>, ApiError> {
    let message = stored_ack(tx, member_id)?.and_then(|ack| ack.cose_sign1_req);
    let created_at = |message: &String| {
        let message = Sign1::from_bytes(&STANDARD.decode(message).ok()?).ok()?;
        message.int_header("ccf.gov.msg.created_at")
    };
    Ok(message.and_then(|message| Some((message.clone(), created_at(&message)?))))
}

fn check_signer(signed: &Signed, member_id: &str) -> Result<(), ApiError> {
    if signed.member_id == member_id {
        return Ok(());
    }
    let message = format!(
        "Member ID from path parameter (m[{member_id}]) does not match member ID from body signature (m[{}]).",
        signed.member_id
    );
    Err(ApiError::bad_request("InvalidAuthenticationInfo", message))
}

fn check_digest(expected: &str, payload: &[u8]) -> Result<(), ApiError> {
    let payload = from_unique_json(payload).map_err(|why| {
        ApiError::bad_request("InvalidInput", format!("Signed request body is not valid JSON: {why}"))
    })?;
    let Some(received) = payload.get("stateDigest").and_then(Value::as_str) else {
        let message = "Signed request body is not a JSON object containing required string field \"stateDigest\"";
        return Err(ApiError::bad_request("InvalidInput", message));
    };
    // Nothing is confirmed by signing nothing: a digest has to be fetched first.
    if received == expected && !expected.is_empty() {
        return Ok(());
    }
    let message = format!("Submitted state digest is not valid.\nExpected\n {expected}\nReceived\n {received}");
    Err(ApiError::bad_request("StateDigestMismatch", message))
}

/// Whether an active member has signed this already. Anybody who reads the ledger can send it again, in an envelope of any
/// length: that must not make the ledger longer.
fn is_repeated(tx: &mut Tx, ack: &Ack, signed: &Signed) -> Result<bool, ApiError> {
    let stored = ack.cose_sign1_req.as_ref().and_then(|stored| Sign1::from_bytes(&STANDARD.decode(stored).ok()?).ok());
    let same = stored.is_some_and(|stored| stored.payload() == Some(signed.payload.as_ref()));
    Ok(same && members::info(tx, &signed.member_id)?.is_some_and(|info| info.status == Status::Active))
}

fn is_holder(tx: &mut Tx, member_id: &str) -> Result<bool, ApiError> {
    let Some(info) = members::info(tx, member_id)? else { return Ok(false) };
    Ok(members::recovery_role(tx, member_id, &info) != RecoveryRole::NonParticipant)
}

/// During a recovery the set of those who hold shares stays as it is.
fn check_recovery(tx: &mut Tx, member_id: &str, holder: bool, status: ServiceStatus) -> Result<(), ApiError> {
    let recovering = matches!(status, ServiceStatus::Recovering | ServiceStatus::WaitingForRecoveryShares);
    let inactive = members::info(tx, member_id)?.is_some_and(|info| info.status != Status::Active);
    if recovering && holder && inactive {
        let message = "Recovery members cannot be activated during recovery.";
        return Err(ApiError::bad_request("InvalidInput", message));
    }
    Ok(())
}

/// The Merkle root of the latest signature.
///
/// Read past the read set on purpose: any root that was signed will do, and each batch signs another one.
fn last_signed_root(tx: &Tx) -> Result<String, ApiError> {
    let signature = tx.base().get(tables::SIGNATURES, &UNIT_KEY);
    let parsed = signature.and_then(|signature| serde_json::from_slice::<Value>(&signature.value).ok());
    parsed.and_then(|signature| signature.get("root")?.as_str().map(str::to_owned)).ok_or_else(|| {
        ApiError::new(503, "InternalError", "Service has no signatures to ack yet - try again soon.")
            .with_header("retry-after", "1")
    })
}

fn stored_ack(tx: &mut Tx, member_id: &str) -> Result<Option<Ack>, ApiError> {
    Ok(stored::json(tx, tables::MEMBERS_ACKS, member_id.as_bytes())?)
}

fn put(tx: &mut Tx, member_id: &str, ack: &Ack) {
    tx.put(tables::MEMBERS_ACKS, member_id.as_bytes().to_vec(), sorted_text(&json!(ack)));
}

fn shown(member_id: &str, ack: &Ack) -> Output {
    answer(&json!({ "memberId": member_id, "stateDigest": ack.state_digest }))
}

fn no_record(member_id: &str) -> String {
    format!("No ACK record exists for member m[{member_id}].")
}

#[cfg(test)]
mod tests;
