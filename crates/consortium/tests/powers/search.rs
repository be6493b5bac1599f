//! Looks for a way to more power that asks nobody: proposals of one party, one after the other, from states in which
//! a counted member is or was Active. All who are not counted vote for each of them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, OnceLock},
};

use serde_json::{Value, json};

use crate::{
    people::people,
    permissive::gained,
    phases::{phases, with_status},
    questions::{Question, Votes, ask},
    service::{Service, in_parallel},
    table::{fill, row_actions, rows},
};

const HOSTILE: &str = include_str!("hostile.txt");
/// Any number; always the same sequences.
const SEED: u64 = 0x5ead;

/// Proposals to try: all of the table, and those that mean harm.
fn alphabet() -> Vec<&'static Value> {
    static ALPHABET: OnceLock<Vec<Value>> = OnceLock::new();
    let alphabet = ALPHABET.get_or_init(|| {
        let hostile = HOSTILE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(row_actions);
        let all = rows().into_iter().map(|row| row.actions).chain(hostile);
        let mut seen = BTreeSet::new();
        let filled = all.map(|actions| fill(&actions, &people().values));
        filled.filter(|actions| seen.insert(actions.to_string())).collect()
    });
    alphabet.iter().collect()
}

/// A state to start from, and what it is called.
type Place = (&'static str, Service);

/// Where somebody can be asked.
fn inhabited() -> Vec<Place> {
    let [_, first, open, recovering] = phases().clone();
    let waiting = with_status(&open, "WaitingForRecoveryShares");
    vec![("first", first), ("open", open), ("recovering", recovering), ("waiting", waiting)]
}

/// Where nobody is left of those who were asked once: D32 holds from then on.
fn deserted() -> Vec<Place> {
    let again = |name: &str| format!("set_member {{\"cert\": \"<{name}.pem>\", \"member_data\": {{}}}}");
    let remove = |name: &str| format!("remove_member {{\"member_id\": \"<{name}>\"}}");
    let after = |phase: usize, actions: String| {
        let mut service = phases()[phase].clone();
        service.pass(&fill(&row_actions(&actions), &people().values));
        assert_eq!(service.active(&["alice", "bob"]), [""; 0]);
        service
    };
    let both = |one: String, other: String| format!("{one} && {other}");
    let open_again = after(2, both(again("alice"), again("bob")));
    let open_removed = after(2, both(remove("alice"), remove("bob")));
    vec![
        ("first, again", after(1, again("alice"))),
        ("first, removed", after(1, remove("alice"))),
        ("recovering, again", with_status(&open_again, "Recovering")),
        ("waiting, removed", with_status(&open_removed, "WaitingForRecoveryShares")),
        ("open, again", open_again),
        ("open, removed", open_removed),
    ]
}

/// Each proposal, then in each state that this leads to those that have become lawful, and (once, since the tables are the same
/// elsewhere) those that change what the first one has changed; then sequences.
pub(crate) fn d32_an_operator_alone_only_tightens() {
    let mut findings = Vec::new();
    for (name, start) in inhabited() {
        let first = lawful(&start, "oper", &alphabet());
        let to_try = if name == "open" { alphabet() } else { preparations() };
        let steps = step_all(name, &start, &start, "oper", &first, &mut findings);
        let different: Vec<&Step> = steps.iter().filter(|step| step.is_new).collect();
        assert!(different.len() > 8, "{name}: an operator can do something alone");
        for Step { changed, state, .. } in different {
            let is_related = |actions: &&'static Value| {
                let alone = steps.iter().find(|step| step.actions == *actions);
                alone.is_none_or(|step| name == "open" && !step.changed.is_disjoint(changed))
            };
            let mut second = lawful(state, "oper", &to_try);
            second.retain(is_related);
            step_all(name, &start, state, "oper", &second, &mut findings);
        }
        draw(name, &start, "oper", 16, &mut findings);
    }
    report(findings);
}

