//! The table of `bench/README.md`.

use suites::{Result, repository};

use crate::evidence::Evidence;
use crate::lives::Lives;
use crate::load::Figure;
use crate::proofs::Proof;

const BEGIN: &str = "<!-- figures: written by `cargo xtask bench --write` -->";
const END: &str = "<!-- end of figures -->";

/// Everything that was measured, as Markdown.
pub fn render(conditions: &str, figures: &[Figure], lives: &Lives, proofs: &[Proof], evidence: &[Evidence]) -> String {
    let mut text = format!("{}\n{conditions}.\n\n", machine());
    text.push_str("| request | connections | node | floor | ratio (lowest to highest round) | p50 ms | p99 ms |\n");
    text.push_str("|---|---|---|---|---|---|---|\n");
    for figure in figures {
        let (low, high) = figure.range();
        text.push_str(&format!(
            "| {} | {} | {:.0}/s | {:.0}/s | **{:.2}** ({low:.2} to {high:.2}) | {:.2} | {:.2} |\n",
            figure.case.name,
            figure.case.connections,
            figure.median(|round| round.0.rate),
            figure.median(|round| round.1.rate),
            figure.median(|round| round.0.rate / round.1.rate),
            figure.median(|round| round.0.p50),
            figure.median(|round| round.0.p99),
        ));
    }
    text.push_str("\n| from the start of the process | seconds | goal |\n|---|---|---|\n");
    text.push_str(&format!("| until `/node/network` answers | {:.3} | |\n", lives.answering));
    text.push_str(&format!("| until the service is open (3 acks, a proposal, 3 votes) | {:.3} | 0.3 |\n", lives.open));
    text.push_str(&format!(
        "| after SIGKILL with 10,000 transactions, until a contract is read | {:.3} | |\n",
        lives.back
    ));
    text.push_str(&format!("| `cgs demo`, to its end | {:.2} | 5 |\n", lives.demo));
    text.push_str(
        "\n| verification of a ledger, every signature | seconds | Python `ccf` | times as fast (goal 5) |\n",
    );
    text.push_str("|---|---|---|---|\n");
    for proof in proofs {
        let Proof { transactions, signatures, .. } = proof;
        let (ours, theirs, ratio) = (proof.seconds(), proof.python_seconds(), proof.ratio());
        text.push_str(&format!(
            "| {transactions} transactions, {signatures} signatures | {ours:.2} | {theirs:.2} | **{ratio:.1}** |\n"
        ));
    }
    text.push_str(
        "\n| verification of evidence, one processor | chain verified anew | chain remembered |\n|---|---|---|\n",
    );
    for Evidence { name, anew, remembered } in evidence {
        text.push_str(&format!("| {name} | {anew:.0}/s | {remembered:.0}/s |\n"));
    }
    text
}

/// What the machine says about itself.
fn machine() -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let name = name.trim_start_matches(['\t', ' ', ':']);
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{processors} processors, {name}; load average {load} at the end of the run.")
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
