use super::*;
use crate::testing::{body, commit, input, member, refused, text, token, user, with_contract};

const DRAFT: &str = r#"{"contractId":"c","data":"x","labels":{"type":"ds"},"approvers":[{"approverId":"active","approverIdType":"member"}]}"#;

fn put(tx: &mut Tx, id: &str, payload: &str) -> Result<Output, ApiError> {
    put_document(tx, &member("active"), &input("documentId", id, "", payload.as_bytes()))
}

fn get(tx: &mut Tx, id: &str) -> Result<String, ApiError> {
    get_document(tx, &member("accepted"), &input("documentId", id, "", b"")).map(|output| text(&output).to_owned())
}

fn list(tx: &mut Tx, query: &str) -> Result<Value, ApiError> {
    Ok(body(&list_documents(tx, &member("accepted"), &input("", "", query, b""))?)["value"].take())
}

#[test]
fn a_draft_is_read_as_it_was_written() {
    let mut tx = with_contract();
    assert_eq!(put(&mut tx, "u", DRAFT).unwrap(), Output::empty());
    put(&mut tx, "plain", r#"{"contractId":"c","data":"x"}"#).unwrap();
    put(&mut tx, "nulls", r#"{"contractId":"c","data":"x","labels":null,"approvers":null}"#).unwrap();
    let mut tx = commit(tx);
    assert_eq!(
        get(&mut tx, "u").unwrap(),
        r#"{"id":"u","state":"Draft","version":"2.3","contractId":"c","data":"x","labels":{"type":"ds"},"approvers":[{"approverId":"active","approverIdType":"member"}],"proposalId":"","proposerId":""}"#
    );
    assert_eq!(
        get(&mut tx, "plain").unwrap(),
        r#"{"id":"plain","state":"Draft","version":"2.3","contractId":"c","data":"x","proposalId":"","proposerId":""}"#
    );
    assert!(get(&mut tx, "nulls").unwrap().contains(r#""labels":null,"approvers":null"#));
}

#[test]
fn refusals_come_in_order() {
    let approver = |entry: &str| format!(r#"{{"contractId":"c","data":1,"approvers":[{entry}]}}"#);
    let form = "approvers[0] must have an approverId, and an approverIdType that is either 'member' or 'user'.";
    for (payload, status, code, message) in [
        ("null".to_owned(), 400, "InvalidInput", "The request body must be a JSON object, but is null."),
        (r#"{"data":0}"#.into(), 400, "ContractIdMissing", "ContractId must be specified in UserDocument payload."),
        (r#"{"contractId":"zz"}"#.into(), 400, "DataMissing", "data key must be present in UserDocument payload."),
        (
            r#"{"contractId":"zz","data":1,"labels":5}"#.into(),
            404,
            "ContractNotFound",
            "A contract with the specified id was not found.",
        ),
        (
            r#"{"contractId":"c","data":1,"labels":"notamap"}"#.into(),
            400,
            "InvalidInput",
            "labels must be an object of names and values.",
        ),
        (r#"{"contractId":"c","data":1,"approvers":"a"}"#.into(), 400, "InvalidInput", "approvers must be a list."),
        (approver("{}"), 400, "InvalidInput", form),
        (approver(r#"{"approverId":"","approverIdType":"user"}"#), 400, "InvalidInput", form),
    ] {
        let error = put(&mut with_contract(), "u", &payload).unwrap_err();
        assert_eq!((error.status, error.code, error.message.as_str()), (status, code, message), "{payload}");
    }
    let error = get(&mut with_contract(), "u").unwrap_err();
    assert_eq!((error.status, error.code), (404, "UserDocumentNotFound"));
}

#[test]
fn an_accepted_document_does_not_change() {
    let mut tx = with_contract();
    let record = r#"{"contractId":"c","data":"x","labels":{"a":"b"},"proposalId":"p","proposerId":"m","approvers":[],"finalVotes":[{"approverId":"m","ballot":"accepted"}]}"#;
    tx.put(KIND.accepted, "u", record);
    let mut tx = commit(tx);
    assert_eq!(
        get(&mut tx, "u").unwrap(),
        r#"{"id":"u","version":"2.3","state":"Accepted","contractId":"c","approvers":[],"data":"x","labels":{"a":"b"},"proposalId":"p","proposerId":"m","finalVotes":[{"approverId":"m","ballot":"accepted"}]}"#
    );
    let error = put(&mut tx, "u", "").unwrap_err();
    assert_eq!((error.status, error.code), (405, "UserDocumentAlreadyAccepted"));
    assert_eq!(error.message, "The specified document has already been accepted.");
}

#[test]
fn a_change_names_the_version_that_it_replaces() {
    let mut tx = with_contract();
    put(&mut tx, "u", DRAFT).unwrap();
    let mut tx = commit(tx);
    let error = put(&mut tx, "u", DRAFT).unwrap_err();
    assert_eq!((error.status, error.code), (409, "UserDocumentAlreadyExists"));
    assert!(error.message.contains("to update the existing document then"), "{error}");
    let with = |version: &str| DRAFT.replacen('{', &format!(r#"{{"version":"{version}","#), 1);
    assert_eq!(refused(put(&mut tx, "u", &with("1.1"))), (412, "PreconditionFailed"));
    assert!(put(&mut tx, "u", &with("2.3")).is_ok());
}

#[test]
fn documents_are_listed_with_their_labels() {
    let mut tx = with_contract();
    assert_eq!(list(&mut tx, "").unwrap(), json!([]));
    put(&mut tx, "u1", DRAFT).unwrap();
    put(&mut tx, "u2", r#"{"contractId":"c","data":"x"}"#).unwrap();
    put(&mut tx, "u3", DRAFT).unwrap();
    tx.put(KIND.accepted, "u3", r#"{"labels":{"type":"other"}}"#);
    let (one, three) =
        (json!({"id": "u1", "labels": {"type": "ds"}}), json!({"id": "u3", "labels": {"type": "other"}}));
    assert_eq!(list(&mut tx, "").unwrap(), json!([one, {"id": "u2"}, three]));
    assert_eq!(list(&mut tx, "labelSelector=type:ds").unwrap(), json!([one]));
    assert_eq!(list(&mut tx, "labelSelector=type%3Aother").unwrap(), json!([three]));
    for query in ["labelSelector=", "labelSelector=type"] {
        assert_eq!(refused(list(&mut tx, query)), (400, "InvalidParameter"), "{query}");
    }
}

#[test]
fn d13_drafts_are_co_authored_and_every_write_is_attributed() {
    let mut tx = with_contract();
    put(&mut tx, "u", DRAFT).unwrap();
    let mut tx = commit(tx);
    let by_user = DRAFT.replacen('{', r#"{"version":"2.3","#, 1);
    put_document(&mut tx, &user("u1"), &input("documentId", "u", "", by_user.as_bytes())).unwrap();
    let author = stored::json(&mut tx, KIND.authors, b"u").unwrap();
    assert_eq!(author, Some(json!({"id": "u1", "idType": "user"})));
}

#[test]
fn d15_an_approver_of_an_unknown_kind_could_never_agree() {
    let payload = r#"{"contractId":"c","data":1,"approvers":[{"approverId":"a","approverIdType":"robot"}]}"#;
    assert_eq!(refused(put(&mut with_contract(), "u", payload)), (400, "InvalidInput"));
}

#[test]
fn d17_users_and_active_members_write() {
    let mut tx = with_contract();
    tx.put("public:ccf.gov.user_identities", "oid", r#"{"data":{"tenantId":"t"}}"#);
    let mut by = |caller| put_document(&mut tx, &caller, &input("documentId", "u", "", DRAFT.as_bytes()));
    assert_eq!(refused(by(member("accepted"))), (403, "CallerNotAuthorized"));
    assert_eq!(refused(by(token(&json!({"oid": "stranger"})))), (403, "CallerNotAuthorized"));
    assert_eq!(refused(by(token(&json!({"oid": "oid", "tid": "other"})))), (403, "CallerTenantNotAuthorized"));
    for caller in [user("u1"), token(&json!({"oid": "oid", "tid": "t"})), member("active")] {
        assert!(by(caller).is_ok());
    }
}
