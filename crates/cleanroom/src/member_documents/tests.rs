use super::*;
use crate::stored;
use crate::testing::{commit, input, member, propose, refused, text, user, with_contract};

fn put(tx: &mut Tx, id: &str, payload: &str) -> Result<Output, ApiError> {
    put_document(tx, &member("active"), &input("documentId", id, "", payload.as_bytes()))
}

fn get(tx: &mut Tx, id: &str) -> Result<String, ApiError> {
    get_document(tx, &member("accepted"), &input("documentId", id, "", b"")).map(|output| text(&output).to_owned())
}

fn set_document(id: &str) -> String {
    let document = json!({"id": id, "version": "2.3", "contractId": "c", "data": "x"});
    json!({"actions": [{"name": "set_member_document", "args": {"documentId": id, "document": document}}]}).to_string()
}

#[test]
fn a_draft_becomes_proposed_and_accepted() {
    let mut tx = with_contract();
    assert_eq!(put(&mut tx, "d", r#"{"contractId":"c","data":"x"}"#).unwrap(), Output::empty());
    let mut tx = commit(tx);
    assert_eq!(
        get(&mut tx, "d").unwrap(),
        r#"{"id":"d","state":"Draft","version":"2.3","contractId":"c","data":"x","proposalId":""}"#
    );
    propose(&mut tx, "p", "Open", &set_document("d"));
    assert_eq!(
        get(&mut tx, "d").unwrap(),
        r#"{"id":"d","state":"Proposed","contractId":"c","data":"x","version":"2.3","proposalId":"p"}"#
    );
    let record = r#"{"data":"x","contractId":"c","proposalId":"p","finalVotes":{"m2":true,"m1":true}}"#;
    tx.put(KIND.accepted, "d", record);
    let mut tx = commit(tx);
    assert_eq!(
        get(&mut tx, "d").unwrap(),
        r#"{"id":"d","version":"2.4","state":"Accepted","contractId":"c","data":"x","proposalId":"p","finalVotes":[{"memberId":"m1","vote":true},{"memberId":"m2","vote":true}]}"#
    );
    let error = put(&mut tx, "d", "not even json").unwrap_err();
    assert_eq!((error.status, error.code), (405, "DocumentAlreadyAccepted"));
    assert_eq!(error.message, "An accepted document cannot be changed.");
}

#[test]
fn refusals_come_in_order() {
    for (payload, status, code, message) in [
        ("null", 400, "InvalidInput", "The request body must be a JSON object, but is null."),
        (r#"{"data":""}"#, 400, "ContractIdMissing", "ContractId must be specified in document payload."),
        (r#"{"contractId":"zzz"}"#, 400, "DataMissing", "data key must be present in document payload."),
        (r#"{"contractId":5,"data":1}"#, 400, "InvalidInput", "contractId must be a string."),
        (
            r#"{"contractId":"zzz","data":1}"#,
            404,
            "ContractNotFound",
            "A contract with the specified id was not found.",
        ),
    ] {
        let error = put(&mut with_contract(), "d", payload).unwrap_err();
        assert_eq!((error.status, error.code, error.message.as_str()), (status, code, message), "{payload}");
    }
    let error = get(&mut with_contract(), "d").unwrap_err();
    assert_eq!((error.status, error.code), (404, "DocumentNotFound"));
    assert_eq!(error.message, "A document with the specified id was not found.");
}

#[test]
fn a_change_names_the_version_that_it_replaces() {
    let mut tx = with_contract();
    put(&mut tx, "d", r#"{"contractId":"c","data":"x","version":"9.9"}"#).unwrap();
    let mut tx = commit(tx);
    let mut again = |version: &str| put(&mut tx, "d", &format!(r#"{{"contractId":"c","data":"y"{version}}}"#));
    let error = again("").unwrap_err();
    assert_eq!((error.status, error.code), (409, "DocumentAlreadyExists"));
    assert!(error.message.starts_with("The specified document already exists. If the intent was to update the"));
    assert_eq!(refused(again(r#","version":"1.1""#)), (412, "PreconditionFailed"));
    assert!(again(r#","version":"2.3""#).is_ok());
}

#[test]
fn all_documents_are_listed_by_id() {
    let mut tx = with_contract();
    let list = |tx: &mut Tx| {
        let output = list_documents(tx, &member("accepted"), &input("contractId", "whatever", "", b"")).unwrap();
        text(&output).to_owned()
    };
    assert_eq!(list(&mut tx), "[]");
    put(&mut tx, "d1", r#"{"contractId":"c","data":"x"}"#).unwrap();
    tx.put(KIND.accepted, "d1", "{}");
    tx.put(KIND.accepted, "never-drafted", "{}");
    assert_eq!(list(&mut tx), r#"[{"id":"d1"},{"id":"never-drafted"}]"#);
}

#[test]
fn d13_the_author_of_every_draft_is_recorded() {
    let mut tx = with_contract();
    put(&mut tx, "d", r#"{"contractId":"c","data":"x"}"#).unwrap();
    let author = stored::json(&mut tx, KIND.authors, b"d").unwrap();
    assert_eq!(author, Some(json!({"id": "active", "idType": "member"})));
}

#[test]
fn d17_only_active_members_write() {
    for caller in [member("accepted"), user("active")] {
        let input = input("documentId", "d", "", br#"{"contractId":"c","data":"x"}"#);
        assert_eq!(refused(put_document(&mut with_contract(), &caller, &input)), (403, "CallerNotAuthorized"));
    }
}

#[test]
fn d37_a_proposed_document_without_content_is_still_readable() {
    let mut tx = with_contract();
    let action = r#"{"actions":[{"name":"set_member_document","args":{"documentId":"d","document":null}}]}"#;
    propose(&mut tx, "p", "Open", action);
    assert_eq!(get(&mut tx, "d").unwrap(), r#"{"id":"d","state":"Proposed","proposalId":"p"}"#);
}
