//! Secrets: stored by members, users and clean rooms, listed by name, released to clean rooms only.
//!
//! The id of a secret is that of its owner, an underscore, and its name. Clients store before there is a contract, so none
//! is needed (D26).

use api::{ApiError, Caller, CallerPolicy, Input, Output, is_truthy, to_js_text};
use kv::Tx;
use serde_json::{Value, json};

use crate::{authorise, authorise_write, body, evidence::prove, stored};

/// The longest secret, in UTF-16 units (CGS).
const MAX_UNITS: usize = 25_600;
/// The owner of the secrets that clean rooms store.
const CLEAN_ROOM: &str = "cleanroom";

/// `PUT /app/contracts/{contractId}/secrets/{secretName}`: stores a secret, or another value for it.
///
/// # Errors
/// As [`authorise_write`]; without credentials 401 (D12) or 400 `AttestationMissing`; 403 `SecretOwnerNotSupported` (D9),
/// 400 `InvalidInput` (D4), `ValueMissing` (D26) or `ValueTooLarge`.
pub fn put_secret(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    if caller.policy == CallerPolicy::NoAuth {
        prove(caller, input)?;
    }
    authorise_write(tx, caller)?;
    let owner = owner(caller)?;
    let body = body::read(input)?;
    let value = value(body.get("value"))?;
    let id = format!("{owner}_{}", input.param("secretName"));
    tx.put(&table(input.param("contractId")), id.clone(), to_js_text(&json!({ "value": value })));
    Ok(Output::json(&json!({ "secretId": id })))
}

/// `GET /app/contracts/{contractId}/secrets`: the ids of the secrets of a contract.
///
/// # Errors
/// As [`authorise`].
pub fn list_secrets(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let secrets = tx.entries(&table(input.param("contractId")));
    let value: Value = secrets.iter().map(|(id, _)| json!({ "secretId": stored::lossy(id) })).collect();
    Ok(Output::json(&json!({ "value": value })))
}

/// The private table of the secrets of a contract. What follows the prefix is the whole id of the contract, and the key is
/// the whole id of the secret, so no two secrets meet in one place (D9).
fn table(contract: &str) -> String {
    format!("secrets-{contract}")
}

/// The id that the ids of a caller's secrets begin with. An issuer of tokens chooses the ids of its users, and those that
/// would begin like the secrets of somebody else are refused (D9, D15).
fn owner(caller: &Caller) -> Result<&str, ApiError> {
    let id = caller.id.as_str();
    let like_a_fingerprint = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if caller.policy != CallerPolicy::Jwt || !(id.contains('_') || id == CLEAN_ROOM || like_a_fingerprint) {
        return Ok(id);
    }
    let message = format!(
        "User {id} cannot have secrets: its id has an underscore, or could be taken for that of a certificate or a clean \
         room."
    );
    Err(ApiError::forbidden("SecretOwnerNotSupported", message))
}

