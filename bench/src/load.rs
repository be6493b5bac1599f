//! One case against one server, by the load generator.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use suites::{Member, Node, Result, run};

use crate::floor::Floor;

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A read of one contract.
    Read,
    /// The same, each on a connection of its own, with a full handshake.
    FreshRead,
    /// A PUT of a new contract.
    Write,
}

/// What is wanted of a node beside the floor.
#[derive(Clone, Copy)]
pub enum Goal {
    /// At least this share of the floor's rate.
    Rate(f64),
    /// At most so many times the floor's median latency.
    P50(f64),
    /// Nothing: it is work, not a measurement.
    None,
}

/// What is asked, on how many connections, and what is wanted.
#[derive(Clone, Copy)]
pub struct Case {
    /// For the table.
    pub name: &'static str,
    /// What is asked.
    pub kind: Kind,
    /// One request in flight on each.
    pub connections: u32,
    /// What is wanted.
    pub goal: Goal,
}

impl Case {
    /// Writes that are not measured.
    pub fn fill(connections: u32) -> Self {
        Self { name: "fill", kind: Kind::Write, connections, goal: Goal::None }
    }
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

    /// The median ratio of the rates, and that of the median latencies.
    pub fn ratios(&self) -> (f64, f64) {
        let rate = self.median(|(node, floor)| node.rate / floor.rate);
        (rate, self.median(|(node, floor)| node.p50 / floor.p50))
    }

    /// The lowest and the highest ratio of the rates in a round.
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
        let result =
            self.generate(case, body, &["--requests", &count.to_string(), "--warmup", "0", "--seconds", "600"])?;
        let written = result["statuses"]["200"].as_u64();
        if written == Some(u64::from(count)) {
            Ok(())
        } else {
            Err(format!("{count} were to be written: {result}").into())
        }
    }

    fn generate(&self, case: Case, body: &str, options: &[&str]) -> Result<Value> {
        let mut command = Command::new(crate::tool("loadgen")?);
        let connections = case.connections.to_string();
        command.args(["--json", "--connections", &connections]).args(options);
        command.arg("--ca").arg(&self.authority).arg("--cert").arg(&self.certificate).arg("--key").arg(&self.key);
        if case.kind == Kind::FreshRead {
            command.arg("--no-keepalive");
        }
        if case.kind == Kind::Write {
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
