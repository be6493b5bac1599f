//! How long a node takes to come to life, to come back, and to show everything.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use suites::{Consortium, KeyFolder, Node, Result, Settings, cgs_binary, run};

use crate::load::{Case, Target, median};

const TIMES: usize = 5;
const TRANSACTIONS: u32 = 10_000;

/// Medians, in seconds.
pub struct Lives {
    /// From the start of the process until `/node/network` answers.
    pub answering: f64,
    /// From there on until the service is open and the application ready: three acks, a proposal, three votes.
    pub open: f64,
    /// From the start of the process until a contract is read, 10,000 transactions on disk, after SIGKILL.
    pub back: f64,
    /// `cgs demo`, from start to end.
    pub demo: f64,
}

/// Measures all of it, some times each.
pub async fn measure(directory: &Path, keys: &KeyFolder) -> Result<Lives> {
    let (mut answering, mut open) = (Vec::new(), Vec::new());
    for number in 0..TIMES {
        let (first, second) = birth(&directory.join(format!("life-{number}")), keys).await?;
        answering.push(first);
        open.push(second);
    }
    let back = comeback(&directory.join("comeback"), keys).await?;
    let mut demo = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        run(Command::new(cgs_binary()).arg("demo"))?.succeeded("cgs demo")?;
        demo.push(started.elapsed().as_secs_f64());
    }
    Ok(Lives { answering: median(answering), open: median(open), back: median(back), demo: median(demo) })
}

async fn birth(directory: &Path, keys: &KeyFolder) -> Result<(f64, f64)> {
    let consortium = Consortium::of(keys)?;
    let mut node = Node::prepare(directory, keys.path(), Settings::on_free_port()?)?;
    let started = Instant::now();
    node.start().await?;
    let answering = started.elapsed();
    consortium.bring_to_life(&node).await?;
    let open = started.elapsed();
    node.stop().await?;
    Ok((answering.as_secs_f64(), open.as_secs_f64()))
}

async fn comeback(directory: &Path, keys: &KeyFolder) -> Result<Vec<f64>> {
    let consortium = Consortium::of(keys)?;
    let mut node = Node::prepare(directory, keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    let body = json!({"data": {"text": "x".repeat(crate::TEXT)}});
    let api = node.api(Some(consortium.first()))?;
    api.put("/app/contracts/bench", &body).await?.expect_status(200)?;
    let case = Case::fill(64);
    Target::node(&node, consortium.first()).write_many(case, TRANSACTIONS, &body.to_string())?;
    let mut times = Vec::new();
    for _ in 0..TIMES {
        node.kill()?;
        let started = Instant::now();
        node.start().await?;
        let api = node.api(Some(consortium.first()))?;
        while api.post("/app/contracts/bench").await?.status != 200 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(started.elapsed().as_secs_f64());
    }
    node.stop().await?;
    Ok(times)
}
