//! What clean rooms show of themselves, on routes that members and users call as well.

use api::{ApiError, Caller, CallerPolicy, Input};
use kv::Tx;
use serde_json::Value;

use crate::{authorise, body};

/// Checks that whoever asks is a member, a registered user, or a clean room with evidence.
///
/// # Errors
/// As [`authorise`] for whoever has credentials, as [`prove`] for others.
pub(crate) fn authorise_or_prove(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<(), ApiError> {
    if caller.policy == CallerPolicy::NoAuth { prove(caller, input) } else { authorise(tx, caller) }
}

/// Checks that a caller without credentials is a clean room. It is the one place that takes evidence on these routes; the
/// evidence is not verified yet, and what is not verified proves nothing.
///
/// # Errors
/// As [`sent`]; 400 `VerifySnpAttestationFailed`.
pub(crate) fn prove(caller: &Caller, input: &Input) -> Result<(), ApiError> {
    sent(caller, input)?;
    let message = "This version of the service does not verify the evidence of clean rooms. Ask as a member or a user.";
    Err(ApiError::bad_request("VerifySnpAttestationFailed", message))
}

/// The body of a request, if it has evidence.
///
/// # Errors
/// Without evidence: 401 for a caller whose credentials prove nothing (D12), 400 `AttestationMissing` or `InvalidInput` for
/// one who has none.
fn sent(caller: &Caller, input: &Input) -> Result<Value, ApiError> {
    let body = if input.body.is_empty() { Ok(Value::Null) } else { input.json() };
    match (body, &caller.refused) {
        (Ok(body), _) if body::given(&body, "attestation").is_some() => Ok(body),
        (_, Some(refused)) => Err((**refused).clone()),
        (Err(why), None) => Err(why),
        (Ok(_), None) => Err(ApiError::bad_request("AttestationMissing", "Attestation payload must be supplied.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{input, refused};

    fn asked(caller: &Caller, body: &str) -> (u16, &'static str) {
        refused(prove(caller, &input("", "", "", body.as_bytes())))
    }

    #[test]
    fn who_shows_nothing_is_asked_for_evidence() {
        for body in ["", "null", "{}", "5", r#"{"attestation":""}"#, r#"{"attestation":null}"#] {
            assert_eq!(asked(&Caller::anonymous(), body), (400, "AttestationMissing"), "{body}");
        }
        assert_eq!(asked(&Caller::anonymous(), "{not json"), (400, "InvalidInput"));
    }

    #[test]
    fn d12_bad_credentials_without_evidence_are_told_so() {
        let why = ApiError::new(401, "InvalidAuthenticationInfo", "Invalid authentication credentials.");
        let caller = Caller { refused: Some(Box::new(why)), ..Caller::anonymous() };
        for body in ["", "{}", "{not json"] {
            assert_eq!(asked(&caller, body), (401, "InvalidAuthenticationInfo"), "{body}");
        }
        assert_eq!(asked(&caller, r#"{"attestation":{}}"#), (400, "VerifySnpAttestationFailed"));
    }
}
