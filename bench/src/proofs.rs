//! How long it takes to verify a ledger, beside CCF's Python package on the same files.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use suites::{Consortium, KeyFolder, Node, Result, Settings, cgs_binary, python, repository, run};

use crate::load::{Case, Target, median};

/// Ledgers of two shapes: batches that many clients share, and a signature behind every single write.
const SHAPES: [(u32, u32); 2] = [(20_000, 64), (3_000, 1)];
/// They take turns, so that both see the same minutes of the machine.
const TIMES: usize = 3;

/// The figures of one ledger.
pub struct Proof {
    /// All transactions, those of the signatures included.
    pub transactions: u64,
    /// Signatures of nodes, and as many of the service.
    pub signatures: u64,
    /// Seconds of `cgs ledger verify`, process included, in each round.
    ours: Vec<f64>,
    /// Seconds of the Python package.
    theirs: Vec<f64>,
}

impl Proof {
    /// The median of our times, in seconds.
    pub fn seconds(&self) -> f64 {
        median(self.ours.clone())
    }

    /// The median of the Python package's times, in seconds.
    pub fn python_seconds(&self) -> f64 {
        median(self.theirs.clone())
    }

    /// How many times as fast, in the median round.
    pub fn ratio(&self) -> f64 {
        median(self.theirs.iter().zip(&self.ours).map(|(theirs, ours)| theirs / ours).collect())
    }
}

/// Writes a ledger of each shape and verifies it in turn.
pub async fn measure(directory: &Path, keys: &KeyFolder) -> Result<Vec<Proof>> {
    let mut proofs = Vec::new();
    for (writes, connections) in SHAPES {
        let directory = directory.join(format!("proof-{connections}"));
        let ledger = write(&directory, keys, writes, connections).await?;
        proofs.push(verify(&ledger)?);
    }
    Ok(proofs)
}

/// The node has stopped when this returns.
async fn write(directory: &Path, keys: &KeyFolder, writes: u32, connections: u32) -> Result<std::path::PathBuf> {
    let consortium = Consortium::of(keys)?;
    let mut node = Node::prepare(directory, keys.path(), Settings::on_free_port()?)?;
    node.start().await?;
    consortium.bring_to_life(&node).await?;
    let body = json!({"data": {"text": "x".repeat(crate::TEXT)}}).to_string();
    let case = Case::fill(connections);
    Target::node(&node, consortium.first()).write_many(case, writes, &body)?;
    let ledger = node.ledger();
    node.stop().await?;
    Ok(ledger)
}

fn verify(ledger: &Path) -> Result<Proof> {
    let script = repository().join("tests/interop/ledger.py");
    let (mut ours, mut theirs, mut report) = (Vec::new(), Vec::new(), Value::Null);
    for _ in 0..TIMES {
        let started = Instant::now();
        let said = run(Command::new(cgs_binary()).args(["--output", "json", "ledger", "verify"]).arg(ledger))?;
        ours.push(started.elapsed().as_secs_f64());
        report = serde_json::from_str(&said.succeeded("cgs ledger verify")?)?;
        let started = Instant::now();
        run(Command::new(python()).arg(&script).arg(ledger))?.succeeded("Python ccf")?;
        theirs.push(started.elapsed().as_secs_f64());
    }
    let last = report["last"].as_str().and_then(|last| last.split('.').nth(1)?.parse().ok());
    let signatures = report["signatures"].as_u64().filter(|count| report["coseSignatures"] == *count);
    let (transactions, signatures) = last.zip(signatures).ok_or("the report lacks a figure")?;
    println!("{transactions} transactions: {ours:.2?} s, Python {theirs:.2?} s");
    Ok(Proof { transactions, signatures, ours, theirs })
}
