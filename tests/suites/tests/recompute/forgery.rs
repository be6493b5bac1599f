//! Copies of a ledger in which somebody changed what was decided, right behind the transaction that decided it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use suites::chunks::{self, Entry, Table};

use crate::{Result, recompute};

const CONSTITUTION: &str = "public:ccf.gov.constitution";
const HISTORY: &str = "public:ccf.gov.cose_history";
const INFO: &str = "public:ccf.gov.proposals_info";
const MEMBERS: &str = "public:ccf.gov.members.info";
/// What the service itself writes where it decides.
const BY_THE_SERVICE: [&str; 4] = [HISTORY, INFO, "public:ccf.gov.cose_recent_proposals", "public:ccf.gov.proposals"];

type Tables = BTreeMap<String, Table>;

/// What is changed: if the tables of a transaction have it, they are changed, and it is said what the program has to name.
struct Forgery {
    name: &'static str,
    forge: fn(&mut Tables) -> Option<String>,
}

const FORGERIES: [Forgery; 9] = [
    Forgery { name: "a final vote", forge: a_final_vote },
    Forgery { name: "a state", forge: a_state },
    Forgery { name: "the reason of a failed ballot", forge: a_vote_failure },
    Forgery { name: "a ballot", forge: a_ballot },
    Forgery { name: "what was applied", forge: what_was_applied },
    Forgery { name: "something more that was applied", forge: something_more },
    Forgery { name: "the constitution that was voted", forge: a_constitution },
    Forgery { name: "a signed request", forge: a_request },
    Forgery { name: "a member without a decision", forge: a_member_by_itself },
];

/// Makes each forgery in a copy and has the program name it.
pub fn is_named(ledger: &Path, copies: &Path) -> Result<()> {
    let entries = chunks::read(ledger)?;
    for (number, Forgery { name, forge }) in FORGERIES.iter().enumerate() {
        let copy = copies.join(number.to_string());
        let (seqno, expected) = make(&entries, *forge, &copy)?.ok_or_else(|| format!("nowhere to forge {name}"))?;
        let found = recompute(&copy, &["--json"])?;
        let report: Value = serde_json::from_str(&found.stdout).map_err(|why| format!("{why}: {found:?}"))?;
        let first = &report["differences"][0];
        let what = first["what"].as_str().unwrap_or_default();
        println!("forged {name} at {seqno}: named at {}: {what}", first["transaction"]);
        assert_eq!(found.code, 1, "{name}: {report}");
        assert_eq!(first["seqno"], seqno, "{name}: {first}");
        assert!(what.contains(&expected), "{name}: {first}");
    }
    Ok(())
}

/// The ledger up to the first transaction that can be forged, which is; its seqno, and what is to be named.
fn make(entries: &[Entry], forge: fn(&mut Tables) -> Option<String>, copy: &Path) -> Result<Option<(u64, String)>> {
    std::fs::create_dir_all(copy)?;
    // The first of all was written by nobody who decides.
    for (at, entry) in entries.iter().enumerate().skip(1) {
        let mut tables = entry.public_tables()?;
        let Some(expected) = forge(&mut tables) else { continue };
        let mut chunk = vec![0; 8];
        entries[..at].iter().for_each(|entry| chunk.extend(&entry.bytes));
        chunk.extend(rewritten(entry, &tables));
        std::fs::write(copy.join("ledger_1"), chunk)?;
        return Ok(Some((entry.seqno, expected)));
    }
    Ok(None)
}

/// The bytes of an entry with other public tables.
fn rewritten(entry: &Entry, tables: &Tables) -> Vec<u8> {
    const BEFORE_TABLES: usize = 1 + 8 + 32 + 32 + 8;
    let mut public = entry.public[..BEFORE_TABLES].to_vec();
    for (name, table) in tables {
        sized(&mut public, name.as_bytes());
        public.extend([0; 16]);
        let (writes, removals): (Vec<_>, Vec<_>) = table.iter().partition(|(_, value)| value.is_some());
        number(&mut public, writes.len());
        for (key, value) in writes {
            sized(&mut public, key);
            sized(&mut public, value.as_deref().unwrap_or_default());
        }
        number(&mut public, removals.len());
        removals.iter().for_each(|(key, _)| sized(&mut public, key));
    }
    let mut body = entry.tag.to_vec();
    body.extend(entry.iv);
    sized(&mut body, &public);
    body.extend(&entry.private);
    let mut bytes = entry.bytes[..2].to_vec();
    bytes.extend(&(body.len() as u64).to_le_bytes()[..6]);
    bytes.extend(body);
    bytes
}

