//! Users who sign in with tokens: which identities the consortium has registered.

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::{Value, json};

use crate::{USER_IDENTITIES, authorise, drafts::View, stored};

/// `GET /app/users/identities`: all of them.
///
/// # Errors
/// As [`authorise`].
pub fn list_identities(tx: &mut Tx, caller: &Caller, _: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let mut value = Vec::new();
    for (id, record) in tx.entries(USER_IDENTITIES) {
        value.push(view(&stored::lossy(&id), &stored::parse(USER_IDENTITIES, &record)?));
    }
    Ok(Output::json(&json!({ "value": value })))
}

/// `POST /app/users/identities/{identityId}`: one of them.
///
/// # Errors
/// As [`authorise`]; 404 `UserIdentityNotFound`.
pub fn get_identity(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let id = input.param("identityId");
    let record = stored::json(tx, USER_IDENTITIES, id.as_bytes())?;
    record
        .map(|record| Output::json(&view(id, &record)))
        .ok_or_else(|| ApiError::not_found("UserIdentityNotFound", format!("User identity with ID {id} not found.")))
}

/// `POST /app/users/identities/self/status`: whether the caller is a user.
///
/// # Errors
/// As [`authorise`], which is how one learns that one is not.
pub fn get_own_status(tx: &mut Tx, caller: &Caller, _: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    Ok(Output::json(&json!({ "active": true })))
}

fn view(id: &str, record: &Value) -> Value {
    View::of(id).copy(record, &["accountType", "invitationId", "data"]).value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{input, member, refused, text, token, world};

    #[test]
    fn identities_are_shown_to_whoever_is_known() {
        let mut tx = world();
        let list = |tx: &mut Tx| {
            let output = list_identities(tx, &member("accepted"), &Input::default()).unwrap();
            text(&output).to_owned()
        };
        assert_eq!(list(&mut tx), r#"{"value":[]}"#);
        tx.put(USER_IDENTITIES, "u1", r#"{"accountType":"microsoft","invitationId":"i","data":{"tenantId":"t"}}"#);
        tx.put(USER_IDENTITIES, "u2", r#"{"accountType":"microsoft","data":{"tenantId":"t"}}"#);
        let (one, two) = (
            r#"{"id":"u1","accountType":"microsoft","invitationId":"i","data":{"tenantId":"t"}}"#,
            r#"{"id":"u2","accountType":"microsoft","data":{"tenantId":"t"}}"#,
        );
        assert_eq!(list(&mut tx), format!(r#"{{"value":[{one},{two}]}}"#));
        let mut get = |caller, id| get_identity(&mut tx, &caller, &input("identityId", id, "", b""));
        assert_eq!(text(&get(member("accepted"), "u1").unwrap()), one);
        let error = get(token(&json!({"oid": "u1", "tid": "t"})), "u9").unwrap_err();
        assert_eq!((error.status, error.code), (404, "UserIdentityNotFound"));
        assert_eq!(error.message, "User identity with ID u9 not found.");
        assert_eq!(refused(get(token(&json!({"oid": "u9", "tid": "t"})), "u1")), (403, "CallerNotAuthorized"));
    }

    #[test]
    fn a_user_learns_whether_it_is_one() {
        let mut tx = world();
        let caller = token(&json!({"oid": "u1", "tid": "t"}));
        assert_eq!(refused(get_own_status(&mut tx, &caller, &Input::default())), (403, "CallerNotAuthorized"));
        tx.put(USER_IDENTITIES, "u1", r#"{"data":{"tenantId":"t"}}"#);
        assert_eq!(text(&get_own_status(&mut tx, &caller, &Input::default()).unwrap()), r#"{"active":true}"#);
    }
}
