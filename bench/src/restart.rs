//! How long a service with a long history takes to come back.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use suites::{Consortium, KeyFolder, Member, Node, Result, Settings, action};

use crate::load::{Case, Target, median};

/// Starts in a row; the figure is their median.
const TIMES: usize = 3;
/// Connections that fill the ledger. Nothing is measured then.
const CONNECTIONS: u32 = 128;
/// How long a snapshot may take to get its final name.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(60);

/// The figures of one service.
pub struct Restart {
    /// Writes, each of a contract of its own of about 1 KiB.
    pub transactions: u32,
    /// Seconds from the start of the process until a contract is read; `None` without snapshots.
    pub with_snapshot: Option<f64>,
    /// Bytes of all complete snapshots.
    pub snapshot_bytes: u64,
}

/// Fills a service, asks for a snapshot, kills and starts it.
pub async fn measure(directory: &Path, keys: &KeyFolder, transactions: u32) -> Result<Restart> {
    let consortium = Consortium::of(keys)?;
    let mut node = Node::prepare(&directory.join("restart"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    let body = json!({"data": {"text": "x".repeat(crate::TEXT)}});
    let api = node.api(Some(consortium.first()))?;
    api.put("/app/contracts/bench", &body).await?.expect_status(200)?;
    Target::node(&node, consortium.first()).write_many(Case::fill(CONNECTIONS), transactions, &body.to_string())?;
    let before = snapshots(&node).0;
    consortium.pass(&node.api(None)?, &[action("trigger_snapshot", &json!(null))]).await?;
    let snapshot_bytes = snapshot_behind(&node, before).await?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        node.kill()?;
        times.push(come_back(&mut node, consortium.first()).await?);
    }
    println!("{transactions} transactions: back after {times:.2?} s, {snapshot_bytes} bytes of snapshots");
    node.stop().await?;
    Ok(Restart { transactions, with_snapshot: (snapshot_bytes > 0).then(|| median(times)), snapshot_bytes })
}

async fn come_back(node: &mut Node, member: &Member) -> Result<f64> {
    let started = Instant::now();
    node.spawn()?;
    loop {
        if node.has_ended()? {
            return Err(format!("the node ended instead of starting:\n{}", node.log_end()).into());
        }
        let api = node.api(Some(member))?;
        if api.post("/app/contracts/bench").await.is_ok_and(|answer| answer.status == 200) {
            return Ok(started.elapsed().as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until there is a complete snapshot more than `before`, and says how large all are.
async fn snapshot_behind(node: &Node, before: usize) -> Result<u64> {
    let asked = Instant::now();
    while asked.elapsed() < SNAPSHOT_LIMIT {
        let (count, bytes) = snapshots(node);
        if count > before {
            return Ok(bytes);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("the node has written no snapshot within {SNAPSHOT_LIMIT:?}");
    Ok(0)
}

/// How many complete snapshots there are, and their bytes.
fn snapshots(node: &Node) -> (usize, u64) {
    let Ok(names) = std::fs::read_dir(node.directory().join("snapshots")) else { return (0, 0) };
    let complete = names.flatten().filter(|one| one.file_name().to_string_lossy().ends_with(".committed"));
    complete.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.metadata().map_or(0, |data| data.len())))
}
