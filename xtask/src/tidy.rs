//! Rules that no other tool checks.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::places::repository;

const LONGEST_FILE: usize = 600;
const DECISIONS: usize = 42;
/// Taken in as they are, or data.
const NOT_OURS: [&str; 3] = ["tests/conformance/", "tests/data/", "Cargo.lock"];
/// What is left over from writing, and paths of somebody's machine.
const LEFT_OVER: [&str; 7] = [
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
    concat!("#[", "ignore"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
];

/// Everything that is wrong, one line each.
pub(crate) fn complaints() -> Result<Vec<String>> {
    let root = repository();
    let mut found = Vec::new();
    let mut tests = BTreeSet::new();
    for name in files(&root)? {
        let Ok(text) = std::fs::read_to_string(root.join(&name)) else { continue };
        if name.ends_with(".rs") {
            length(&name, &text, &mut found);
            tests.extend(functions(&text));
        }
        left_over(&name, &text, &mut found);
    }
    let read = |name: &str| std::fs::read_to_string(root.join(name)).map_err(|why| format!("{name}: {why}"));
    let differences = read("docs/differences.md")?;
    for document in ["docs/threat-model.md", "docs/differences.md", "docs/limits.md"] {
        named_tests(document, &read(document)?, &tests, &mut found);
    }
    decisions(&differences, &tests, &mut found);
    Ok(found)
}

/// What git knows or would add, without what is not ours.
fn files(root: &Path) -> Result<Vec<String>> {
    let listing = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").current_dir(root).args(listing).output()?;
    let names = String::from_utf8(output.stdout)?;
    let ours = |name: &&str| !NOT_OURS.iter().any(|other| name.starts_with(other) || name.ends_with(other));
    Ok(names.lines().filter(ours).map(str::to_owned).collect())
}

fn length(name: &str, text: &str, found: &mut Vec<String>) {
    let lines = text.lines().count();
    if lines > LONGEST_FILE {
        found.push(format!("{name}: {lines} lines, more than {LONGEST_FILE}: it probably has two jobs"));
    }
}

fn left_over(name: &str, text: &str, found: &mut Vec<String>) {
    for (number, line) in text.lines().enumerate() {
        for word in LEFT_OVER.iter().filter(|word| line.contains(**word)) {
            found.push(format!("{name}:{}: left over: {word}", number + 1));
        }
    }
}

/// The names of all functions of a source file.
fn functions(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let (_, rest) = line.split_once("fn ")?;
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
        Some(rest.get(..end)?.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// A document that names a test as `` `test:NAME` `` must name one that exists.
fn named_tests(document: &str, text: &str, tests: &BTreeSet<String>, found: &mut Vec<String>) {
    for named in text.split("`test:").skip(1).filter_map(|rest| rest.split('`').next()) {
        if !tests.contains(named) {
            found.push(format!("{document}: there is no test {named}"));
        }
    }
}

/// Each decision has its line, and where that says that it is built, a test whose name starts with its number.
fn decisions(differences: &str, tests: &BTreeSet<String>, found: &mut Vec<String>) {
    for number in 1..=DECISIONS {
        let start = format!("| D{number} |");
        let Some(line) = differences.lines().find(|line| line.starts_with(&start)) else {
            found.push(format!("docs/differences.md: no line for D{number}"));
            continue;
        };
        let state = line.trim_end_matches(" |").rsplit("| ").next().unwrap_or_default();
        let prefix = format!("d{number:02}_");
        if !state.starts_with("later") && !tests.iter().any(|name| name.starts_with(&prefix)) {
            found.push(format!("docs/differences.md: D{number} is said to be built, but no test is called {prefix}…"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_names_of_functions() {
        let text = "    #[test]\n    fn finds_it() {}\npub async fn other<T>(t: T) {\n// no function here\n";
        assert_eq!(functions(text), ["finds_it", "other"]);
    }

    #[test]
    fn complains_of_a_test_that_does_not_exist() {
        let tests = BTreeSet::from(["there".to_owned()]);
        let mut found = Vec::new();
        named_tests("a.md", "| `test:there` | `test:gone` |", &tests, &mut found);
        assert_eq!(found, ["a.md: there is no test gone"]);
    }

    #[test]
    fn a_decision_that_is_built_has_a_test() {
        let table = |state: &str| (1..=DECISIONS).map(|n| format!("| D{n} | a | b | {state} |\n")).collect::<String>();
        let mut found = Vec::new();
        decisions(&table("later"), &BTreeSet::new(), &mut found);
        assert!(found.is_empty());
        decisions(&table("now, all of it"), &BTreeSet::from(["d07_nobody".to_owned()]), &mut found);
        assert_eq!(found.len(), DECISIONS - 1);
        found.clear();
        decisions("", &BTreeSet::new(), &mut found);
        assert_eq!(found.len(), DECISIONS);
    }
}
