use api::{ApiError, Caller, CallerPolicy};
use kv::Tx;
use serde_json::Value;

use crate::{MEMBERS_INFO, USER_IDENTITIES, stored};

/// Checks that an authenticated caller may read: members in any status (D17) and users with a certificate may; whoever
/// comes with a token must be registered, with the tenant of the token.
///
/// # Errors
/// 400 `OidClaimMissing` (D4), 403 `CallerNotAuthorized` or `CallerTenantNotAuthorized`, 400
/// `UnknownAuthenticationPolicy`.
pub fn authorise(tx: &mut Tx, caller: &Caller) -> Result<(), ApiError> {
    match caller.policy {
        CallerPolicy::MemberCert | CallerPolicy::UserCert => Ok(()),
        CallerPolicy::Jwt => authorise_token(tx, caller),
        other => {
            let message = format!("Validation for {} is not supported.", name(other));
            Err(ApiError::bad_request("UnknownAuthenticationPolicy", message))
        }
    }
}

/// Checks that a member is Active, which whoever writes must be (D17).
///
/// # Errors
/// 403 `CallerNotAuthorized` that says what the member has to do first.
pub fn require_active_member(tx: &mut Tx, caller: &Caller) -> Result<(), ApiError> {
    let info = stored::json(tx, MEMBERS_INFO, caller.id.as_bytes())?;
    let status = info.as_ref().and_then(|info| info.get("status")?.as_str());
    if caller.policy == CallerPolicy::MemberCert && status == Some("Active") {
        return Ok(());
    }
    let message = match status {
        Some(status) if caller.policy == CallerPolicy::MemberCert => format!(
            "Member {} has status {status}: it may read, but only change something once it has acknowledged the state \
             of the service and is Active.",
            caller.id
        ),
        _ => format!("{} is not a member of the consortium.", caller.id),
    };
    Err(ApiError::forbidden("CallerNotAuthorized", message))
}

/// Checks that a caller may write: as [`authorise`], and a member must be Active (D17).
///
/// # Errors
/// As [`authorise`] and [`require_active_member`].
pub fn authorise_write(tx: &mut Tx, caller: &Caller) -> Result<(), ApiError> {
    match caller.policy {
        CallerPolicy::MemberCert => require_active_member(tx, caller),
        _ => authorise(tx, caller),
    }
}

fn authorise_token(tx: &mut Tx, caller: &Caller) -> Result<(), ApiError> {
    let claim = |name: &str| caller.claim(name).map(text);
    let Some(oid) = caller.claim("oid").and_then(Value::as_str).filter(|oid| !oid.is_empty()) else {
        let message = "OID claim is not present in the JWT token. Cannot get caller ID.";
        return Err(ApiError::bad_request("OidClaimMissing", message));
    };
    let Some(identity) = stored::json(tx, USER_IDENTITIES, oid.as_bytes())? else {
        let message = format!("User {oid} is not authorized to invoke this endpoint.");
        return Err(ApiError::forbidden("CallerNotAuthorized", message));
    };
    let expected = identity.get("data").and_then(|data| data.get("tenantId")).map(text);
    let tenant = claim("tid");
    if tenant == expected {
        return Ok(());
    }
    let shown = |value: Option<String>| value.unwrap_or_else(|| "undefined".into());
    let message = format!(
        "Tenant {} is not authorized to invoke this endpoint. Expected tenant ID is {}.",
        shown(tenant),
        shown(expected)
    );
    Err(ApiError::forbidden("CallerTenantNotAuthorized", message))
}

/// A claim as text, so that a number and its digits are the same.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn name(policy: CallerPolicy) -> &'static str {
    match policy {
        CallerPolicy::MemberCert => "member_cert",
        CallerPolicy::UserCert => "user_cert",
        CallerPolicy::Jwt => "jwt",
        CallerPolicy::MemberCoseSign1 => "member_cose_sign1",
        CallerPolicy::NoAuth => "no_auth",
    }
}

#[cfg(test)]
mod tests {
    use kv::State;
    use serde_json::json;

    use super::*;
    use crate::testing::{member, token, world};

    #[test]
    fn d17_accepted_members_read_and_active_ones_write() {
        let mut tx = world();
        for id in ["active", "accepted"] {
            assert_eq!(authorise(&mut tx, &member(id)), Ok(()));
        }
        assert_eq!(require_active_member(&mut tx, &member("active")), Ok(()));
        let error = require_active_member(&mut tx, &member("accepted")).unwrap_err();
        assert_eq!((error.status, error.code), (403, "CallerNotAuthorized"));
        assert!(error.message.contains("status Accepted"), "{error}");
        assert_eq!(require_active_member(&mut tx, &member("removed")).unwrap_err().status, 403);
        let user = Caller::identified(CallerPolicy::UserCert, "active");
        assert_eq!(require_active_member(&mut tx, &user).unwrap_err().status, 403);
        assert_eq!(authorise(&mut tx, &user), Ok(()));
        assert_eq!(authorise_write(&mut tx, &user), Ok(()));
        assert_eq!(authorise_write(&mut tx, &member("active")), Ok(()));
        assert_eq!(authorise_write(&mut tx, &member("accepted")).unwrap_err().status, 403);
    }

    #[test]
    fn tokens_must_be_of_registered_users_of_their_tenant() {
        let mut tx = Tx::new(State::default());
        tx.put(USER_IDENTITIES, "u1", r#"{"accountType":"microsoft","data":{"tenantId":"t1"}}"#);
        assert_eq!(authorise(&mut tx, &token(&json!({"oid": "u1", "tid": "t1"}))), Ok(()));
        for (claims, status, message) in [
            (json!({"oid": 1}), 400, "OID claim is not present in the JWT token. Cannot get caller ID."),
            (json!({}), 400, "OID claim is not present in the JWT token. Cannot get caller ID."),
            (json!({"oid": "u2"}), 403, "User u2 is not authorized to invoke this endpoint."),
            (
                json!({"oid": "u1", "tid": "t2"}),
                403,
                "Tenant t2 is not authorized to invoke this endpoint. Expected tenant ID is t1.",
            ),
            (
                json!({"oid": "u1"}),
                403,
                "Tenant undefined is not authorized to invoke this endpoint. Expected tenant ID is t1.",
            ),
        ] {
            let error = authorise(&mut tx, &token(&claims)).unwrap_err();
            assert_eq!((error.status, error.message.as_str()), (status, message));
        }
    }

    #[test]
    fn whoever_proved_nothing_is_refused() {
        let error = authorise(&mut Tx::new(State::default()), &Caller::anonymous()).unwrap_err();
        assert_eq!(error.message, "Validation for no_auth is not supported.");
    }
}
