//! The tables of `bench/README.md`.

use suites::{Result, repository};

use crate::evidence::Evidence;
use crate::lives::Lives;
use crate::load::{Figure, Goal};
use crate::machine::{self, Moment};
use crate::memory::Memory;
use crate::options::Options;
use crate::pages::Pages;
use crate::proofs::Proof;
use crate::restart::Restart;

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end of figures -->";

/// Everything that was measured.
#[derive(Default)]
pub struct Figures {
    /// Under load, beside the floor.
    pub load: Vec<Figure>,
    /// Starts.
    pub lives: Option<Lives>,
    /// Memory.
    pub memory: Option<Memory>,
    /// The start with a long history.
    pub restart: Option<Restart>,
    /// Pages of old events.
    pub pages: Option<Pages>,
    /// Verification of ledgers.
    pub proofs: Vec<Proof>,
    /// Verification of evidence.
    pub evidence: Vec<Evidence>,
}

/// Where and when it was measured.
pub fn conditions(options: &Options, before: &Moment, after: &Moment) -> String {
    let (machine, how) = (machine::processors(), options.describe());
    format!("{machine}. Before: {}.\nAfter: {}.\n{how}.\n", before.describe(), after.describe())
}

impl Figures {
    /// As Markdown: the goals first, then the figures behind them.
    pub fn render(&self) -> String {
        let goals = table("| goal | wanted | reached | |\n|---|---|---|---|", self.goals());
        [goals, self.under_load(), self.starts(), self.verification(), self.judging()].concat()
    }

    fn goals(&self) -> Vec<String> {
        let mut rows: Vec<String> = self.load.iter().filter_map(goal_of).collect();
        rows.extend(self.memory.as_ref().map(|memory| {
            let name = format!("resident memory after {} PUTs of 1 KiB, MiB", memory.writes);
            at_most(&name, 100.0, memory.resident, 0)
        }));
        rows.extend(self.restart.as_ref().and_then(|restart| {
            let name = format!("restart with {} transactions and a snapshot, s", restart.transactions);
            restart.with_snapshot.map(|seconds| at_most(&name, 3.0, seconds, 2))
        }));
        if let Some(Pages { states: (few, many), milliseconds: (short, long) }) = &self.pages {
            rows.push(at_most(&format!("page of 100 out of {many} states, ms"), 20.0, *long, 2));
            rows.push(at_most(&format!("the same, compared with one out of {few}"), 2.0, long / short, 2));
        }
        let slowest = self.proofs.iter().map(Proof::ratio).reduce(f64::min);
        rows.extend(
            slowest.map(|ratio| at_least("verification of a ledger, compared with Python `ccf`", 5.0, ratio, 1)),
        );
        rows
    }

    fn under_load(&self) -> String {
        let head = "| request | connections | node | floor | rates, node to floor (lowest to highest round) | \
             p50, node to floor | p50 ms | p99 ms |\n|---|---|---|---|---|---|---|---|";
        table(head, self.load.iter().map(figure_row).collect())
    }

    fn starts(&self) -> String {
        let mut rows = Vec::new();
        if let Some(lives) = &self.lives {
            rows.push(format!("| until `/node/network` answers | {:.3} | |", lives.answering));
            rows.push(format!("| until the service is open (3 acks, a proposal, 3 votes) | {:.3} | 0.3 |", lives.open));
            let text = "after SIGKILL with 10,000 transactions, until a contract is read";
            rows.push(format!("| {text} | {:.3} | |", lives.back));
            rows.push(format!("| `cgs demo`, to its end | {:.2} | 5 |", lives.demo));
        }
        rows.extend(self.restart.as_ref().and_then(|restart| {
            let mebibytes = restart.snapshot_bytes >> 20;
            let text = format!("the same with {} and {mebibytes} MiB of snapshots", restart.transactions);
            Some(format!("| {text} | {:.2} | 3 |", restart.with_snapshot?))
        }));
        rows.extend(self.memory.as_ref().map(|memory| {
            let Memory { writes, resident, peak } = memory;
            format!("| (MiB resident after {writes} writes, and the most before) | {resident:.0}, {peak:.0} | 100 |")
        }));
        table("| from the start of the process | seconds | goal |\n|---|---|---|", rows)
    }

    fn verification(&self) -> String {
        let head = "| verification of a ledger, every signature | seconds | Python `ccf` | times as fast (goal 5) |\n\
             |---|---|---|---|";
        table(head, self.proofs.iter().map(proof_row).collect())
    }

    fn judging(&self) -> String {
        let row =
            |Evidence { name, anew, remembered }: &Evidence| format!("| {name} | {anew:.0}/s | {remembered:.0}/s |");
        let head =
            "| verification of evidence, one processor | chain verified anew | chain remembered |\n|---|---|---|";
        table(head, self.evidence.iter().map(row).collect())
    }
}

/// Nothing without rows.
fn table(head: &str, rows: Vec<String>) -> String {
    if rows.is_empty() { String::new() } else { format!("\n{head}\n{}\n", rows.join("\n")) }
}

fn goal_of(figure: &Figure) -> Option<String> {
    let (rate, p50) = figure.ratios();
    let name = format!("{} at {}", figure.case.name, figure.case.connections);
    match figure.case.goal {
        Goal::Rate(least) => Some(at_least(&format!("{name}, rate to that of the floor"), least, rate, 2)),
        Goal::P50(most) => Some(at_most(&format!("{name}, p50 to that of the floor"), most, p50, 2)),
        Goal::None => None,
    }
}

fn at_least(name: &str, least: f64, reached: f64, digits: usize) -> String {
    goal_row(name, &format!("at least {least}"), reached, digits, reached >= least)
}

fn at_most(name: &str, most: f64, reached: f64, digits: usize) -> String {
    goal_row(name, &format!("at most {most}"), reached, digits, reached <= most)
}

fn goal_row(name: &str, wanted: &str, reached: f64, digits: usize, is_reached: bool) -> String {
    format!("| {name} | {wanted} | **{reached:.digits$}** | {} |", if is_reached { "reached" } else { "missed" })
}

fn figure_row(figure: &Figure) -> String {
    let ((low, high), (rate, p50)) = (figure.range(), figure.ratios());
    format!(
        "| {} | {} | {:.0}/s | {:.0}/s | **{rate:.2}** ({low:.2} to {high:.2}) | {p50:.2} | {:.2} | {:.2} |",
        figure.case.name,
        figure.case.connections,
        figure.median(|round| round.0.rate),
        figure.median(|round| round.1.rate),
        figure.median(|round| round.0.p50),
        figure.median(|round| round.0.p99),
    )
}

fn proof_row(proof: &Proof) -> String {
    let Proof { transactions, signatures, .. } = proof;
    let (ours, theirs, ratio) = (proof.seconds(), proof.python_seconds(), proof.ratio());
    format!("| {transactions} transactions, {signatures} signatures | {ours:.2} | {theirs:.2} | **{ratio:.1}** |")
}

/// Puts the text between the marks of `bench/README.md`.
pub fn write(text: &str) -> Result<()> {
    let file = repository().join("bench/README.md");
    let page = std::fs::read_to_string(&file)?;
    let (before, rest) = page.split_once(BEGIN).ok_or("bench/README.md has lost its mark")?;
    let (_, after) = rest.split_once(END).ok_or("bench/README.md has lost its mark")?;
    std::fs::write(file, format!("{before}{BEGIN}\n{text}{END}{after}"))?;
    Ok(())
}
