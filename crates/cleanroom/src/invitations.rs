//! Invitations: the consortium describes a user by the claims of a token, and who shows such a token may accept.
//!
//! Members and users may read all invitations. Whoever is not a user yet may read and accept those that its token
//! satisfies, and learns nothing of others (D11).

mod claims;

use api::{ApiError, Caller, Input, Output, to_js_text};
use kv::Tx;
use serde_json::{Map, Value, json};

use crate::{authorise, drafts::ids, stored};

/// Invitation id to `{accountType}`.
const INVITATIONS: &str = "public:ccf.gov.user_invitations";
/// The invitations that led to a user.
const FINALIZED: &str = "public:ccf.gov.accepted_user_invitations";
/// Invitation id to `{status, userInfo}`, once it is accepted.
const ACCEPTANCES: &str = "public:user_invitations_info";

/// An invitation, with what it asks for.
struct Invitation {
    id: String,
    account_type: Value,
    /// Claim to the values of which one must be shown.
    claims: Map<String, Value>,
    /// Who accepted it.
    acceptance: Option<Value>,
    finalized: bool,
}

/// `GET /app/users/invitations`: all invitations, or those that the caller's token satisfies.
///
/// # Errors
/// As [`authorise`], but for the status 403.
pub fn list_invitations(tx: &mut Tx, caller: &Caller, _: &Input) -> Result<Output, ApiError> {
    let stranger = stranger(tx, caller)?.is_some();
    let mut value = Vec::new();
    for id in ids(tx, INVITATIONS) {
        let Some(invitation) = Invitation::find(tx, &id)? else { continue };
        if !stranger || claims::check(caller, &invitation).is_ok() {
            value.push(invitation.view());
        }
    }
    Ok(Output::json(&json!({ "value": value })))
}

/// `POST /app/users/invitations/{invitationId}`: an invitation.
///
/// # Errors
/// 404 `InvitationNotFound`. For whoever is not authorised and does not satisfy it, the refusal of [`authorise`].
pub fn get_invitation(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let stranger = stranger(tx, caller)?;
    let id = input.param("invitationId");
    let found = Invitation::find(tx, id)?;
    match (found, stranger) {
        (Some(invitation), None) => Ok(Output::json(&invitation.view())),
        (None, None) => Err(not_found(id)),
        (Some(invitation), Some(_)) if claims::check(caller, &invitation).is_ok() => {
            Ok(Output::json(&invitation.view()))
        }
        (_, Some(refusal)) => Err(refusal),
    }
}

/// `POST /app/users/invitations/{invitationId}/accept`: accepts with the caller's token.
///
/// # Errors
/// 404 `InvitationNotFound`, 409 `InvitationNotOpen`, 400 `OidClaimMissing` or `InvitationClaimsMissing` (D4), 403
/// `TokenClaimMissing` or `TokenClaimMismatch`.
pub fn accept_invitation(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    let id = input.param("invitationId");
    let invitation = Invitation::find(tx, id)?.ok_or_else(|| not_found(id))?;
    let status = invitation.status();
    if status != "Open" {
        let message = format!("Invitation with ID {id} is not open. Status is: {status}");
        return Err(ApiError::new(409, "InvitationNotOpen", message));
    }
    if caller.id.is_empty() {
        return Err(ApiError::bad_request("OidClaimMissing", "Incoming token must have oid claim."));
    }
    claims::check(caller, &invitation)?;
    let mut data = Map::new();
    data.extend(caller.claim("tid").map(|tenant| ("tenantId".to_owned(), tenant.clone())));
    let acceptance = json!({ "status": "Accepted", "userInfo": { "userId": caller.id, "data": data } });
    tx.put(ACCEPTANCES, id.to_owned(), to_js_text(&acceptance));
    Ok(Output::empty())
}

/// Why a caller is nobody that the consortium knows; `None` if it is somebody.
fn stranger(tx: &mut Tx, caller: &Caller) -> Result<Option<ApiError>, ApiError> {
    match authorise(tx, caller) {
        Ok(()) => Ok(None),
        Err(refusal) if refusal.status == 403 => Ok(Some(refusal)),
        Err(other) => Err(other),
    }
}

fn not_found(id: &str) -> ApiError {
    ApiError::not_found("InvitationNotFound", format!("Invitation with ID {id} not found."))
}

impl Invitation {
    fn find(tx: &mut Tx, id: &str) -> Result<Option<Self>, ApiError> {
        let Some(record) = stored::json(tx, INVITATIONS, id.as_bytes())? else { return Ok(None) };
        let table = format!("{INVITATIONS}-{id}");
        let mut claims = Map::new();
        for (name, values) in tx.entries(&table) {
            claims.insert(stored::lossy(&name), stored::parse(&table, &values)?);
        }
        let account_type = record.get("accountType").cloned().unwrap_or_default();
        let acceptance = stored::json(tx, ACCEPTANCES, id.as_bytes())?;
        let finalized = tx.has(FINALIZED, id.as_bytes());
        Ok(Some(Self { id: id.to_owned(), account_type, claims, acceptance, finalized }))
    }

    fn status(&self) -> &str {
        let accepted = || self.acceptance.as_ref()?.get("status")?.as_str();
        if self.finalized { "Finalized" } else { accepted().unwrap_or("Open") }
    }

    fn view(&self) -> Value {
        let mut view = Map::new();
        view.insert("invitationId".into(), self.id.as_str().into());
        view.insert("accountType".into(), self.account_type.clone());
        view.insert("claims".into(), self.claims.clone().into());
        let user = self.acceptance.as_ref().and_then(|acceptance| acceptance.get("userInfo"));
        view.extend(user.map(|user| ("userInfo".to_owned(), user.clone())));
        view.insert("status".into(), self.status().into());
        view.into()
    }
}

#[cfg(test)]
mod tests;
