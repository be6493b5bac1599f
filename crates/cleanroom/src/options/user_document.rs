//! Options of a document of users: each of its approvers switches them off and on.

use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::Value;

use super::switches::{self, Place, Switches};
use crate::{
    authorise_write,
    evidence::authorise_or_prove,
    party::{Party, stored_approvers},
    stored,
    user_documents::KIND,
};

const SWITCHES: Place =
    Place { table: "public:user_documents_runtime_option_status", list: "serializedApproverToStatusMap" };
const NOT_ACCEPTED: &str = "UserDocumentNotAccepted";

/// `POST /app/contracts/{contractId}/userdocuments/{documentId}/runtimeoptions/{option}/status`
///
/// # Errors
/// As [`crate::authorise`]; without credentials 401 (D12) or 400 `AttestationMissing`; 400
/// `InvalidUserDocumentRuntimeOption` or `ContractIdMismatch`.
pub fn get_document_option(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise_or_prove(tx, caller, input)?;
    let (document, option) = (input.param("documentId"), input.param("option"));
    let Some(accepted) = stored::json(tx, KIND.accepted, document.as_bytes())? else {
        return Ok(Output::json(&switches::disabled(NOT_ACCEPTED, &not_accepted(document))));
    };
    check_option(option)?;
    check_contract(input.param("contractId"), &accepted)?;
    let mut off: Vec<Party> = Switches::read(tx, &SWITCHES, &key(document, option))?.off().collect();
    off.retain(|party| party.is_known(tx));
    let text = format!(
        "UserDocument runtime option '{option}' for document {document} has been disabled by the following approver(s)"
    );
    Ok(Output::json(&switches::answer(&off, "UserDocumentRuntimeOptionDisabled", &text)))
}

/// `POST /app/contracts/{contractId}/userdocuments/{documentId}/runtimeoptions/{option}/enable`
///
/// # Errors
/// As [`authorise_write`]; 400 `UserDocumentNotAccepted` or `ApproversNotFound`, 403 `NotUserDocumentApprover`, 400
/// `InvalidUserDocumentRuntimeOption`.
pub fn enable_document(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    switch(tx, caller, input, true)
}

/// `POST /app/contracts/{contractId}/userdocuments/{documentId}/runtimeoptions/{option}/disable`
///
/// # Errors
/// As [`enable_document`].
pub fn disable_document(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    switch(tx, caller, input, false)
}

fn switch(tx: &mut Tx, caller: &Caller, input: &Input, on: bool) -> Result<Output, ApiError> {
    authorise_write(tx, caller)?;
    let (document, option) = (input.param("documentId"), input.param("option"));
    let Some(accepted) = stored::json(tx, KIND.accepted, document.as_bytes())? else {
        return Err(ApiError::bad_request(NOT_ACCEPTED, not_accepted(document)));
    };
    let (approvers, party) = (stored_approvers(&accepted)?, Party::of(caller));
    if approvers.is_empty() {
        let message = "An accepted UserDocument must have its approvers set.";
        return Err(ApiError::bad_request("ApproversNotFound", message));
    }
    if !approvers.contains(&party) {
        let message = "The caller is not an approver for this UserDocument.";
        return Err(ApiError::forbidden("NotUserDocumentApprover", message));
    }
    check_option(option)?;
    let key = key(document, option);
    let mut switches = Switches::read(tx, &SWITCHES, &key)?;
    switches.set(party, on);
    switches.write(tx, &SWITCHES, &key);
    Ok(Output::empty())
}

/// The key of the switches. No option has an underscore, so the last one parts the two.
fn key(document: &str, option: &str) -> String {
    format!("{document}_{option}")
}

fn not_accepted(document: &str) -> String {
    format!("UserDocument {document} does not exist or has not been accepted.")
}

fn check_option(option: &str) -> Result<(), ApiError> {
    if ["execution", "telemetry"].contains(&option) {
        return Ok(());
    }
    let message = "UserDocument runtime option must be either 'execution' or 'telemetry'.";
    Err(ApiError::bad_request("InvalidUserDocumentRuntimeOption", message))
}

