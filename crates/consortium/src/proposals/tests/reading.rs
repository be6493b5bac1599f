use super::*;

#[test]
fn d05_resolved_proposals_stay_readable() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let first = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &first, 0, "yes").unwrap();
    let second = propose_as(&mut consortium, &engine, 0, 101).unwrap()["proposalId"].as_str().unwrap().to_owned();
    vote(&mut consortium, &engine, &second, 0, "no").unwrap();
    let list = body(&list(&mut consortium.tx()).unwrap());
    let states: Vec<&str> =
        list["value"].as_array().unwrap().iter().map(|proposal| proposal["proposalState"].as_str().unwrap()).collect();
    assert_eq!(states.len(), 2);
    assert!(states.contains(&"Accepted") && states.contains(&"Rejected"));
    assert_eq!(body(&get(&mut consortium.tx(), &first).unwrap())["proposalState"], "Accepted");
    assert_eq!(actions(&mut consortium.tx(), &first).unwrap().body, Body::Raw(PROPOSAL.into()));
}

fn withdraw_by(consortium: &mut Consortium, id: &str, index: usize) -> Result<Value, ApiError> {
    let signed = consortium.signed(index, MessageType::Withdrawal, Some(id), "");
    let mut tx = consortium.tx();
    let output = withdraw(&mut tx, &signed, id)?;
    consortium.commit(tx);
    Ok(body(&output))
}

#[test]
fn a_proposer_withdraws_once_or_twice() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    let (m0, m1) = (consortium.member(0).id.clone(), consortium.member(1).id.clone());
    let error = withdraw_by(&mut consortium, &id, 1).unwrap_err();
    assert_eq!((error.status, error.code), (403, "AuthorizationFailed"));
    assert_eq!(error.message, format!("Proposal {id} can only be withdrawn by proposer m[{m0}], not caller m[{m1}]."));
    for _ in 0..2 {
        assert_eq!(
            withdraw_by(&mut consortium, &id, 0).unwrap(),
            json!({"ballotCount": 0, "proposalId": id, "proposalState": "Withdrawn", "proposerId": m0})
        );
    }
    let error = vote(&mut consortium, &engine, &id, 0, "yes").unwrap_err();
    assert!(error.message.contains("in state withdrawn"));
}

#[test]
fn resolved_proposals_are_not_withdrawn() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let error = withdraw_by(&mut consortium, &id, 0).unwrap_err();
    assert_eq!((error.status, error.code), (400, "ProposalNotOpen"));
    assert_eq!(error.message, format!("Proposal {id} is currently in state accepted and cannot be withdrawn."));
}

#[test]
fn d06_withdrawing_what_does_not_exist_says_so() {
    let mut consortium = Consortium::active(1);
    let error = withdraw_by(&mut consortium, &"0".repeat(64), 0).unwrap_err();
    assert_eq!((error.status, error.code), (404, "ProposalNotFound"));
}

#[test]
fn d01_the_classic_read_has_the_ballots() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 1, "yes").unwrap();
    let classic_body = body(&classic(&mut consortium.tx(), &id).unwrap());
    assert_eq!(classic_body["ballots"], json!({&consortium.member(1).id: "yes"}));
    assert_eq!(classic_body["proposer_id"], consortium.member(0).id.as_str());
    assert_eq!(classic(&mut consortium.tx(), "x").unwrap_err().code, "ProposalNotFound");
}

#[test]
fn reads_name_what_is_missing() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    let mut tx = consortium.tx();
    let unknown = "0".repeat(64);
    let member = consortium.member(0).id.clone();
    assert_eq!(get(&mut tx, &unknown).unwrap_err().message, format!("Could not find proposal {unknown}."));
    assert_eq!(actions(&mut tx, &unknown).unwrap_err().code, "ProposalNotFound");
    assert_eq!(get(&mut tx, "xyz").unwrap_err().message, "'xyz' is not a valid hex-encoded proposal ID");
    let error = ballot(&mut tx, &id, &member).unwrap_err();
    assert_eq!(error.message, format!("Member m[{member}] has not voted for proposal {id}."));
    assert_eq!(ballot(&mut tx, &unknown, &member).unwrap_err().code, "ProposalNotFound");
}
