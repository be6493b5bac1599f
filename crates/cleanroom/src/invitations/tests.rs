use super::*;
use crate::testing::{input, member, refused, text, token, user, world};

const OPEN: &str =
    r#"{"invitationId":"i","accountType":"microsoft","claims":{"preferred_username":["a@x.com"]},"status":"Open"}"#;

/// A service with an invitation i for a@x.com.
fn invited() -> Tx {
    let mut tx = world();
    invite(&mut tx, "i", "a@x.com");
    tx
}

fn invite(tx: &mut Tx, id: &str, name: &str) {
    tx.put(INVITATIONS, id.to_owned(), r#"{"accountType":"microsoft"}"#);
    tx.put(&format!("{INVITATIONS}-{id}"), "preferred_username", json!([name]).to_string());
}

fn who(name: &str) -> Caller {
    token(
        &json!({"oid": "u", "tid": "t", "iss": "https://login.microsoftonline.com/t/v2.0", "preferred_username": name}),
    )
}

fn get(tx: &mut Tx, caller: &Caller, id: &str) -> Result<String, ApiError> {
    get_invitation(tx, caller, &input("invitationId", id, "", b"")).map(|output| text(&output).to_owned())
}

fn list(tx: &mut Tx, caller: &Caller) -> String {
    text(&list_invitations(tx, caller, &Input::default()).unwrap()).to_owned()
}

fn accept(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Output, ApiError> {
    accept_invitation(tx, caller, &input("invitationId", id, "", b""))
}

#[test]
fn an_invitation_is_accepted_once_and_then_settled() {
    let mut tx = invited();
    assert_eq!(get(&mut tx, &member("accepted"), "i").unwrap(), OPEN);
    assert_eq!(accept(&mut tx, &who("a@x.com"), "i").unwrap(), Output::empty());
    let accepted =
        OPEN.replace(r#""status":"Open""#, r#""userInfo":{"userId":"u","data":{"tenantId":"t"}},"status":"Accepted""#);
    assert_eq!(get(&mut tx, &member("accepted"), "i").unwrap(), accepted);
    let error = accept(&mut tx, &who("a@x.com"), "i").unwrap_err();
    assert_eq!((error.status, error.code), (409, "InvitationNotOpen"));
    assert_eq!(error.message, "Invitation with ID i is not open. Status is: Accepted");
    tx.put(FINALIZED, "i", "{}");
    assert_eq!(list(&mut tx, &user("u2")), format!(r#"{{"value":[{}]}}"#, accepted.replace("Accepted", "Finalized")));
}

#[test]
fn refusals_come_in_order() {
    let mut tx = invited();
    tx.put(INVITATIONS, "empty", r#"{"accountType":"microsoft"}"#);
    let error = get(&mut tx, &member("active"), "i9").unwrap_err();
    assert_eq!((error.status, error.code), (404, "InvitationNotFound"));
    assert_eq!(error.message, "Invitation with ID i9 not found.");
    let nobody = token(&json!({"tid": "t", "preferred_username": "a@x.com"}));
    let without = token(&json!({"oid": "u", "tid": "t"}));
    for (caller, id, status, code, message) in [
        (&nobody, "i9", 404, "InvitationNotFound", "Invitation with ID i9 not found."),
        (&nobody, "i", 400, "OidClaimMissing", "Incoming token must have oid claim."),
        (
            &without,
            "empty",
            400,
            "InvitationClaimsMissing",
            "The invitation claims is missing. Please update the invitation with a few claims.",
        ),
        (&without, "i", 403, "TokenClaimMissing", "Missing claim in incoming token: preferred_username"),
        (
            &who("b@x.com"),
            "i",
            403,
            "TokenClaimMismatch",
            "Incoming claim preferred_username, value b@x.com does not match what the invitation expects.",
        ),
    ] {
        let error = accept(&mut tx, caller, id).unwrap_err();
        assert_eq!((error.status, error.code, error.message.as_str()), (status, code, message));
    }
}

#[test]
fn d11_strangers_see_only_invitations_that_they_satisfy() {
    let mut tx = invited();
    invite(&mut tx, "other", "b@x.com");
    assert_eq!(list(&mut tx, &who("a@x.com")), format!(r#"{{"value":[{OPEN}]}}"#));
    assert_eq!(get(&mut tx, &who("a@x.com"), "i").unwrap(), OPEN);
    assert_eq!(list(&mut tx, &who("c@x.com")), r#"{"value":[]}"#);
    // Whether there is an invitation is not told either.
    for id in ["other", "i9"] {
        let error = get(&mut tx, &who("a@x.com"), id).unwrap_err();
        assert_eq!((error.status, error.code), (403, "CallerNotAuthorized"), "{id}");
        assert_eq!(error.message, "User u is not authorized to invoke this endpoint.");
    }
    assert_eq!(refused(list_invitations(&mut tx, &token(&json!({})), &Input::default())), (400, "OidClaimMissing"));
    tx.put("public:ccf.gov.user_identities", "u", r#"{"data":{"tenantId":"t"}}"#);
    assert!(get(&mut tx, &who("c@x.com"), "other").is_ok());
}

#[test]
fn d11_the_refusal_does_not_tell_what_would_do() {
    let error = accept(&mut invited(), &who("b@x.com"), "i").unwrap_err();
    assert!(!error.message.contains("a@x.com"), "{error}");
}

#[test]
fn d11_the_account_must_be_of_the_kind_that_is_invited() {
    let mut tx = invited();
    let mut foreign = who("a@x.com");
    foreign.token.as_mut().unwrap().of_entra = false;
    assert_eq!(refused(accept(&mut tx, &foreign, "i")), (403, "TokenClaimMismatch"));
    assert_eq!(refused(get(&mut tx, &foreign, "i")), (403, "CallerNotAuthorized"));
    tx.put(INVITATIONS, "i", r#"{"accountType":"other"}"#);
    assert_eq!(refused(accept(&mut tx, &who("a@x.com"), "i")), (403, "TokenClaimMismatch"));
}

#[test]
fn first_versions_of_tokens_call_the_user_upn() {
    let claims = |version: &str| json!({"oid": "u", "tid": "t", "ver": version, "upn": "a@x.com"});
    assert!(accept(&mut invited(), &token(&claims("1.0")), "i").is_ok());
    let error = accept(&mut invited(), &token(&claims("2.0")), "i").unwrap_err();
    assert_eq!(error.message, "Missing claim in incoming token: preferred_username");
    let error = accept(&mut invited(), &token(&json!({"oid": "u", "ver": "1.0"})), "i").unwrap_err();
    assert_eq!(error.message, "Missing claim in incoming token: upn");
}

#[test]
fn every_claim_needs_one_of_its_values() {
    let mut tx = invited();
    tx.put(&format!("{INVITATIONS}-i"), "tid", r#"["t1","t",5]"#);
    assert!(accept(&mut tx.clone(), &who("a@x.com"), "i").is_ok());
    for (tid, good) in [(json!(5.0), true), (json!("5"), false), (json!(["t"]), false), (json!("t2"), false)] {
        let caller = token(&json!({"oid": "u", "preferred_username": "a@x.com", "tid": tid}));
        assert_eq!(accept(&mut tx.clone(), &caller, "i").is_ok(), good, "{tid}");
    }
}
