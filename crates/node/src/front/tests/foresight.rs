//! What is foreseen has nothing of the service's key in it, and takes one thread however it is asked for.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use super::*;

pub(super) const ID: &str = "abababababababababababababababababababababababababababababababab";

/// An open proposal of the member.
pub(super) async fn propose(world: &World) {
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

/// Scripts that take their time, and how many ran at once.
#[derive(Default)]
struct Slow {
    running: AtomicUsize,
    most: AtomicUsize,
    calls: AtomicUsize,
}

impl Engine for Slow {
    fn run(
        &self,
        who: &str,
        call: &Call,
        tables: &mut dyn Tables,
        budget: &mut Budget,
    ) -> Result<Outcome, ScriptError> {
        self.calls.fetch_add(1, SeqCst);
        self.most.fetch_max(self.running.fetch_add(1, SeqCst) + 1, SeqCst);
        std::thread::sleep(Duration::from_millis(50));
        self.running.fetch_sub(1, SeqCst);
        NoScripts.run(who, call, tables, budget)
    }
}

#[tokio::test]
async fn whoever_hangs_up_keeps_its_place_until_its_scripts_have_ended() {
    let engine = Arc::new(Slow::default());
    let world = world_with(engine.clone()).await;
    world.activate().await;
    propose(&world).await;
    let path = format!("/gov/members/proposals/{ID}/effect?api-version=2024-07-01");
    for _ in 0..5 {
        let asked = world.ask_as_member("GET", &path, "");
        assert!(tokio::time::timeout(Duration::from_millis(15), asked).await.is_err(), "it was answered at once");
    }
    assert_eq!(world.ask_as_member("GET", &path, "").await.status, 200);
    assert_eq!(engine.most.load(SeqCst), 1, "they ran side by side");
    assert!(engine.calls.load(SeqCst) < 6, "what was worked out for nobody is remembered");
}
