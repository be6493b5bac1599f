use kv::TxId;
use proptest::prelude::*;

use super::*;
use crate::testing::{body, commit, input, member, propose, text, world};

fn put(tx: &mut Tx, id: &str, payload: &str) -> Result<Output, ApiError> {
    put_contract(tx, &member("active"), &input("contractId", id, "", payload.as_bytes()))
}

fn get(tx: &mut Tx, id: &str) -> Result<String, ApiError> {
    get_contract(tx, &member("accepted"), &input("contractId", id, "", b"")).map(|output| text(&output).to_owned())
}

fn list(tx: &mut Tx, query: &str) -> Result<Vec<String>, ApiError> {
    let listed = body(&list_contracts(tx, &member("accepted"), &input("", "", query, b""))?);
    let id = |entry: &Value| entry["id"].as_str().unwrap().to_owned();
    Ok(listed["value"].as_array().unwrap().iter().map(id).collect())
}

fn accept(tx: &mut Tx, id: &str) {
    let record = r#"{"data":{"z":1,"a":2},"proposalId":"p","finalVotes":{"m2":false,"m1":true}}"#;
    tx.put(ACCEPTED_CONTRACTS, id.to_owned(), record);
}

fn set_contract(id: &str) -> String {
    json!({"actions": [{"name": "set_contract", "args": {"contractId": id, "contract": {
        "id": id, "version": "2.2", "state": "Draft", "data": {"hello": "world"}, "proposalId": ""
    }}}]})
    .to_string()
}

