use super::*;
use crate::testing::{body, commit, input, member, refused, text, user, world};

/// A service with drafts of documents: u names its approvers, free does not. Both have version 2.2.
fn with_drafts() -> Tx {
    let mut tx = world();
    let approvers = approvers();
    tx.put(
        "public:user_documents",
        "u",
        json!({"contractId": "c", "data": {"n": 1}, "labels": {"a": "b"}, "approvers": approvers}).to_string(),
    );
    tx.put(
        "public:user_documents",
        "free",
        json!({"contractId": "c", "data": {"n": 1}, "labels": null, "approvers": []}).to_string(),
    );
    commit(tx)
}

fn approvers() -> Value {
    json!([{"approverId": "active", "approverIdType": "member"}, {"approverId": "active", "approverIdType": "user"}])
}

fn proposal(id: &str) -> Value {
    let mut document = json!({"id": id, "state": "Draft", "version": "2.2", "contractId": "c", "data": {"n": 1.0}});
    if id == "u" {
        document["labels"] = json!({"a": "b"});
    }
    let args = json!({"documentId": id, "document": document});
    json!({"name": "set_user_document", "approvers": approvers(), "args": args})
}

fn put(tx: &mut Tx, caller: &Caller, id: &str, proposal: &Value) -> Result<Value, ApiError> {
    put_proposal(tx, caller, &input("proposalId", id, "", proposal.to_string().as_bytes())).map(|output| body(&output))
}

fn vote(tx: &mut Tx, caller: &Caller, ballot: &str) -> Result<Value, ApiError> {
    submit_ballot(tx, caller, &input("proposalId", "p", "", json!({ "ballot": ballot }).to_string().as_bytes()))
        .map(|output| body(&output))
}

fn status(tx: &mut Tx, id: &str) -> Result<Value, ApiError> {
    get_status(tx, &member("accepted"), &input("proposalId", id, "", b"")).map(|output| body(&output))
}

fn document(tx: &mut Tx, id: &str) -> String {
    let output = crate::user_documents::get_document(tx, &member("active"), &input("documentId", id, "", b""));
    text(&output.unwrap()).to_owned()
}

/// A proposal p of the member for document u.
fn proposed() -> Tx {
    let mut tx = with_drafts();
    assert_eq!(put(&mut tx, &member("active"), "p", &proposal("u")).unwrap(), json!({"proposalId": "p"}));
    commit(tx)
}

#[test]
fn a_document_is_accepted_by_all_approvers() {
    let mut tx = proposed();
    assert_eq!(
        document(&mut tx, "u"),
        r#"{"id":"u","state":"Proposed","contractId":"c","data":{"n":1},"labels":{"a":"b"},"version":"2.2","approvers":[{"approverId":"active","approverIdType":"member"},{"approverId":"active","approverIdType":"user"}],"proposalId":"p","proposerId":"active"}"#
    );
    let ballot = json!({"approverId": "active", "ballot": "accepted"});
    let open = json!({"proposerId": "active", "state": "Open", "ballots": [ballot]});
    assert_eq!(vote(&mut tx, &member("active"), "accepted").unwrap(), open);
    assert_eq!(status(&mut tx, "p").unwrap(), open);
    let accepted = json!({"proposerId": "active", "state": "Accepted", "ballots": [ballot, ballot]});
    assert_eq!(vote(&mut tx, &user("active"), "accepted").unwrap(), accepted);
    let mut tx = commit(tx);
    assert_eq!(
        document(&mut tx, "u"),
        r#"{"id":"u","version":"2.4","state":"Accepted","contractId":"c","approvers":[{"approverId":"active","approverIdType":"member"},{"approverId":"active","approverIdType":"user"}],"data":{"n":1},"labels":{"a":"b"},"proposalId":"p","proposerId":"active","finalVotes":[{"approverId":"active","ballot":"accepted"},{"approverId":"active","ballot":"accepted"}]}"#
    );
    let error = vote(&mut tx, &user("active"), "accepted").unwrap_err();
    assert_eq!((error.status, error.code), (409, "ProposalNotOpen"));
    assert_eq!(error.message, "The proposal is not in an open state. State is: 'Accepted'.");
    let again = put(&mut tx, &member("active"), "p2", &proposal("u"));
    assert_eq!(refused(again), (405, "UserDocumentAlreadyAccepted"));
}

