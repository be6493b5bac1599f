//! A node that is killed with SIGKILL at random moments: what was answered is there afterwards, under the transaction
//! id of the answer, and nothing that was not answered is there by half.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use suites::{
    API_VERSION, Api, Consortium, Dice, KeyFolder, Node, Result, Settings, chunks, python, repository, run, scratch,
};
use tokio::task::JoinSet;

const WRITERS: usize = 64;
const KILLS: u64 = 50;
/// Small enough that a chunk is closed every few batches, so that many kills fall into it.
const TINY_CHUNK: &str = "24KB";
/// The load of one round is cut off here, should the machine be so slow that the kill comes late.
const WRITES_PER_ROUND: u64 = 100;

/// What the writers know about one contract.
#[derive(Default, Clone)]
struct Known {
    /// Version and data that the service answered for.
    answered: Option<(String, Value)>,
    /// Data that was sent after that, and never answered.
    open: Option<Value>,
}

type Book = BTreeMap<String, Known>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d40_every_answered_write_survives_sigkill() -> Result<()> {
    let mut dice = Dice::roll()?;
    let directory = scratch("crash")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let settings = Settings { chunk_size: TINY_CHUNK.to_owned(), ..Settings::on_free_port()? };
    let mut node = Node::prepare(&directory.join("node"), keys.path(), settings)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;

    let kills: u64 = std::env::var("CGS_KILLS").ok().map_or(Ok(KILLS), |text| text.parse())?;
    let mut book = Book::new();
    let (mut killed, mut round) = (0, 0);
    while killed < kills {
        let mut writing = start_writers(&node, &consortium, &book, round)?;
        tokio::time::sleep(dice.millis(5, 400)).await;
        if round % 3 == 1 {
            wait_for_chunk_close(&node).await?;
        }
        node.kill()?;
        killed += 1;
        while let Some(known) = writing.join_next().await {
            book.extend(known??);
        }
        if round % 4 == 2 {
            killed += kill_during_resume(&mut node, &mut dice).await?;
        }
        node.start().await?;
        settle(&node, &consortium, &mut book, round).await?;
        node.verify_ledger()?.succeeded("cgs ledger verify")?;
        round += 1;
    }
    let answered = book.values().filter(|known| known.answered.is_some()).count();
    println!("{killed} kills, {round} rounds under load, {answered} contracts, all there");
    assert!(answered > WRITERS, "the load was too small to say anything: {answered} contracts");
    check_all(&node, &consortium, &book).await?;
    verify_with_python(&node)?;
    node.stop().await?;
    verify_with_python(&node)?;
    let closed = chunks::read(&node.ledger())?.len();
    println!("{closed} transactions verified by the Python package of CCF");
    Ok(())
}

/// Members act one after the other; after each answered act the node is killed, now and then in the middle of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_before_open_loses_nothing() -> Result<()> {
    let mut dice = Dice::roll()?;
    let directory = scratch("crash-before-open")?;
    let keys = KeyFolder::generate(&directory.join("keys"))?;
    let consortium = Consortium::of(&keys)?;
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;

    for (number, member) in consortium.members.iter().enumerate() {
        consortium.acknowledge(&node.api(None)?, member).await?;
        restart(&mut node, &mut dice).await?;
        let members = node.api(None)?.get(&format!("/gov/service/members?{API_VERSION}")).await?.json()?;
        let active = members["value"]
            .as_array()
            .map_or(0, |list| list.iter().filter(|member| member["status"] == "Active").count());
        assert_eq!(active, number + 1, "after the ack of {}", member.name);
    }
    let certificate = std::fs::read_to_string(node.service_certificate())?;
    let open = suites::action("transition_service_to_open", &json!({"next_service_identity": certificate}));
    let created = consortium.propose(&node.api(None)?, 0, &[open]).await?.json()?;
    let proposal = created["proposalId"].as_str().unwrap_or_default().to_owned();
    restart(&mut node, &mut dice).await?;
    let path = format!("/gov/members/proposals/{proposal}?{API_VERSION}");
    let after = node.api(None)?.get(&path).await?.expect_status(200)?.json()?;
    assert_eq!(after["proposalState"], "Open");

    for member in 0..consortium.members.len() {
        consortium.accept(&node.api(None)?, member, &proposal).await?;
        restart(&mut node, &mut dice).await?;
    }
    let member = node.api(Some(consortium.first()))?;
    member.put("/app/contracts/first", &json!({"data": 1})).await?.expect_status(200)?;
    node.stop().await?;
    node.verify_ledger()?.succeeded("cgs ledger verify")?;
    verify_with_python(&node)
}

async fn restart(node: &mut Node, dice: &mut Dice) -> Result<()> {
    node.kill()?;
    kill_during_resume(node, dice).await?;
    node.start().await
}

/// Starts the node and kills it again, up to three times, before it has got far. Returns how often.
async fn kill_during_resume(node: &mut Node, dice: &mut Dice) -> Result<u64> {
    let times = 1 + dice.below(3);
    for _ in 0..times {
        node.spawn()?;
        tokio::time::sleep(dice.millis(0, 150)).await;
        if node.has_ended()? {
            return Err(format!("the node refused to resume:\n{}", node.log_end()).into());
        }
        node.kill()?;
    }
    Ok(times)
}