/// Somebody with every role, while all options are off.
pub(crate) fn d32_all_roles_together_only_tighten() {
    let mut findings = Vec::new();
    for (name, mut start) in inhabited() {
        start.activate("zoe");
        step_all(name, &start, &start, "zoe", &lawful(&start, "zoe", &alphabet()), &mut findings);
        draw(name, &start, "zoe", 8, &mut findings);
    }
    report(findings);
}

pub(crate) fn d32_nobody_gains_once_the_counted_are_gone() {
    let mut findings = Vec::new();
    for (name, start) in deserted() {
        for actor in ["oper", "reco", "cgso", "cont"] {
            step_all(name, &start, &start, actor, &lawful(&start, actor, &alphabet()), &mut findings);
        }
        draw(name, &start, "oper", 8, &mut findings);
    }
    report(findings);
}

/// Without an option that is on, these roles only take votes away: what they can do alone, anybody can.
pub(crate) fn d32_other_roles_change_nothing_alone() {
    let mut findings = Vec::new();
    for (name, start) in inhabited() {
        for actor in ["reco", "cgso", "cont"] {
            for Step { changed, .. } in
                step_all(name, &start, &start, actor, &lawful(&start, actor, &alphabet()), &mut findings)
            {
                let harmless = |table: &String| table.ends_with("_status") || table.ends_with(".cgs_consortium");
                if !changed.iter().all(harmless) {
                    findings.push(format!("{name}: {actor} changes {changed:?} alone"));
                }
            }
        }
    }
    report(findings);
}