#[test]
fn one_rejection_rejects() {
    let mut tx = proposed();
    assert_eq!(vote(&mut tx, &user("active"), "rejected").unwrap()["state"], "Rejected");
    assert!(document(&mut tx, "u").contains(r#""state":"Draft""#));
    assert!(put(&mut tx, &member("active"), "p2", &proposal("u")).is_ok());
}

#[test]
fn what_is_proposed_is_read_as_it_was_sent() {
    let read = body(&get_proposal(&mut proposed(), &member("accepted"), &input("proposalId", "p", "", b"")).unwrap());
    let sent = proposal("u");
    assert_eq!(read["proposalId"], "p");
    assert_eq!((&read["name"], &read["approvers"]), (&sent["name"], &sent["approvers"]));
    assert_eq!(read["args"]["documentId"], "u");
}

#[test]
fn refusals_of_proposals_come_in_order() {
    let without = |names: &[&str]| {
        let mut proposal = json!({"name": "nope", "approvers": [], "args": {}});
        for name in names {
            proposal.as_object_mut().unwrap().remove(*name);
        }
        proposal
    };
    let named = |approvers: Value, name: &str, args: Value| json!({"name": name, "approvers": approvers, "args": args});
    let set = "set_user_document";
    for (proposal, status, code, message) in [
        (json!(null), 400, "InvalidInput", "The request body must be a JSON object, but is null."),
        (without(&["approvers"]), 400, "ApproversMissing", "The approvers field is required in the proposal."),
        (without(&[]), 400, "EmptyApprovers", "The approvers field cannot be empty."),
        (named(json!("all"), "nope", json!({})), 400, "InvalidInput", "approvers must be a list."),
        (
            named(approvers(), "nope", json!(null)),
            400,
            "InvalidProposalType",
            "A proposal of type 'nope' is not supported.",
        ),
        (
            named(approvers(), set, json!(null)),
            400,
            "InvalidInput",
            "args must be an object with documentId and document.",
        ),
        (
            named(approvers(), set, json!({"documentId": ""})),
            400,
            "InvalidUserDocumentId",
            "The UserDocumentId is required for set_user_document action.",
        ),
        (named(approvers(), set, json!({"documentId": 1})), 400, "InvalidInput", "args.documentId must be a string."),
    ] {
        let error = put(&mut with_drafts(), &member("active"), "p", &proposal).unwrap_err();
        assert_eq!((error.status, error.code, error.message.as_str()), (status, code, message), "{proposal}");
    }
    let error = put(&mut proposed(), &member("active"), "p", &json!(null)).unwrap_err();
    assert_eq!((error.status, error.code), (409, "ProposalAlreadyExists"));
    let error = put(&mut proposed(), &member("active"), "p2", &proposal("u")).unwrap_err();
    assert_eq!((error.status, error.code), (409, "UserDocumentAlreadyProposed"));
    assert_eq!(error.message, r#"Proposal ["p"] for the specified documentId already exists."#);
}

#[test]
fn d13_the_approvers_of_the_document_bind_its_proposals() {
    let mut other = proposal("u");
    for approvers in [
        json!([{"approverId": "active", "approverIdType": "member"}]),
        json!([{"approverId": "active", "approverIdType": "member"}, {"approverId": "x", "approverIdType": "user"}]),
    ] {
        other["approvers"] = approvers.clone();
        assert_eq!(refused(put(&mut with_drafts(), &member("active"), "p", &other)), (400, "ApproversMismatch"));
        let mut free = proposal("free");
        free["approvers"] = approvers;
        assert!(put(&mut with_drafts(), &member("active"), "p", &free).is_ok());
    }
    let mut turned = proposal("u");
    turned["approvers"].as_array_mut().unwrap().reverse();
    assert!(put(&mut with_drafts(), &member("active"), "p", &turned).is_ok());
}

#[test]
fn d13_what_is_proposed_is_the_stored_draft_at_its_version() {
    for (pointer, value, status, code) in [
        ("documentId", json!("unknown"), 404, "UserDocumentNotFound"),
        ("document", json!(null), 400, "VersionMissing"),
        ("document/version", json!(""), 400, "VersionMissing"),
        ("document/version", json!("2.1"), 412, "PreconditionFailed"),
        ("document/contractId", json!("other"), 400, "UserDocumentMismatch"),
        ("document/data", json!({"n": 2}), 400, "UserDocumentMismatch"),
        ("document/labels", json!(null), 400, "UserDocumentMismatch"),
    ] {
        let mut changed = proposal("u");
        *changed.pointer_mut(&format!("/args/{pointer}")).unwrap() = value;
        assert_eq!(refused(put(&mut with_drafts(), &member("active"), "p", &changed)), (status, code), "{pointer}");
    }
}

#[test]
fn d13_what_was_voted_is_accepted_even_if_the_draft_changes() {
    let mut tx = proposed();
    tx.put("public:user_documents", "u", r#"{"contractId":"c","data":"changed"}"#);
    vote(&mut tx, &member("active"), "accepted").unwrap();
    vote(&mut tx, &user("active"), "accepted").unwrap();
    assert!(document(&mut tx, "u").contains(r#""data":{"n":1}"#));
}

#[test]
fn refusals_of_ballots_come_in_order() {
    let mut tx = proposed();
    let unknown = input("proposalId", "p9", "", b"");
    assert_eq!(refused(submit_ballot(&mut tx, &member("active"), &unknown)), (404, "ProposalNotFound"));
    let error = vote(&mut tx, &user("other"), "yes").unwrap_err();
    assert_eq!((error.status, error.code), (403, "NotProposalApprover"));
    assert_eq!(error.message, "The caller is not an approver for this proposal.");
    let error = vote(&mut tx, &member("active"), "yes").unwrap_err();
    assert_eq!((error.status, error.code), (400, "InvalidBallotValue"));
    assert_eq!(error.message, "The ballot value must be either 'accepted' or 'rejected'.");
    assert_eq!(refused(submit_ballot(&mut tx, &member("active"), &input("proposalId", "p", "", b""))).0, 400);
    vote(&mut tx, &member("active"), "accepted").unwrap();
    let error = vote(&mut tx, &member("active"), "yes").unwrap_err();
    assert_eq!((error.status, error.code), (409, "BallotAlreadySubmitted"));
    assert_eq!(error.message, "The ballot has already been submitted.");
}

#[test]
fn the_proposer_withdraws() {
    let mut tx = proposed();
    let mut by = |caller: &Caller, id: &str| withdraw(&mut tx, caller, &input("proposalId", id, "", b""));
    assert_eq!(refused(by(&member("active"), "p9")), (404, "ProposalNotFound"));
    let error = by(&user("other"), "p").unwrap_err();
    assert_eq!((error.status, error.code), (403, "NotProposalOwner"));
    assert_eq!(error.message, "Only the proposal owner can withdraw the proposal.");
    let withdrawn = json!({"proposerId": "active", "state": "Withdrawn", "ballots": []});
    assert_eq!(body(&by(&member("active"), "p").unwrap()), withdrawn);
    assert_eq!(refused(by(&member("active"), "p")), (409, "ProposalNotOpen"));
    assert!(document(&mut tx, "u").contains(r#""state":"Draft""#));
}

#[test]
fn d15_a_user_with_the_id_of_a_member_is_somebody_else() {
    let mut tx = with_drafts();
    let mut only_user = proposal("free");
    only_user["approvers"] = json!([{"approverId": "active", "approverIdType": "user"}]);
    put(&mut tx, &member("active"), "p", &only_user).unwrap();
    assert_eq!(refused(vote(&mut tx, &member("active"), "accepted")), (403, "NotProposalApprover"));
    let by_user = withdraw(&mut tx, &user("active"), &input("proposalId", "p", "", b""));
    assert_eq!(refused(by_user), (403, "NotProposalOwner"));
    assert_eq!(vote(&mut tx, &user("active"), "accepted").unwrap()["state"], "Accepted");
}

#[test]
fn d17_accepted_members_propose_and_decide_nothing() {
    let mut tx = proposed();
    let caller = member("accepted");
    assert_eq!(refused(put(&mut tx, &caller, "p2", &proposal("free"))), (403, "CallerNotAuthorized"));
    assert_eq!(refused(vote(&mut tx, &caller, "accepted")), (403, "CallerNotAuthorized"));
    assert_eq!(refused(withdraw(&mut tx, &caller, &input("proposalId", "p", "", b""))), (403, "CallerNotAuthorized"));
    assert_eq!(refused(status(&mut tx, "p9")), (404, "ProposalNotFound"));
}
