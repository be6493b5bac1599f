//! Users, as governance shows them.

use api::{ApiError, Output};
use kv::Tx;
use ledger::tables;
use serde_json::{Value, json};

use crate::{ids, json::answer, stored};

/// `GET /gov/service/users`
///
/// # Errors
/// 500 if a record is damaged.
pub fn list(tx: &mut Tx) -> Result<Output, ApiError> {
    let mut users = Vec::new();
    for (id, certificate) in tx.entries(tables::USERS_CERTS) {
        users.push(describe(tx, &stored::lossy(&id), &stored::lossy(&certificate))?);
    }
    Ok(answer(&json!({ "value": users })))
}

/// `GET /gov/service/users/{userId}`
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ResourceNotFound`.
pub fn read(tx: &mut Tx, user_id: &str) -> Result<Output, ApiError> {
    ids::check("user", user_id)?;
    let Some(certificate) = stored::text(tx, tables::USERS_CERTS, user_id.as_bytes()) else {
        return Err(ApiError::not_found("ResourceNotFound", format!("User u[{user_id}] does not exist.")));
    };
    Ok(answer(&describe(tx, user_id, &certificate)?))
}

/// `userData` is the whole record, `{"user_data":…}`, as the reference has it.
fn describe(tx: &mut Tx, id: &str, certificate: &str) -> Result<Value, ApiError> {
    let data: Option<Value> = stored::json(tx, tables::USERS_INFO, id.as_bytes())?;
    Ok(json!({ "certificate": certificate, "userData": data, "userId": id }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Consortium, body};

    #[test]
    fn users_are_shown_with_their_record() {
        let mut tx = Consortium::accepted(1).tx();
        let id = "ab".repeat(32);
        tx.put(tables::USERS_CERTS, id.clone(), "PEM");
        assert_eq!(body(&read(&mut tx, &id).unwrap()), json!({"certificate": "PEM", "userData": null, "userId": id}));
        tx.put(tables::USERS_INFO, id.clone(), r#"{"user_data":{"a":1}}"#);
        assert_eq!(body(&list(&mut tx).unwrap())["value"][0]["userData"], json!({"user_data": {"a": 1}}));
        assert_eq!(read(&mut tx, &"0".repeat(64)).unwrap_err().status, 404);
        assert_eq!(read(&mut tx, "x").unwrap_err().message, "'x' is not a valid hex-encoded user ID");
    }
}
