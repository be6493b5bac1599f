//! The table, read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::questions::action_names;

const TEXT: &str = include_str!("../../../../tests/data/powers.tsv");
/// Written down by hand, so that no row is lost unnoticed.
const ROWS: usize = 224;
/// The actions of a constitution (64) and five names that are none.
const ACTIONS: usize = 69;

/// Who proposes, in the order of the columns.
pub(crate) const PROPOSERS: [&str; 6] = ["oper", "reco", "cgso", "cont", "alice", "zoe"];
/// The options that members can switch on, and how the table calls them.
pub(crate) const OPTIONS: [(&str, &str); 5] = [
    ("con", "autoapprove-constitution-proposal"),
    ("app", "autoapprove-jsapp-proposal"),
    ("spec", "autoapprove-deploymentspec-proposal"),
    ("info", "autoapprove-deploymentinfo-proposal"),
    ("policy", "autoapprove-cleanroompolicy-proposal"),
];

/// Who else has to agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Nobody,
    All,
    AllAndTheInvited,
    Rejected,
    Refused,
    MayNotPropose,
    NoSuchProposer,
}

impl Who {
    fn of(letter: char) -> Self {
        match letter {
            '1' => Self::Nobody,
            'A' => Self::All,
            'W' => Self::AllAndTheInvited,
            'R' => Self::Rejected,
            'X' => Self::Refused,
            '.' => Self::MayNotPropose,
            '-' => Self::NoSuchProposer,
            other => panic!("the table has a letter {other}"),
        }
    }
}

/// What a vote against a proposal does that is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum No {
    Ends,
    Stays,
    NeverOpen,
}

pub(crate) struct Row {
    pub(crate) name: String,
    /// By proposer, then by phase.
    pub(crate) who: Vec<Vec<Who>>,
    pub(crate) no: No,
    /// The phases, from 0, in which it cannot be carried out.
    pub(crate) fails: BTreeSet<usize>,
    pub(crate) options: Vec<&'static str>,
    /// Actions as proposed, with what stands in <> not yet filled in.
    pub(crate) actions: Value,
}

/// The rows in their order.
pub(crate) fn rows() -> Vec<Row> {
    TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(row).collect()
}

fn row(line: &str) -> Row {
    let parts: Vec<&str> = line.splitn(5, '|').map(str::trim).collect();
    let [head, no, fails, options, actions] = parts[..] else { panic!("not five parts: {line}") };
    let mut words: Vec<&str> = head.split_whitespace().collect();
    let letters = words.split_off(words.len() - PROPOSERS.len());
    let who: Vec<Vec<Who>> = letters.iter().map(|word| word.chars().map(Who::of).collect()).collect();
    assert!(who.iter().all(|phases| phases.len() == 4), "{line}");
    Row {
        name: words.join(" "),
        who,
        no: match no {
            "ends" => No::Ends,
            "stays" => No::Stays,
            "-" => No::NeverOpen,
            other => panic!("{other}: {line}"),
        },
        fails: fails.chars().filter_map(|phase| Some(phase.to_digit(10)? as usize - 1)).collect(),
        options: options.split(',').filter(|short| *short != "-").map(option).collect(),
        actions: row_actions(actions),
    }
}

/// Actions in the notation of the table.
pub(crate) fn row_actions(text: &str) -> Value {
    Value::Array(text.split(" && ").filter(|text| !text.is_empty()).map(action).collect())
}

fn option(short: &str) -> &'static str {
    OPTIONS.iter().find(|(name, _)| *name == short).unwrap_or_else(|| panic!("no option {short}")).1
}

fn action(text: &str) -> Value {
    let (name, args) = text.split_once(' ').unwrap_or((text, ""));
    if args.is_empty() {
        return json!({ "name": name });
    }
    let args: Value = serde_json::from_str(args).unwrap_or_else(|why| panic!("{why}: {text}"));
    json!({ "name": name, "args": args })
}

/// Fills in what stands in <>.
pub(crate) fn fill(template: &Value, values: &BTreeMap<String, Value>) -> Value {
    match template {
        Value::String(text) if text.starts_with('<') && text.ends_with('>') => {
            let name = &text[1..text.len() - 1];
            values.get(name).unwrap_or_else(|| panic!("nothing is called <{name}>")).clone()
        }
        Value::Array(items) => items.iter().map(|item| fill(item, values)).collect(),
        Value::Object(members) => members.iter().map(|(name, item)| (name.clone(), fill(item, values))).collect(),
        other => other.clone(),
    }
}

/// Counts what the table says, against numbers that a person wrote.
pub(crate) fn the_table_is_whole() {
    let rows = rows();
    assert_eq!(rows.len(), ROWS, "a row was added or lost: count again");
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), ROWS, "two rows have the same name");
    let actions = rows.iter().flat_map(|row| row.actions.as_array().unwrap());
    let actions: BTreeSet<&str> = actions.map(|action| action["name"].as_str().unwrap()).collect();
    assert_eq!(actions.len(), ACTIONS, "{actions:?}");
    for known in action_names() {
        assert!(actions.contains(known.as_str()), "the table has no row for {known}");
    }
    for row in &rows {
        assert!(row.who[5].iter().all(|who| *who == Who::MayNotPropose), "{}: who is only Accepted", row.name);
        assert!(row.who[4][0] == Who::NoSuchProposer, "{}: no counted member is Active before", row.name);
        let waits = row.who.iter().flatten().any(|who| matches!(who, Who::All | Who::AllAndTheInvited));
        assert_eq!(waits || row.no == No::Ends, row.no != No::NeverOpen, "{}: what a no does", row.name);
    }
}
