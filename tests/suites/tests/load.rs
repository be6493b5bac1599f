//! A node under load, and under scripts that want to stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suites::{API_VERSION, Api, Consortium, KeyFolder, Node, Result, Settings, action, scratch};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;
const PROPOSALS: usize = 8;
/// More than are decided at a time, all by one member.
const HOSTILE_BALLOTS: usize = 66;
/// A proposal under load, and a vote or a read beside hostile scripts, are answered within this.
const PROPOSAL_LIMIT: Duration = Duration::from_secs(1);
const VOTE_LIMIT: Duration = Duration::from_secs(2);

/// What a ballot can do to whoever runs it; none of it is stopped by asking.
const HOSTILE: [(&str, &str); 5] = [
    ("an endless loop", "while (true) {}"),
    ("a memory bomb", "const a = []; while (true) { a.push(new Uint8Array(1 << 20)) }"),
    ("a long text", "return (new Array(1e9) + '') === ''"),
    ("a builtin that does not end", "[].reverse.call({length: 1e10}); return true"),
    ("deep recursion", "const f = (n) => f(n + 1) + 1; return f(0) > 0"),
];

async fn open(name: &str) -> Result<(Node, Consortium)> {
    let directory = scratch(name)?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    Ok((node, consortium))
}

fn contract_proposal(id: &str) -> Value {
    action("set_contract", &json!({"contractId": id, "contract": {"data": "x"}}))
}

/// The identifier of a proposal hashes the Merkle root right before it, so every write in between is a conflict.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_is_created_within_a_second_under_load() -> Result<()> {
    let (node, consortium) = open("load").await?;
    let stop = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicU64::new(0));
    let mut busy = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let api = node.api(Some(consortium.first()))?;
        busy.spawn(write_until(api.clone(), connection, Arc::clone(&stop), Arc::clone(&done)));
        let reader = node.api(Some(consortium.first()))?;
        busy.spawn(read_until(reader, Arc::clone(&stop), Arc::clone(&done)));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let api = node.api(None)?;
    let mut slowest = Duration::ZERO;
    for number in 0..PROPOSALS {
        let asked = Instant::now();
        let proposal = contract_proposal(&format!("under-load-{number}"));
        consortium.propose(&api, number % 3, &[proposal]).await?;
        slowest = slowest.max(asked.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(finished) = busy.join_next().await {
        finished??;
    }
    let answered = done.load(Ordering::Relaxed);
    println!("the slowest of {PROPOSALS} proposals took {slowest:?} beside {answered} other requests");
    assert!(answered > 1000, "{answered} requests are no load");
    assert!(slowest < PROPOSAL_LIMIT, "{slowest:?}");
    Ok(())
}

async fn write_until(api: Api, writer: usize, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) -> Result<()> {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        let path = format!("/app/contracts/load-{writer}-{number}");
        api.put(&path, &json!({"data": {"number": number}})).await?.expect_status(200)?;
        done.fetch_add(1, Ordering::Relaxed);
        number += 1;
    }
    Ok(())
}