#[test]
fn a_draft_is_read_as_it_was_written() {
    let mut tx = world();
    put(&mut tx, "1234", r#"{"data":{"n":[1,2.5,null,true,"é世"],"hello":"world"}}"#).unwrap();
    let mut tx = commit(tx);
    assert_eq!(
        get(&mut tx, "1234").unwrap(),
        r#"{"id":"1234","state":"Draft","version":"2.2","data":{"n":[1,2.5,null,true,"é世"],"hello":"world"},"proposalId":""}"#
    );
    assert_eq!(tx.base().get(CONTRACTS, b"1234").unwrap().written, TxId::new(2, 2));
}

#[test]
fn put_answers_200_without_body() {
    let output = put(&mut world(), "c", r#"{"data":1}"#).unwrap();
    assert_eq!(output, Output::empty());
}

#[test]
fn the_version_guards_against_lost_updates() {
    let mut tx = world();
    put(&mut tx, "c", r#"{"data":1,"version":"9.9"}"#).unwrap();
    let mut tx = commit(tx);
    let refuse = |tx: &mut Tx, payload: &str| {
        let error = put(tx, "c", payload).unwrap_err();
        (error.status, error.code)
    };
    for payload in [r#"{"data":2}"#, r#"{"data":2,"version":""}"#, r#"{"data":2,"version":null}"#] {
        assert_eq!(refuse(&mut tx, payload), (409, "ContractAlreadyExists"));
    }
    for version in [r#""2.1""#, "2.1", "true", r#"["2.2"]"#, "{}"] {
        let payload = format!(r#"{{"data":2,"version":{version}}}"#);
        assert_eq!(refuse(&mut tx, &payload), (412, "PreconditionFailed"), "{version}");
    }
    put(&mut tx.clone(), "c", r#"{"data":2,"version":2.2}"#).unwrap();
    put(&mut tx, "c", r#"{"data":2,"version":"2.2"}"#).unwrap();
    let mut tx = commit(tx);
    assert_eq!(refuse(&mut tx, r#"{"data":3,"version":"2.2"}"#), (412, "PreconditionFailed"));
}

#[test]
fn a_number_is_not_another_version_with_a_zero() {
    let mut tx = world();
    for _ in 0..8 {
        tx = commit(tx);
    }
    put(&mut tx, "c", r#"{"data":1}"#).unwrap();
    let mut tx = commit(tx);
    assert!(get(&mut tx, "c").unwrap().contains(r#""version":"2.10""#));
    assert_eq!(put(&mut tx, "c", r#"{"data":2,"version":2.10}"#).unwrap_err().status, 412);
}

#[test]
fn texts_are_those_of_the_reference() {
    let mut tx = world();
    put(&mut tx, "c", r#"{"data":1}"#).unwrap();
    let mut tx = commit(tx);
    assert_eq!(
        put(&mut tx, "c", r#"{"data":1}"#).unwrap_err().message,
        "The specified contract already exists. If the intent was to update the existing contract then retry the \
         request after reading the latest version of the resource and setting the version on the request."
    );
    assert_eq!(
        put(&mut tx, "c", r#"{"data":1,"version":"2.9"}"#).unwrap_err().message,
        "The operation specified a version that is different from the version available at the server, that is, an \
         optimistic concurrency error. Retry the request after reading the latest version of the resource and updating \
         the version on the request."
    );
}

#[test]
fn data_must_be_there() {
    for payload in [
        r#"{"dat":1}"#,
        r#"{"data":null}"#,
        r#"{"data":""}"#,
        r#"{"data":0}"#,
        r#"{"data":-0.0}"#,
        r#"{"data":false}"#,
        "[1]",
        "5",
        r#""text""#,
    ] {
        let error = put(&mut world(), "c", payload).unwrap_err();
        assert_eq!((error.status, error.code), (400, "DataMissing"), "{payload}");
        assert_eq!(error.message, "data key must be present in contract payload.");
    }
    for payload in [r#"{"data":{}}"#, r#"{"data":[]}"#, r#"{"data":"0"}"#, r#"{"data":1e-9}"#] {
        assert!(put(&mut world(), "c", payload).is_ok(), "{payload}");
    }
}

#[test]
fn d04_a_body_that_is_no_json_object_is_the_callers_fault() {
    for payload in [&b""[..], b"{not json", b"null", b"{\"data\":\"\xff\xfe\"}"] {
        let input = input("contractId", "c", "", payload);
        let error = put_contract(&mut world(), &member("active"), &input).unwrap_err();
        assert_eq!((error.status, error.code), (400, "InvalidInput"));
    }
}

#[test]
fn d17_accepted_members_do_not_write() {
    let input = input("contractId", "c", "", br#"{"data":1}"#);
    let error = put_contract(&mut world(), &member("accepted"), &input).unwrap_err();
    assert_eq!(error.status, 403);
}

#[test]
fn accepted_contracts_do_not_change() {
    let mut tx = world();
    accept(&mut tx, "c");
    let mut tx = commit(tx);
    let error = put(&mut tx, "c", r#"{"data":1}"#).unwrap_err();
    assert_eq!((error.status, error.code), (405, "ContractAlreadyAccepted"));
    assert_eq!(
        get(&mut tx, "c").unwrap(),
        r#"{"id":"c","version":"2.2","state":"Accepted","data":{"z":1,"a":2},"proposalId":"p","finalVotes":[{"memberId":"m1","vote":true},{"memberId":"m2","vote":false}]}"#
    );
}

#[test]
fn a_proposed_contract_is_shown_as_proposed() {
    let mut tx = world();
    put(&mut tx, "c", r#"{"data":"draft"}"#).unwrap();
    propose(&mut tx, "p1", "Open", &set_contract("c"));
    let mut tx = commit(tx);
    assert_eq!(
        get(&mut tx, "c").unwrap(),
        r#"{"id":"c","state":"Proposed","data":{"hello":"world"},"version":"2.2","proposalId":"p1"}"#
    );
    propose(&mut tx, "p1", "Rejected", &set_contract("c"));
    assert!(get(&mut tx, "c").unwrap().contains(r#""state":"Draft""#));
}

#[test]
fn d37_a_proposed_contract_without_data_is_still_readable() {
    for contract in ["null", "5", "{}"] {
        let mut tx = world();
        let proposal =
            format!(r#"{{"actions":[{{"name":"set_contract","args":{{"contractId":"c","contract":{contract}}}}}]}}"#);
        propose(&mut tx, "p1", "Open", &proposal);
        assert_eq!(get(&mut tx, "c").unwrap(), r#"{"id":"c","state":"Proposed","proposalId":"p1"}"#);
    }
}

#[test]
fn unknown_contracts_are_not_found() {
    let error = get(&mut world(), "c").unwrap_err();
    assert_eq!((error.status, error.code), (404, "ContractNotFound"));
    assert_eq!(error.message, "A contract with the specified id was not found.");
}

#[test]
fn contracts_are_listed_by_state() {
    let mut tx = world();
    for id in ["draft", "proposed", "accepted"] {
        put(&mut tx, id, r#"{"data":1}"#).unwrap();
    }
    accept(&mut tx, "accepted");
    accept(&mut tx, "never-drafted");
    propose(&mut tx, "p1", "Open", &set_contract("proposed"));
    propose(&mut tx, "p2", "Open", &set_contract("never-put"));
    assert_eq!(list(&mut tx, "").unwrap(), ["accepted", "draft", "never-drafted", "proposed"]);
    assert_eq!(list(&mut tx, "state=Draft&api-version=2024-07-01").unwrap(), ["draft"]);
    assert_eq!(list(&mut tx, "state=Proposed").unwrap(), ["proposed"]);
    assert_eq!(list(&mut tx, "state=Accepted").unwrap(), ["accepted", "never-drafted"]);
    let error = list(&mut tx, "state=Nope").unwrap_err();
    assert_eq!((error.status, error.code), (400, "InvalidParameter"));
    assert_eq!(error.message, "The state query parameter must be either 'Draft', 'Accepted' or 'Proposed'.");
}

#[test]
fn ids_are_not_decoded() {
    let mut tx = world();
    put(&mut tx, "a%20b%2Fc", r#"{"data":"x"}"#).unwrap();
    assert!(get(&mut commit(tx), "a%20b%2Fc").unwrap().starts_with(r#"{"id":"a%20b%2Fc""#));
}

#[test]
fn a_put_depends_on_the_draft_that_it_replaces() {
    let mut first = world();
    let mut second = first.clone();
    put(&mut first, "c", r#"{"data":1}"#).unwrap();
    put(&mut second, "c", r#"{"data":2}"#).unwrap();
    let after = commit(first);
    let (reads, _) = second.into_parts();
    assert!(reads.check(after.base()).is_err());
}

proptest! {
    #[test]
    fn any_truthy_data_comes_back(key in "[a-z]{1,8}", number in any::<i32>(), words in ".{1,20}") {
        let data = json!({ key: [number, words] });
        let mut tx = world();
        put(&mut tx, "c", &json!({ "data": data }).to_string()).unwrap();
        let read: Value = serde_json::from_str(&get(&mut commit(tx), "c").unwrap()).unwrap();
        prop_assert_eq!(&read["data"], &data);
    }
}