/// Returns right after the number of complete chunks has changed, or after a second.
async fn wait_for_chunk_close(node: &Node) -> Result<()> {
    let complete = || -> Result<usize> { Ok(std::fs::read_dir(node.ledger())?.count()) };
    let before = complete()?;
    let started = Instant::now();
    while complete()? == before && started.elapsed() < Duration::from_secs(1) {
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn start_writers(node: &Node, consortium: &Consortium, book: &Book, round: u64) -> Result<JoinSet<Result<Book>>> {
    let mut writing = JoinSet::new();
    for writer in 0..WRITERS {
        let member = &consortium.members[writer % consortium.members.len()];
        let api = node.api(Some(member))?;
        let own = format!("w{writer}-");
        let mine = book.iter().rfind(|(id, _)| id.starts_with(&own));
        let mine = mine.map(|(id, known)| (id.clone(), known.clone()));
        writing.spawn(write(api, own, mine, round));
    }
    Ok(writing)
}

/// One connection: every third write changes the contract before, the others create a new one. Ends when an answer
/// does not come.
async fn write(api: Api, own: String, last: Option<(String, Known)>, round: u64) -> Result<Book> {
    let mut book = Book::from_iter(last.clone());
    let mut last = last.and_then(|(id, known)| Some((id, known.answered?.0)));
    for count in 0..WRITES_PER_ROUND {
        let data = json!({"round": round, "count": count, "text": "x".repeat(300)});
        let (id, mut body) = match last.take() {
            Some((id, version)) if count % 3 == 0 => (id, json!({"version": version})),
            _ => (format!("{own}{round:04}-{count:04}"), json!({})),
        };
        body["data"] = data.clone();
        book.entry(id.clone()).or_default().open = Some(data.clone());
        let Ok(answer) = api.put(&format!("/app/contracts/{id}"), &body).await else { return Ok(book) };
        if answer.status == 503 {
            return Ok(book);
        }
        let version = answer.expect_status(200)?.transaction.ok_or("an answer without its transaction id")?;
        book.insert(id.clone(), Known { answered: Some((version.clone(), data)), open: None });
        last = Some((id, version));
    }
    Ok(book)
}

/// After a restart: looks at everything that this round wrote, and settles what was left open.
async fn settle(node: &Node, consortium: &Consortium, book: &mut Book, round: u64) -> Result<()> {
    let api = node.api(Some(consortium.first()))?;
    let this_round = format!("-{round:04}-");
    for (id, known) in book.iter_mut().filter(|(id, known)| known.open.is_some() || id.contains(&this_round)) {
        check_contract(&api, id, known).await?;
    }
    book.retain(|_, known| known.answered.is_some());
    let listed: BTreeSet<String> = list(&api).await?;
    let expected: BTreeSet<String> = book.keys().cloned().collect();
    let extra: Vec<_> = listed.difference(&expected).collect();
    let lost: Vec<_> = expected.difference(&listed).collect();
    assert!(extra.is_empty() && lost.is_empty(), "listed but not readable: {extra:?}; readable, not listed: {lost:?}");
    Ok(())
}

async fn list(api: &Api) -> Result<BTreeSet<String>> {
    let list = api.get("/app/contracts").await?.expect_status(200)?.json()?;
    let ids = list["value"].as_array().ok_or("no list of contracts")?;
    Ok(ids.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect())
}

/// One contract is what was answered, or, where a write was not answered, either that or what that write says.
async fn check_contract(api: &Api, id: &str, known: &mut Known) -> Result<()> {
    let answer = api.post(&format!("/app/contracts/{id}")).await?;
    let open = known.open.take();
    if answer.status == 404 {
        assert!(known.answered.is_none(), "{id} is lost: {:?} was answered", known.answered);
        return Ok(());
    }
    let contract = answer.expect_status(200)?.json()?;
    let version = contract["version"].as_str().unwrap_or_default().to_owned();
    let answered = known.answered.as_ref().is_some_and(|(was, data)| *was == version && *data == contract["data"]);
    if !answered {
        assert_eq!(Some(&contract["data"]), open.as_ref(), "{id} is neither {:?} nor what was sent", known.answered);
        known.answered = Some((version.clone(), contract["data"].clone()));
    }
    let status = api.get(&format!("/node/tx?transaction_id={version}")).await?.json()?;
    assert_eq!(status["status"], "Committed", "{id} at {version}");
    Ok(())
}

async fn check_all(node: &Node, consortium: &Consortium, book: &Book) -> Result<()> {
    let api = node.api(Some(consortium.first()))?;
    for (id, known) in book {
        check_contract(&api, id, &mut known.clone()).await?;
    }
    Ok(())
}

fn verify_with_python(node: &Node) -> Result<()> {
    let script = repository().join("tests/interop/ledger.py");
    let mut command = Command::new(python());
    let finished = run(command.arg(script).arg(node.ledger()).arg("--secret-chain"))?;
    finished.succeeded("tests/interop/ledger.py")?;
    Ok(())
}