fn sized(bytes: &mut Vec<u8>, item: &[u8]) {
    number(bytes, item.len());
    bytes.extend(item);
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend((number as u64).to_le_bytes());
}

// ---- What is forged ----

/// Changes the first record of a proposal for which `change` finds something.
fn record(tables: &mut Tables, change: impl Fn(&mut Value) -> Option<()>) -> Option<()> {
    tables.get_mut(INFO)?.values_mut().find_map(|value| {
        let mut record: Value = serde_json::from_slice(value.as_ref()?).ok()?;
        change(&mut record)?;
        *value = Some(record.to_string().into_bytes());
        Some(())
    })
}

fn a_final_vote(tables: &mut Tables) -> Option<String> {
    record(tables, |record| {
        let vote = record["final_votes"].as_object_mut()?.values_mut().find(|vote| **vote == true)?;
        *vote = false.into();
        Some(())
    })?;
    Some("final_votes".into())
}

fn a_state(tables: &mut Tables) -> Option<String> {
    record(tables, |record| {
        let is_accepted = record["state"] == "Accepted";
        record["state"] = "Rejected".into();
        is_accepted.then_some(())
    })?;
    Some("state".into())
}

fn a_vote_failure(tables: &mut Tables) -> Option<String> {
    record(tables, |record| {
        let failure = record["vote_failures"].as_object_mut()?.values_mut().next()?;
        failure["reason"] = "Error: something else".into();
        Some(())
    })?;
    Some("vote_failures".into())
}

fn a_ballot(tables: &mut Tables) -> Option<String> {
    record(tables, |record| {
        let ballot = record["ballots"].as_object_mut()?.values_mut().next()?;
        *ballot = "export function vote() { return 1 > 0 }".into();
        Some(())
    })?;
    Some("ballots".into())
}

fn what_was_applied(tables: &mut Tables) -> Option<String> {
    tables.get(INFO)?;
    let applied = |name: &&String| name.starts_with("public:ccf.gov.") && !BY_THE_SERVICE.contains(&name.as_str());
    let name = tables.keys().find(applied)?.clone();
    let value =
        tables.get_mut(&name)?.values_mut().find_map(|value| value.as_mut().filter(|value| !value.is_empty()))?;
    let last = value.last_mut()?;
    *last ^= 1;
    Some(name)
}

fn something_more(tables: &mut Tables) -> Option<String> {
    tables.get(INFO)?;
    let key = "ef".repeat(32).into_bytes();
    let value = br#"{"member_data":{},"status":"Active"}"#.to_vec();
    tables.entry(MEMBERS.to_owned()).or_default().insert(key, Some(value));
    Some(MEMBERS.into())
}

fn a_constitution(tables: &mut Tables) -> Option<String> {
    tables.get(INFO)?;
    let value = tables.get_mut(CONSTITUTION)?.values_mut().next()?.as_mut()?;
    let text: String = serde_json::from_slice(value).ok()?;
    *value = Value::from(text + "\n").to_string().into_bytes();
    Some(CONSTITUTION.into())
}

fn a_request(tables: &mut Tables) -> Option<String> {
    let value = tables.get_mut(HISTORY)?.values_mut().next()?.as_mut()?;
    let middle = value.len() / 2;
    value[middle] = if value[middle] == b'A' { b'B' } else { b'A' };
    Some("signed request".into())
}

fn a_member_by_itself(tables: &mut Tables) -> Option<String> {
    if tables.contains_key(INFO) {
        return None;
    }
    let value = br#"{"member_data":{},"status":"Active"}"#.to_vec();
    tables.entry(MEMBERS.to_owned()).or_default().insert("ef".repeat(32).into_bytes(), Some(value));
    Some(MEMBERS.into())
}
