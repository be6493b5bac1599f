//! Signed governance requests: COSE_Sign1 messages (RFC 9052) of members, authenticated as CCF does it.
//!
//! What cannot be decoded is the caller's fault and answered 400 with what is wrong (D4); what can be decoded but does
//! not prove a member is answered 401 with the recorded body.

mod framing;
mod header;

use api::{ApiError, ErrorDetail};
use bytes::Bytes;
use crypto::{Certificate, cose::Sign1};
use kv::Tx;
use ledger::tables;

pub use framing::{MAX_HEADER_BYTES, MAX_NESTING};

use crate::{
    members::{self, Status},
    stored,
};

/// The only content type of signed requests; parameters behind it are not accepted.
pub const CONTENT_TYPE: &str = "application/cose";
/// The largest `created_at` of a proposal, in seconds since 1970: ten digits.
pub const MAX_CREATED_AT: i64 = 9_999_999_999;

/// Who may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Only members whose status is Active; otherwise Accepted ones too.
    pub active_only: bool,
}

impl Policy {
    /// Active members: proposals, ballots, withdrawals.
    pub const ACTIVE: Self = Self { active_only: true };
    /// Members in any status: state digests.
    pub const ANY: Self = Self { active_only: false };

    /// The name in error bodies.
    #[must_use]
    pub fn name(self) -> &'static str {
        if self.active_only { "active_member_cose_sign1" } else { "member_cose_sign1" }
    }
}

/// What a request is signed as (`ccf.gov.msg.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageType {
    /// The payload is a proposal.
    Proposal,
    /// The payload is `{"ballot":"<script>"}`.
    Ballot,
    /// The payload is ignored.
    Withdrawal,
    /// The payload is ignored.
    StateDigest,
    /// The payload is `{"stateDigest":"<hex>"}`.
    Ack,
    /// The payload is `{"share":"<base64>"}`.
    RecoveryShare,
}

impl MessageType {
    /// The text in the header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Ballot => "ballot",
            Self::Withdrawal => "withdrawal",
            Self::StateDigest => "state_digest",
            Self::Ack => "ack",
            Self::RecoveryShare => "recovery_share",
        }
    }
}

impl MessageType {
    /// Bytes of what is signed. All of it is kept, and what is not read need not be there.
    #[must_use]
    pub fn max_payload_bytes(self) -> usize {
        match self {
            Self::Proposal => 2 << 20,
            Self::Ballot => 256 << 10,
            Self::Withdrawal | Self::StateDigest | Self::Ack | Self::RecoveryShare => 4 << 10,
        }
    }
}

/// An authenticated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Who signed.
    pub member_id: String,
    /// As what.
    pub msg_type: MessageType,
    /// When, according to the signer: seconds since 1970, not negative.
    pub created_at: i64,
    /// The proposal that it is about, if the header names one.
    pub proposal_id: Option<String>,
    /// What was signed.
    pub payload: Bytes,
    /// r ‖ s
    pub signature: Vec<u8>,
    /// The whole message.
    pub raw: Bytes,
}

/// Authenticates a signed request.
///
/// # Errors
/// 401 with the recorded details if it does not prove a member (in the right status, as the right type); 400 that names
/// what is wrong with a message that cannot be decoded or lacks a header (D4).
pub fn authenticate(
    tx: &mut Tx,
    body: &Bytes,
    content_type: Option<&str>,
    policy: Policy,
    expected: MessageType,
) -> Result<Signed, ApiError> {
    let refuse = |message: String| unauthenticated(policy, message);
    check_content_type(content_type).map_err(|text| refuse(text.to_owned()))?;
    let header = header::parse(body)?;
    if !matches!(header.alg, -7 | -35 | -36) {
        return Err(refuse(format!("Unsupported algorithm: {}", header.alg)));
    }
    let message = Sign1::from_bytes(body).map_err(|why| header::malformed(&why.to_string()))?;
    let certificate = signer(tx, &header.kid, policy)?;
    let verified = certificate.public_key().and_then(|key| message.verify(&key));
    let (Ok(()), Some(payload)) = (verified, message.payload()) else {
        return Err(refuse("Failed to validate COSE Sign1".into()));
    };
    check_type(header.msg_type.as_deref(), expected).map_err(refuse)?;
    check_payload(payload, expected)?;
    Ok(Signed {
        member_id: header.kid,
        msg_type: expected,
        created_at: header.created_at,
        proposal_id: header.proposal_id,
        payload: Bytes::copy_from_slice(payload),
        signature: message.signature().to_vec(),
        raw: body.clone(),
    })
}

/// The 401 of a signed request.
#[must_use]
pub fn unauthenticated(policy: Policy, message: String) -> ApiError {
    const CODE: &str = "InvalidAuthenticationInfo";
    let detail = ErrorDetail { auth_policy: Some(policy.name().into()), code: CODE.into(), message };
    ApiError::new(401, CODE, "Invalid authentication credentials.")
        .with_detail(detail)
        .with_header("www-authenticate", "COSE-SIGN1 realm=\"Signed request access\"")
}

fn check_content_type(content_type: Option<&str>) -> Result<(), &'static str> {
    match content_type {
        Some(CONTENT_TYPE) => Ok(()),
        Some(_) => Err("Content type is not set to application/cose"),
        None => Err("Missing content-type header"),
    }
}

fn check_type(found: Option<&str>, expected: MessageType) -> Result<(), String> {
    let expected = expected.as_str();
    match found {
        Some(found) if found == expected => Ok(()),
        Some(found) => {
            Err(format!("Found ccf.gov.msg.type set to {found}, expected ccf.gov.msg.type to be {expected}"))
        }
        None => Err(format!("Missing ccf.gov.msg.type, expected ccf.gov.msg.type to be {expected}")),
    }
}

fn check_payload(payload: &[u8], expected: MessageType) -> Result<(), ApiError> {
    let (bytes, most) = (payload.len(), expected.max_payload_bytes());
    if bytes <= most {
        return Ok(());
    }
    let message = format!("The signed {} has {bytes} bytes; there may be {most}", expected.as_str());
    Err(ApiError::bad_request("InvalidInput", message))
}

/// The certificate of a member who may sign. Its dates do not matter, as in the reference.
fn signer(tx: &mut Tx, kid: &str, policy: Policy) -> Result<Certificate, ApiError> {
    let Some(pem) = stored::text(tx, tables::MEMBERS_CERTS, kid.as_bytes()) else {
        return Err(unauthenticated(policy, "Signer is not a known member".into()));
    };
    let active = members::info(tx, kid)?.is_some_and(|info| info.status == Status::Active);
    if policy.active_only && !active {
        return Err(unauthenticated(policy, "Signer is not an ACTIVE member".into()));
    }
    Certificate::from_pem(&pem).map_err(|why| ApiError::internal(format!("certificate of member m[{kid}]: {why}")))
}

#[cfg(test)]
mod tests;