fn report(mut findings: Vec<String>) {
    findings.sort();
    findings.dedup();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// Those of the proposals that are accepted, without votes or with those of all who are not counted.
fn lawful(from: &Service, actor: &str, proposals: &[&'static Value]) -> Vec<&'static Value> {
    let together: Votes = from.uncounted().into_iter().map(|name| (name, true)).collect();
    let votes = vec![Vec::new(), together];
    let question = |actions: &&'static Value| Question { actions, proposer: actor, votes: votes.clone(), id: None };
    let questions: Vec<_> = proposals.iter().map(question).collect();
    let answers = proposals.iter().zip(ask(&from.state, &questions));
    let accepted = answers.filter(|(_, answers)| answers.iter().any(|answer| answer == "Accepted"));
    accepted.map(|(actions, _)| *actions).collect()
}

/// What an operator can do before anybody is asked: where to look for more afterwards.
fn preparations() -> Vec<&'static Value> {
    lawful(&phases()[0], "oper", &alphabet())
}

/// A proposal that was accepted and carried out.
struct Step {
    actions: &'static Value,
    /// Whether nothing before it led to the same state.
    is_new: bool,
    /// The tables that it changed.
    changed: BTreeSet<String>,
    state: Service,
}

/// Makes each proposal in one state; those that did something there.
fn step_all(
    place: &str,
    start: &Service,
    from: &Service,
    actor: &str,
    proposals: &[&'static Value],
    findings: &mut Vec<String>,
) -> Vec<Step> {
    let steps = Mutex::new((Vec::new(), BTreeSet::from([contents(from)])));
    let found = in_parallel(proposals, |actions| {
        let mut state = from.clone();
        let result = step(start, &mut state, actor, actions);
        if result == Ok(true) {
            let (steps, seen) = &mut *steps.lock().unwrap();
            let is_new = seen.insert(contents(&state));
            steps.push(Step { actions, is_new, changed: changes(from, &state), state });
        }
        let why = result.err().map(|why| format!("{place}: {actor}: {why}: {}", brief(actions)));
        why.into_iter().collect()
    });
    findings.extend(found);
    steps.into_inner().unwrap().0
}

/// One proposal, with the votes of all who are not counted; whether it was accepted and carried out.
fn step(start: &Service, service: &mut Service, actor: &str, actions: &Value) -> Result<bool, String> {
    let proposed = match service.propose(actor, actions) {
        Ok(proposed) => proposed,
        Err(error) if error.status == 400 => return Ok(false),
        Err(error) => return Err(format!("{} {}", error.status, error.message)),
    };
    if proposed.state == "Open" {
        let voters = service.uncounted();
        if service.vote_all(&voters, true, &proposed.id).state != "Open" {
            return Err("decided by the votes of those who are not counted".into());
        }
    }
    let gained = gained(&start.state, &service.state);
    if gained.is_empty() { Ok(proposed.state == "Accepted") } else { Err(gained.join("; ")) }
}

/// Sequences of three proposals of up to three actions in one service, most of them lawful where it starts. What stays
/// open is looked at again at each step.
fn draw(place: &str, start: &Service, actor: &str, count: usize, findings: &mut Vec<String>) {
    let each = |proposals: &[&'static Value]| -> Vec<&'static Value> {
        proposals.iter().flat_map(|actions| actions.as_array().unwrap()).collect()
    };
    let (lawful, all) = (each(&lawful(start, actor, &alphabet())), each(&alphabet()));
    let mut random = Random(SEED);
    let mut proposal = || {
        let length = 1 + random.below(3);
        let action = |_| {
            let from = if random.below(8) == 0 { &all } else { &lawful };
            from[random.below(from.len())].clone()
        };
        Value::Array((0..length).map(action).collect())
    };
    let sequences: Vec<[Value; 3]> = (0..count).map(|_| [proposal(), proposal(), proposal()]).collect();
    findings.extend(in_parallel(&sequences, |sequence| {
        let mut service = start.clone();
        for (number, actions) in sequence.iter().enumerate() {
            let why = step(start, &mut service, actor, actions).err().or_else(|| later(start, &mut service));
            if let Some(why) = why {
                return vec![format!("{place}: {actor}: {why}: {}", brief(&json!(sequence[..=number])))];
            }
        }
        Vec::new()
    }));
}

/// Resolves again what is open: what needed everybody must not have become harmless meanwhile.
fn later(start: &Service, service: &mut Service) -> Option<String> {
    let again = service.resolve_open();
    let accepted = again.iter().find(|proposed| proposed.state == "Accepted")?;
    let gained = gained(&start.state, &service.state);
    (!gained.is_empty()).then(|| format!("later {accepted:?}: {}", gained.join("; ")))
}

/// Actions without the length of certificates.
fn brief(actions: &Value) -> Value {
    match actions {
        Value::String(text) if text.len() > 100 => json!(format!("{}...", &text[..text.floor_char_boundary(40)])),
        Value::Array(items) => items.iter().map(brief).collect(),
        Value::Object(members) => members.iter().map(|(name, item)| (name.clone(), brief(item))).collect(),
        other => other.clone(),
    }
}

/// A table, its key, its value.
type Entry = (String, Vec<u8>, Vec<u8>);

/// The tables of governance but those that only record proposals, or how a certificate was made by chance.
fn contents(service: &Service) -> BTreeSet<Entry> {
    const RECORDS: [&str; 4] = ["proposals", "proposals_info", "cose_history", "cose_recent_proposals"];
    let watched = |name: &&str| {
        name.strip_prefix("public:ccf.gov.").is_some_and(|short| {
            !RECORDS.contains(&short) && short != "nodes.endorsed_certificates" && short != "service.info"
        })
    };
    let entries = |name: &str| -> Vec<Entry> {
        let entry =
            |(key, found): (&bytes::Bytes, &kv::Versioned)| (name.to_owned(), key.to_vec(), found.value.to_vec());
        service.state.iter(name).map(entry).collect()
    };
    service.state.map_names().filter(watched).flat_map(entries).collect()
}

fn changes(from: &Service, to: &Service) -> BTreeSet<String> {
    let (old, new) = (contents(from), contents(to));
    old.symmetric_difference(&new).map(|(table, ..)| table.clone()).collect()
}

/// Xorshift: the same numbers each time, and no more than that is asked of it.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}