/// The contract of the path, where it has one (D29), must be that of the document.
fn check_contract(asked: &str, accepted: &Value) -> Result<(), ApiError> {
    let contract = accepted.get("contractId").and_then(Value::as_str).unwrap_or_default();
    if contract == asked || asked.is_empty() {
        return Ok(());
    }
    let message = format!(
        "The contractId value specified in the URL {asked} and that in the UserDocument {contract} don't match."
    );
    Err(ApiError::bad_request("ContractIdMismatch", message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{input, member, refused, text, user, world};

    /// A service with document u accepted by a member and a user of the same id, and another user.
    fn with_document() -> Tx {
        let mut tx = world();
        let approver = |id: &str, kind: &str| json!({"approverId": id, "approverIdType": kind});
        let approvers = [approver("active", "member"), approver("active", "user"), approver("u2", "user")];
        tx.put(KIND.accepted, "u", json!({"contractId": "c", "approvers": approvers}).to_string());
        tx.put(KIND.accepted, "none", r#"{"contractId":"c"}"#);
        tx.put("public:ccf.gov.users.certs", "active", "pem");
        tx.put("public:ccf.gov.user_identities", "u2", "{}");
        tx
    }

    fn ask(contract: &str, document: &str, option: &str) -> Input {
        let params = vec![("contractId", contract.into()), ("documentId", document.into()), ("option", option.into())];
        Input { params, ..input("", "", "", b"") }
    }

    fn status(tx: &mut Tx) -> String {
        text(&get_document_option(tx, &member("accepted"), &ask("c", "u", "execution")).unwrap()).to_owned()
    }

    fn off(ids: &str) -> String {
        format!(
            r#"{{"status":"disabled","reason":{{"code":"UserDocumentRuntimeOptionDisabled","message":"UserDocument runtime option 'execution' for document u has been disabled by the following approver(s): m[{ids}]."}}}}"#
        )
    }

    #[test]
    fn d15_each_approver_has_a_switch_whatever_the_id() {
        let mut tx = with_document();
        assert_eq!(status(&mut tx), r#"{"status":"enabled"}"#);
        for caller in [user("active"), member("active")] {
            // The contract of the path is not looked at.
            disable_document(&mut tx, &caller, &ask("other", "u", "execution")).unwrap();
        }
        assert_eq!(status(&mut tx), off("active,active"));
        enable_document(&mut tx, &member("active"), &ask("c", "u", "execution")).unwrap();
        assert_eq!(status(&mut tx), off("active"));
        let other = get_document_option(&mut tx, &member("active"), &ask("c", "u", "telemetry")).unwrap();
        assert_eq!(text(&other), r#"{"status":"enabled"}"#);
    }

    #[test]
    fn d14_switches_of_removed_approvers_do_not_count() {
        let mut tx = with_document();
        for caller in [user("active"), user("u2"), member("active")] {
            disable_document(&mut tx, &caller, &ask("c", "u", "execution")).unwrap();
        }
        tx.remove("public:ccf.gov.users.certs", "active");
        assert_eq!(status(&mut tx), off("u2,active"));
        tx.remove("public:ccf.gov.user_identities", "u2");
        tx.remove("public:ccf.gov.members.info", "active");
        assert_eq!(status(&mut tx), r#"{"status":"enabled"}"#);
    }

    #[test]
    fn refusals_of_switches_come_in_order() {
        let mut tx = with_document();
        for (caller, document, option, status, code) in [
            (member("accepted"), "nope", "nope", 403, "CallerNotAuthorized"),
            (member("active"), "nope", "nope", 400, "UserDocumentNotAccepted"),
            (member("active"), "none", "nope", 400, "ApproversNotFound"),
            (user("other"), "u", "nope", 403, "NotUserDocumentApprover"),
            (member("active"), "u", "logging", 400, "InvalidUserDocumentRuntimeOption"),
        ] {
            let answer = enable_document(&mut tx, &caller, &ask("c", document, option));
            assert_eq!(refused(answer), (status, code), "{code}");
        }
    }

    #[test]
    fn what_is_not_accepted_is_off() {
        let mut tx = with_document();
        let unknown = get_document_option(&mut tx, &member("active"), &ask("c", "nope", "nope")).unwrap();
        assert_eq!(
            text(&unknown),
            r#"{"status":"disabled","reason":{"code":"UserDocumentNotAccepted","message":"UserDocument nope does not exist or has not been accepted."}}"#
        );
        let bad = get_document_option(&mut tx, &member("active"), &ask("other", "u", "nope"));
        assert_eq!(refused(bad), (400, "InvalidUserDocumentRuntimeOption"));
        let error = get_document_option(&mut tx, &member("active"), &ask("a", "u", "execution")).unwrap_err();
        assert_eq!((error.status, error.code), (400, "ContractIdMismatch"));
        assert_eq!(
            error.message,
            "The contractId value specified in the URL a and that in the UserDocument c don't match."
        );
        assert!(get_document_option(&mut tx, &member("active"), &ask("", "u", "execution")).is_ok());
        let anonymous = get_document_option(&mut tx, &Caller::anonymous(), &ask("c", "u", "execution"));
        assert_eq!(refused(anonymous), (400, "AttestationMissing"));
    }
}