fn value(value: Option<&Value>) -> Result<&str, ApiError> {
    let missing = |message: &str| ApiError::bad_request("ValueMissing", message);
    let given = value.filter(|value| is_truthy(value)).ok_or_else(|| missing("Value must be supplied."))?;
    let text = given.as_str().ok_or_else(|| missing("Value must be supplied as a string, in the member value."))?;
    let units = text.encode_utf16().count();
    if units <= MAX_UNITS {
        return Ok(text);
    }
    let message = format!("Length of the value should not exceed {MAX_UNITS} characters. Input is {units} characters.");
    Err(ApiError::bad_request("ValueTooLarge", message))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{input, member, refused, text, token, user, world};

    fn request(contract: &str, name: &str, body: &str) -> Input {
        let params = vec![("contractId", contract.into()), ("secretName", name.into())];
        Input { params, ..input("", "", "", body.as_bytes()) }
    }

    fn put(tx: &mut Tx, caller: &Caller, name: &str, body: &str) -> Result<String, ApiError> {
        put_secret(tx, caller, &request("c", name, body)).map(|output| text(&output).to_owned())
    }

    fn list(tx: &mut Tx, contract: &str) -> String {
        text(&list_secrets(tx, &member("accepted"), &request(contract, "", "")).unwrap()).to_owned()
    }

    #[test]
    fn secrets_are_listed_by_id_and_kept_in_private() {
        let mut tx = world();
        assert_eq!(list(&mut tx, "c"), r#"{"value":[]}"#);
        let stored = put(&mut tx, &member("active"), "s1", r#"{"value":"very secret"}"#).unwrap();
        assert_eq!(stored, r#"{"secretId":"active_s1"}"#);
        put(&mut tx, &user("u1"), "s1", r#"{"value":"another"}"#).unwrap();
        put(&mut tx, &user("u1"), "s1", r#"{"value":"overwritten"}"#).unwrap();
        assert_eq!(list(&mut tx, "c"), r#"{"value":[{"secretId":"active_s1"},{"secretId":"u1_s1"}]}"#);
        assert_eq!(list(&mut tx, "other"), r#"{"value":[]}"#);
        assert_eq!(tx.get("secrets-c", b"u1_s1").unwrap(), r#"{"value":"overwritten"}"#);
        let maps: Vec<&str> = tx.writes().maps().map(|(map, _)| map).collect();
        assert_eq!(maps, ["secrets-c"]);
    }

    #[test]
    fn d26_a_secret_is_a_string() {
        for (body, code, named) in [
            ("", "InvalidInput", "body"),
            ("{}", "ValueMissing", "Value must be supplied."),
            (r#"{"value":""}"#, "ValueMissing", "Value must be supplied."),
            (r#"{"value":{"a":1}}"#, "ValueMissing", "value"),
            (r#"{"value":5}"#, "ValueMissing", "value"),
        ] {
            let error = put(&mut world(), &member("active"), "s", body).unwrap_err();
            assert_eq!((error.status, error.code), (400, code), "{body}");
            assert!(error.message.contains(named), "{error}");
        }
        let long = |text: &str, times: usize| format!(r#"{{"value":"{}"}}"#, text.repeat(times));
        let error = put(&mut world(), &member("active"), "s", &long("x", MAX_UNITS + 1)).unwrap_err();
        assert_eq!((error.status, error.code), (400, "ValueTooLarge"));
        assert_eq!(error.message, "Length of the value should not exceed 25600 characters. Input is 25601 characters.");
        assert!(put(&mut world(), &member("active"), "s", &long("é", MAX_UNITS)).is_ok());
        assert_eq!(refused(put(&mut world(), &member("active"), "s", &long("😀", 12_801))).1, "ValueTooLarge");
    }

    #[test]
    fn d17_accepted_members_store_nothing() {
        let answer = put(&mut world(), &member("accepted"), "s", r#"{"value":"x"}"#);
        assert_eq!(refused(answer), (403, "CallerNotAuthorized"));
    }

    #[test]
    fn d12_a_clean_room_shows_evidence() {
        assert_eq!(refused(put(&mut world(), &Caller::anonymous(), "s", "{}")), (400, "AttestationMissing"));
    }

    #[test]
    fn d09_no_user_of_a_token_has_secrets_that_look_like_those_of_others() {
        let mut tx = world();
        let fingerprint = "a".repeat(64);
        let ids = ["cleanroom", "cleanroom_x", "a_b", fingerprint.as_str()];
        for id in ids.into_iter().chain(["0d9b2f2e-1111-4c2c-8e0b-2a1f3c4d5e6f"]) {
            tx.put("public:ccf.gov.user_identities", id.to_owned(), r#"{"data":{"tenantId":"t"}}"#);
        }
        let mut by = |id: &str| put(&mut tx, &token(&json!({"oid": id, "tid": "t"})), "s", r#"{"value":"x"}"#);
        for id in ids {
            assert_eq!(refused(by(id)), (403, "SecretOwnerNotSupported"), "{id}");
        }
        let stored = by("0d9b2f2e-1111-4c2c-8e0b-2a1f3c4d5e6f").unwrap();
        assert_eq!(stored, r#"{"secretId":"0d9b2f2e-1111-4c2c-8e0b-2a1f3c4d5e6f_s"}"#);
    }

    proptest! {
        #[test]
        fn d09_different_secrets_have_different_places(
            one in ("[a-c_-]{0,4}", "[a-c]{1,2}", "[a-c_-]{0,4}"),
            two in ("[a-c_-]{0,4}", "[a-c]{1,2}", "[a-c_-]{0,4}"),
        ) {
            let place = |(contract, owner, name): &(String, String, String)| (table(contract), format!("{owner}_{name}"));
            prop_assert_eq!(place(&one) == place(&two), one == two);
        }
    }
}
