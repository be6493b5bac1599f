//! The conformance kit against a fresh node: what the reference answered, exchange by exchange.
//!
//! Areas that `tests/conformance/pending.txt` does not list must match completely. A listed area must match at least as
//! many exchanges as the file says, and as soon as it matches completely its line has to go; so the list only shrinks.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use suites::{KeyFolder, Node, Result, Settings, evidence, python, repository, run, scratch};

/// Matched and compared exchanges of one area.
#[derive(Clone, Copy)]
struct Score {
    matched: u64,
    total: u64,
}

#[tokio::test]
async fn answers_are_those_of_the_reference() -> Result<()> {
    let directory = scratch("conformance")?;
    let kit = repository().join("tests/conformance");
    let keys = directory.join("keys");
    run(Command::new(python()).arg(kit.join("make_keys.py")).arg(&keys))?.succeeded("make_keys.py")?;
    let keys = KeyFolder::existing(&keys);
    let mut node = Node::prepare(&directory.join("node"), keys.path(), Settings::on_free_port()?)?;
    node.start().await?;

    let target = directory.join("info.json");
    let info = json!({
        "url": node.url(), "ca": node.service_certificate(), "keys": keys.path(), "evidence": evidence(),
    });
    std::fs::write(&target, info.to_string())?;
    let exchanges = directory.join("run");
    play(&kit, &target, &exchanges)?;
    let report = compare(&kit, &exchanges)?;
    std::fs::write(directory.join("report.txt"), &report)?;
    assert!(!node.has_ended()?, "the node did not survive the scenario:\n{}", node.log_end());

    let pending_file = kit.join("pending.txt");
    let pending = parse_pending(&std::fs::read_to_string(&pending_file)?)?;
    let scores = scores(&report)?;
    if std::env::var_os("CGS_RAISE").is_some() {
        std::fs::write(&pending_file, raised(&pending, &scores))?;
    }
    let complaints = judge(&pending, &scores);
    println!("{}", summary(&scores));
    assert!(complaints.is_empty(), "{}\n{}", failures(&report, &pending), complaints.join("\n"));
    Ok(())
}

fn play(kit: &Path, target: &Path, out: &Path) -> Result<()> {
    let mut command = Command::new(python());
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(kit.join("run.py")).arg("--target").arg(target);
    let finished = run(command.arg("--out").arg(out))?;
    // Status 2 says that the scenario broke off somewhere; the comparison then names what is missing.
    if finished.code != 0 && finished.code != 2 {
        finished.succeeded("run.py")?;
    }
    Ok(())
}

fn compare(kit: &Path, exchanges: &Path) -> Result<String> {
    let mut command = Command::new(python());
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(kit.join("compare.py")).arg(exchanges);
    let finished = run(&mut command)?;
    let complete = finished.stdout.lines().last().is_some_and(|line| line.starts_with("matched "));
    if complete {
        Ok(finished.stdout)
    } else {
        Err(format!("compare.py: {}{}", finished.stdout, finished.stderr).into())
    }
}

/// The lines `area: matched/total` of a report.
fn scores(report: &str) -> Result<BTreeMap<String, Score>> {
    let mut scores = BTreeMap::new();
    for line in report.lines().filter(|line| !line.starts_with(' ')) {
        let Some((area, rest)) = line.split_once(": ") else { continue };
        let Some((matched, total)) = rest.split(' ').next().and_then(|score| score.split_once('/')) else { continue };
        scores.insert(area.to_owned(), Score { matched: matched.parse()?, total: total.parse()? });
    }
    Ok(scores)
}

/// The lines `area least-number-of-matches` of the file; `#` starts a comment.
fn parse_pending(text: &str) -> Result<BTreeMap<String, u64>> {
    let mut pending = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (area, least) = line.split_once(' ').ok_or_else(|| format!("pending.txt: no number in `{line}`"))?;
        pending.insert(area.to_owned(), least.trim().parse()?);
    }
    Ok(pending)
}

fn judge(pending: &BTreeMap<String, u64>, scores: &BTreeMap<String, Score>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (area, score) in scores {
        let Score { matched, total } = *score;
        match pending.get(area) {
            None if matched < total => complaints.push(format!("{area}: {matched} of {total} match, all have to")),
            Some(_) if matched == total => {
                complaints.push(format!("{area} matches completely: remove its line from pending.txt"));
            }
            Some(least) if matched < *least => {
                complaints.push(format!("{area}: {matched} match, {least} did before (pending.txt)"));
            }
            _ => {}
        }
    }
    for area in pending.keys().filter(|area| !scores.contains_key(*area)) {
        complaints.push(format!("{area} is listed in pending.txt, but no such area was compared"));
    }
    complaints
}

/// The file with the numbers of this run where they are higher, without the areas that match completely.
fn raised(pending: &BTreeMap<String, u64>, scores: &BTreeMap<String, Score>) -> String {
    let mut text = String::from(
        "# Areas of the conformance kit that do not match completely yet, each with the number of exchanges that do.\n\
         # No line may be added and no number lowered. `cargo xtask test --only conformance --raise` raises the numbers.\n",
    );
    for (area, least) in pending {
        match scores.get(area) {
            Some(score) if score.matched == score.total => {}
            Some(score) => text.push_str(&format!("{area} {}\n", score.matched.max(*least))),
            None => text.push_str(&format!("{area} {least}\n")),
        }
    }
    text
}

fn summary(scores: &BTreeMap<String, Score>) -> String {
    let matched: u64 = scores.values().map(|score| score.matched).sum();
    let total: u64 = scores.values().map(|score| score.total).sum();
    let complete = scores.values().filter(|score| score.matched == score.total).count();
    format!("matched {matched} of {total}; {complete} of {} areas completely", scores.len())
}

/// The report without the areas that are pending.
fn failures(report: &str, pending: &BTreeMap<String, u64>) -> String {
    let mut shown = true;
    let mut kept = Vec::new();
    for line in report.lines() {
        if !line.starts_with(' ')
            && let Some((area, _)) = line.split_once(": ")
        {
            shown = !pending.contains_key(area);
        }
        if shown {
            kept.push(line);
        }
    }
    kept.join("\n")
}

#[test]
fn the_list_of_pending_areas_only_shrinks() {
    let pending = BTreeMap::from([("a".to_owned(), 2), ("gone".to_owned(), 1)]);
    let scores = |matched| BTreeMap::from([("a".to_owned(), Score { matched, total: 3 })]);
    assert_eq!(judge(&pending, &scores(2)).len(), 1);
    assert!(
        judge(&pending, &scores(1))[1].contains("did before") || judge(&pending, &scores(1))[0].contains("did before")
    );
    assert!(judge(&pending, &scores(3))[0].contains("remove its line"));
    assert!(judge(&BTreeMap::new(), &scores(2))[0].contains("all have to"));
    assert!(raised(&pending, &scores(3)).ends_with("gone 1\n"));
}
