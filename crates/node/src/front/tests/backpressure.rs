//! More than a node can do: those for whom there is no room are told so at once and come back, the others are served, and
//! readers do not notice.

use std::time::Instant;

use replication::MAX_WAITING;
use tokio::{task::JoinSet, time::timeout};

use super::*;
use crate::metrics::Metrics;

const SOON: Duration = Duration::from_secs(30);
const SURPLUS: usize = 500;

async fn open() -> Arc<World> {
    let world = world().await;
    world.open().await;
    world.activate().await;
    Arc::new(world)
}

fn refused(world: &World, reason: &str) -> String {
    let service = &world.front.inside.service;
    let page = Metrics::new(service.clone(), service.counters(), vec![world.interface.clone()], now).page().unwrap();
    let name = format!("cgs_requests_refused_total{{reason=\"{reason}\"}} ");
    page.lines().find_map(|line| line.strip_prefix(&name)).unwrap().to_owned()
}

/// The commit path stalls: somebody holds it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_for_whom_there_is_no_room_get_503_at_once_and_nothing_is_lost() {
    let world = open().await;
    let hold = world.front.inside.service.replica().hold(Duration::from_secs(8)).await.unwrap();
    let mut writers = JoinSet::new();
    for number in 0..MAX_WAITING + SURPLUS {
        let world = world.clone();
        writers.spawn(async move {
            let path = format!("/app/contracts/c{number}");
            (path.clone(), world.ask_as_member("PUT", &path, r#"{"data":{"a":1}}"#).await)
        });
    }
    let mut turned_away = Vec::new();
    let mut slowest_read = Duration::ZERO;
    while turned_away.len() < SURPLUS {
        let (path, told) = timeout(SOON, writers.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(
            (told.status, told.code(), told.header("retry-after")),
            (503, "TooManyPendingTransactions", Some("1"))
        );
        let text = told.body["error"]["message"].as_str().unwrap();
        let expected = format!(
            "Nothing was written: {MAX_WAITING} transactions are waiting to be written, and there is no room for more. \
             Retry later."
        );
        assert_eq!(text, expected);
        turned_away.push(path);
        let asked = Instant::now();
        assert_eq!(world.ask_as_member("GET", "/app/contracts", "").await.status, 200);
        slowest_read = slowest_read.max(asked.elapsed());
    }
    println!("the slowest read beside them took {slowest_read:?}");
    assert_eq!(refused(&world, "commit_path"), SURPLUS.to_string());
    drop(hold);
    let mut written = 0;
    while let Some(done) = timeout(SOON, writers.join_next()).await.unwrap() {
        let (path, told) = done.unwrap();
        assert_eq!(told.status, 200, "{path}: {}", told.body);
        assert_eq!(
            world.ask_as_member("POST", &path, "").await.body["version"].as_str(),
            told.header("x-ms-ccf-transaction-id")
        );
        written += 1;
    }
    assert_eq!(written, MAX_WAITING);
    // Those who were turned away come back.
    for path in &turned_away[..20] {
        assert_eq!(world.ask_as_member("POST", path, "").await.status, 404, "{path}");
        assert_eq!(world.ask_as_member("PUT", path, r#"{"data":1}"#).await.status, 200, "{path}");
    }
}

/// A commit path that does not go on does not keep its requests for ever.
#[tokio::test]
async fn a_writer_that_has_waited_too_long_is_told_what_is_not_known() {
    let world = open().await;
    let hold = world.front.inside.service.replica().hold(Duration::from_secs(10)).await.unwrap();
    let service = &world.front.inside.service;
    let hurried = Committer::new(service.replica().clone(), service.counters().clone());
    let hurried = hurried.with_patience(Duration::from_millis(100));
    let run = |tx: &mut Tx| {
        tx.put("public:app.other", "k", "v");
        Ok(Output::empty())
    };
    let refusal = hurried.write(run).await.unwrap_err();
    assert_eq!((refusal.status, refusal.code), (503, "TransactionReplicationFailed"));
    assert_eq!(refusal.headers, [("retry-after", "10".to_owned())]);
    assert!(refusal.message.contains("may be committed yet"), "{}", refusal.message);
    assert_eq!(refused(&world, "late"), "1");
    drop(hold);
    assert_eq!(world.ask_as_member("PUT", "/app/contracts/c2", r#"{"data":1}"#).await.status, 200);
    assert!(service.committed().state.get("public:app.other", b"k").is_none(), "nobody waited for it");
}

/// Clients that ask for large answers and do not read them fill the room for answers, and not the memory of the node.
#[tokio::test]
async fn answers_that_nobody_reads_have_bounded_room() {
    let world = open().await;
    let ask = || async {
        let request = Request {
            method: "GET".parse().unwrap(),
            uri: "/node/api".parse().unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            peer: Arc::new(Peer { certificate: None, interface: world.interface.clone() }),
        };
        world.front.answer(request).await
    };
    let mut unread = Vec::new();
    let refused_answer = loop {
        let answer = ask().await;
        if answer.status() != 200 {
            break answer;
        }
        unread.push(answer);
        assert!(unread.len() < 1 << 20, "unread answers have no bound");
    };
    assert_eq!(
        (refused_answer.status().as_u16(), &refused_answer.headers()["retry-after"]),
        (503, &HeaderValue::from_static("1"))
    );
    assert_eq!(refused(&world, "answer"), "1");
    let bytes: usize = unread
        .iter()
        .map(|answer| answer.headers()["content-length"].to_str().unwrap().parse::<usize>().unwrap())
        .sum();
    assert!(bytes <= 256 << 20, "{bytes} bytes");
    // Small answers and writes go on.
    assert_eq!(world.ask("GET", "/node/commit").await.status, 200);
    assert_eq!(world.ask_as_member("PUT", "/app/contracts/c1", r#"{"data":1}"#).await.status, 200);
    unread.clear();
    assert_eq!(ask().await.status(), 200);
}