async fn read_until(api: Api, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        let answer = api.post("/app/contracts/load-0-0").await?;
        assert!(answer.status == 200 || answer.status == 404, "{answer:?}");
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// One member sends hostile ballots, all at once; another one's vote, and reads, go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_ballots_do_not_hold_up_anybody_else() -> Result<()> {
    let (node, consortium) = open("hostile-ballots").await?;
    let api = node.api(None)?;
    let calm = create(&consortium, &api, "calm").await?;
    let mut hostile = JoinSet::new();
    for number in 0..HOSTILE_BALLOTS {
        let (about, body) = HOSTILE[number % HOSTILE.len()];
        let proposal = create(&consortium, &api, &format!("hostile-{number}")).await?;
        let path = ballot_path(&proposal, &consortium.members[1].id);
        let payload =
            json!({"ballot": format!("export function vote (proposal, proposerId) {{ {body} }}")}).to_string();
        let message = consortium.members[1].sign("ballot", Some(&proposal), payload.as_bytes())?;
        let api = node.api(None)?;
        hostile.spawn(async move { (about, api.post_signed(&path, message).await) });
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    consortium.accept(&api, 2, &calm).await?;
    let vote = asked.elapsed();
    let asked = Instant::now();
    api.get(&format!("/gov/members/proposals/{calm}?{API_VERSION}")).await?.expect_status(200)?;
    let read = asked.elapsed();
    println!("beside {HOSTILE_BALLOTS} hostile ballots a vote took {vote:?}, a read {read:?}");
    assert!(vote < VOTE_LIMIT, "{vote:?}");
    assert!(read < VOTE_LIMIT, "{read:?}");
    let mut kept = 0;
    while let Some(finished) = hostile.join_next().await {
        let (about, answer) = finished?;
        answer.and_then(|answer| answer.expect_status(200)).map_err(|why| format!("{about}: {why}"))?;
        kept += 1;
    }
    println!("{kept} hostile ballots were kept as failed");
    assert_eq!(kept, HOSTILE_BALLOTS, "a ballot is kept, whatever it is");
    Ok(())
}

/// Each kind of hostile ballot is kept, counts as failed, and says so once the proposal is resolved (D41).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d41_a_ballot_that_hits_a_limit_counts_as_failed() -> Result<()> {
    let (node, consortium) = open("limits").await?;
    let api = node.api(None)?;
    for (about, body) in HOSTILE {
        let proposal = create(&consortium, &api, about).await?;
        let path = ballot_path(&proposal, &consortium.members[1].id);
        let payload =
            json!({"ballot": format!("export function vote (proposal, proposerId) {{ {body} }}")}).to_string();
        let message = consortium.members[1].sign("ballot", Some(&proposal), payload.as_bytes())?;
        let state = api.post_signed(&path, message).await?.expect_status(200)?.json()?;
        assert_eq!((&state["proposalState"], &state["ballotCount"]), (&json!("Open"), &json!(1)), "{about}");
        let asked = Instant::now();
        consortium.accept(&api, 0, &proposal).await?;
        consortium.accept(&api, 2, &proposal).await?;
        assert!(asked.elapsed() < VOTE_LIMIT, "{about} was run again: {:?}", asked.elapsed());
        let state = api.get(&format!("/gov/members/proposals/{proposal}?{API_VERSION}")).await?.json()?;
        assert_eq!(state["proposalState"], "Open", "{about} counted as a vote");
    }
    Ok(())
}

/// A constitution whose `validate` never ends can be voted in. Then proposals fail with a clear error, and reads go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_constitution_that_hits_a_limit_gets_a_clear_error() -> Result<()> {
    let (node, consortium) = open("hostile-constitution").await?;
    let api = node.api(None)?;
    let text = "export function validate (input) { while (true) {} }
        export function resolve (proposal, proposerId, votes) { return 'Open' }
        export function apply (proposal, proposalId) {}";
    consortium.pass(&api, &[action("set_constitution", &json!({"constitution": text}))]).await?;
    let payload = json!({"actions": [contract_proposal("any")]}).to_string();
    let message = consortium.first().sign("proposal", None, payload.as_bytes())?;
    let answer = api.post_signed(&format!("/gov/members/proposals:create?{API_VERSION}"), message).await?;
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(answer.status >= 400, "{said}");
    assert!(said.contains("time") || said.contains("long"), "the error does not name the limit: {said}");
    api.get("/node/network").await?.expect_status(200)?;
    Ok(())
}

async fn create(consortium: &Consortium, api: &Api, contract: &str) -> Result<String> {
    let state = consortium.propose(api, 0, &[contract_proposal(contract)]).await?.json()?;
    Ok(state["proposalId"].as_str().ok_or("the answer names no proposal")?.to_owned())
}

fn ballot_path(proposal: &str, member: &str) -> String {
    format!("/gov/members/proposals/{proposal}/ballots/{member}:submit?{API_VERSION}")
}
