//! One case against one server, by the load generator.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use suites::{Member, Node, Result, run};

use crate::floor::Floor;

/// What is asked, and on how many connections.
#[derive(Clone, Copy)]
pub struct Case {
    /// For the table.
    pub name: &'static str,
    /// A PUT of a new contract, or a read of one.
    pub write: bool,
    /// One request in flight on each.
    pub connections: u32,
}

/// One measurement.
#[derive(Clone, Copy)]
pub struct Measured {
    /// Answers per second.
    pub rate: f64,
    /// Median latency in milliseconds.
    pub p50: f64,
    /// 99th percentile in milliseconds.
    pub p99: f64,
}

/// The rounds of one case.
pub struct Figure {
    /// What was asked.
    pub case: Case,
    rounds: Vec<(Measured, Measured)>,
}

impl Figure {
    /// No round yet.
    pub fn of(case: Case) -> Self {
        Self { case, rounds: Vec::new() }
    }

    /// A round: the node, then the floor.
    pub fn add(&mut self, node: Measured, floor: Measured) {
        self.rounds.push((node, floor));
    }

    /// The medians of what `pick` takes from each round.
    pub fn median(&self, pick: impl Fn(&(Measured, Measured)) -> f64) -> f64 {
        median(self.rounds.iter().map(pick).collect())
    }

    /// The lowest and the highest ratio of a round.
    pub fn range(&self) -> (f64, f64) {
        let ratios = || self.rounds.iter().map(|(node, floor)| node.rate / floor.rate);
        (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max))
    }
}

/// The median; of an even number, the mean of the middle two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A server, and who asks it.
pub struct Target {
    url: String,
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    read_path: &'static str,
}

impl Target {
    /// The node under test.
    pub fn node(node: &Node, member: &Member) -> Self {
        Self {
            url: node.url(),
            authority: node.service_certificate(),
            certificate: member.certificate_file.clone(),
            key: member.key_file.clone(),
            read_path: "/app/contracts/bench",
        }
    }

    /// The floor beside it, asked by the same member.
    pub fn floor(floor: &Floor, member: &Member) -> Self {
        Self {
            url: floor.url.clone(),
            authority: floor.certificate.clone(),
            certificate: member.certificate_file.clone(),
            key: member.key_file.clone(),
            read_path: "/",
        }
    }

    /// Runs a case for some seconds. Any answer but 2xx is an error: a refusal is cheap and would look fast.
    pub fn load(&self, case: Case, seconds: u64, body: &str) -> Result<Measured> {
        let result = self.generate(case, body, &["--seconds", &seconds.to_string(), "--warmup", "1"])?;
        let number = |path: &str| result.pointer(path).and_then(Value::as_f64).ok_or("a figure is missing");
        Ok(Measured { rate: number("/rps")?, p50: number("/latency_ms/p50")?, p99: number("/latency_ms/p99")? })
    }

    /// Writes exactly this many new contracts.
    pub fn write_many(&self, case: Case, count: u32, body: &str) -> Result<()> {
        let count = count.to_string();
        self.generate(case, body, &["--requests", &count, "--warmup", "0", "--seconds", "600"]).map(drop)
    }

    fn generate(&self, case: Case, body: &str, options: &[&str]) -> Result<Value> {
        let mut command = Command::new(crate::tool("loadgen")?);
        let connections = case.connections.to_string();
        command.args(["--json", "--connections", &connections]).args(options);
        command.arg("--ca").arg(&self.authority).arg("--cert").arg(&self.certificate).arg("--key").arg(&self.key);
        if case.write {
            command.args(["--method", "PUT", "--header", "content-type: application/json", "--body", body]);
            command.args(["--url", &format!("{}/app/contracts/b-{{r}}-{{n}}", self.url)]);
        } else {
            command.args(["--method", "POST", "--url", &format!("{}{}", self.url, self.read_path)]);
        }
        let result: Value = serde_json::from_str(&run(&mut command)?.succeeded("loadgen")?)?;
        if result["non_2xx"] != 0 || result["errors"] != 0 {
            return Err(format!("{} was refused: {result}", case.name).into());
        }
        Ok(result)
    }
}
