use api::{ApiError, Caller, Token, to_js_text};
use serde_json::Value;

use super::Invitation;

/// Checks that the caller's token is of the kind of account that is invited, and has one of the values of every claim.
///
/// # Errors
/// 400 `InvitationClaimsMissing`, 403 `TokenClaimMissing` or `TokenClaimMismatch`. The texts do not tell what would do (D11).
pub(super) fn check(caller: &Caller, invitation: &Invitation) -> Result<(), ApiError> {
    if invitation.claims.is_empty() {
        let message = "The invitation claims is missing. Please update the invitation with a few claims.";
        return Err(ApiError::bad_request("InvitationClaimsMissing", message));
    }
    // Whoever has no token has no claims.
    let Some(token) = &caller.token else { return Err(missing("iss")) };
    check_account(token, &invitation.account_type)?;
    invitation.claims.iter().try_for_each(|(name, values)| check_claim(token, name, values))
}

/// An account is of a kind because its issuer says so. The token is of an issuer by its own claim as well as by its key.
fn check_account(token: &Token, account_type: &Value) -> Result<(), ApiError> {
    if account_type == "microsoft" && token.of_entra {
        return Ok(());
    }
    Err(mismatch("iss", token.payload.get("iss").unwrap_or(&Value::Null)))
}

fn check_claim(token: &Token, name: &str, values: &Value) -> Result<(), ApiError> {
    let name = incoming(token, name);
    let claim = token.payload.get(name).ok_or_else(|| missing(name))?;
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    if values.iter().any(|value| is_same(value, claim)) { Ok(()) } else { Err(mismatch(name, claim)) }
}

/// How a claim is called in the token: the first version of Entra's tokens has another name for the user's.
fn incoming<'a>(token: &Token, name: &'a str) -> &'a str {
    let first_version = token.payload.get("ver").is_some_and(|version| version == "1.0");
    if name == "preferred_username" && token.of_entra && first_version { "upn" } else { name }
}

/// Equal as in JavaScript (`===`), where 1 and 1.0 are. Lists and objects equal nothing.
fn is_same(value: &Value, claim: &Value) -> bool {
    match (value, claim) {
        (Value::Number(_), Value::Number(_)) => to_js_text(value) == to_js_text(claim),
        (Value::Array(_) | Value::Object(_), _) => false,
        _ => value == claim,
    }
}

fn missing(name: &str) -> ApiError {
    ApiError::forbidden("TokenClaimMissing", format!("Missing claim in incoming token: {name}"))
}

fn mismatch(name: &str, claim: &Value) -> ApiError {
    let shown = claim.as_str().map_or_else(|| to_js_text(claim), str::to_owned);
    let message = format!("Incoming claim {name}, value {shown} does not match what the invitation expects.");
    ApiError::forbidden("TokenClaimMismatch", message)
}
