//! What is foreseen has nothing of the service's key in it.

use super::*;

const ID: &str = "abababababababababababababababababababababababababababababababab";

/// An open proposal of the member.
async fn propose(world: &World) {
    let info = json!({"proposer_id": world.member.id(), "state": "Open", "ballots": {}}).to_string();
    let change = move |tx: &mut Tx| {
        tx.put(tables::PROPOSALS, ID, "{}");
        tx.put(tables::PROPOSALS_INFO, ID, info.clone());
        Ok(Output::empty())
    };
    world.front.inside.service.write(change).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_was_not_voted_on_is_worth_nothing() {
    let world = world().await;
    world.activate().await;
    propose(&world).await;
    let path = format!("/gov/members/proposals/{ID}/effect?api-version=2024-07-01");
    let told = world.ask_as_member("GET", &path, "").await;
    assert_eq!(told.status, 200, "{}", told.body);
    let write = told.body["writes"].as_array().unwrap().iter().find(|write| write["table"] == MADE).unwrap();
    let made = Certificate::from_pem(write["after"].as_str().unwrap()).unwrap();
    assert_eq!(made.subject(), world.service.subject());
    assert_ne!(made.public_key(), world.service.public_key(), "it is signed with the key of the service");
}
