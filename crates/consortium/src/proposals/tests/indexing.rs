//! Under whatever members do, the index of Open proposals has exactly those that are Open.

use std::collections::BTreeSet;

use kv::UNIT_KEY;
use proptest::prelude::*;

use super::*;
use crate::OPEN_PROPOSALS;

fn indexed(consortium: &Consortium) -> BTreeSet<String> {
    let mut tx = consortium.tx();
    tx.entries(OPEN_PROPOSALS).iter().map(|(id, _)| String::from_utf8(id.to_vec()).unwrap()).collect()
}

fn open(consortium: &Consortium) -> BTreeSet<String> {
    let mut tx = consortium.tx();
    let records = tx.entries(tables::PROPOSALS_INFO).into_iter();
    let records = records.map(|(id, record)| (id, serde_json::from_slice::<ProposalInfo>(&record).unwrap()));
    let open = records.filter(|(_, info)| info.state == ProposalState::Open);
    open.map(|(id, _)| String::from_utf8(id.to_vec()).unwrap()).collect()
}

/// The writes of `set_constitution`: every other Open proposal ends, found without the index.
fn drop_others(id: &str, tables: &mut dyn constitution::Tables) -> Vec<TableWrite> {
    let write = |(key, record): (Vec<u8>, Vec<u8>)| {
        let mut info: ProposalInfo = serde_json::from_slice(&record).unwrap();
        if key == id.as_bytes() || info.state != ProposalState::Open {
            return None;
        }
        info.state = ProposalState::Dropped;
        Some(record_write(&key, Some(&json!(info).to_string())))
    };
    tables.entries(tables::PROPOSALS_INFO).into_iter().filter_map(write).collect()
}

fn record_write(key: &[u8], record: Option<&str>) -> TableWrite {
    TableWrite { table: tables::PROPOSALS_INFO.into(), key: key.to_vec(), value: record.map(Into::into) }
}

/// A constitution whose proposals say in their text what becomes of them.
fn constitution() -> Closures {
    let says = |call: &constitution::Call, word: &str| call.arguments[0].as_str().unwrap().contains(word);
    Closures::unanimous()
        .with("resolve", move |call, _| {
            let votes: Vec<bool> =
                call.arguments[2].as_array().unwrap().iter().map(|vote| vote["vote"] == true).collect();
            let rejected = says(call, "refused") || votes.contains(&false);
            let accepted = says(call, "at once") || votes.len() == 2;
            value(json!(if rejected {
                "Rejected"
            } else if accepted {
                "Accepted"
            } else {
                "Open"
            }))
        })
        .with("apply", move |call, tables| {
            let writes = match says(call, "constitution") {
                true => drop_others(call.arguments[1].as_str().unwrap(), tables),
                false => Vec::new(),
            };
            let fails = says(call, "fails");
            let effects = if fails { vec![Effect::RekeyLedger] } else { Vec::new() };
            Ok(Outcome { value: Value::Null, writes, effects })
        })
}

#[derive(Debug, Clone)]
enum Step {
    Create { text: &'static str },
    Vote { proposal: prop::sample::Index, member: usize, ballot: &'static str },
    Withdraw { proposal: prop::sample::Index },
    Reresolve { proposal: prop::sample::Index },
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop::sample::select(vec![
        "waits",
        "waits",
        "constitution",
        "constitution fails",
        "refused",
        "at once",
        "constitution at once",
        "constitution at once fails",
    ]);
    let ballot = prop::sample::select(vec!["yes", "yes", "yes", "no", "throws", "loops", "broken"]);
    let proposal = any::<prop::sample::Index>();
    prop_oneof![
        4 => text.prop_map(|text| Step::Create { text }),
        6 => (proposal.clone(), 0..3usize, ballot)
            .prop_map(|(proposal, member, ballot)| Step::Vote { proposal, member, ballot }),
        1 => proposal.clone().prop_map(|proposal| Step::Withdraw { proposal }),
        1 => proposal.prop_map(|proposal| Step::Reresolve { proposal }),
    ]
}

fn chosen<'a>(proposal: &prop::sample::Index, ids: &'a [String]) -> &'a str {
    proposal.get::<String>(ids)
}

/// Takes a step; one that is refused leaves nothing behind.
fn take(consortium: &mut Consortium, engine: &Closures, number: usize, step: &Step, ids: &mut Vec<String>) {
    match step {
        Step::Create { text } => {
            let at = i64::try_from(number).unwrap();
            ids.push(propose_text(consortium, engine, at, text));
        }
        _ if ids.is_empty() => {}
        Step::Vote { proposal, member, ballot } => {
            let _ = vote(consortium, engine, chosen(proposal, ids), *member, ballot);
        }
        Step::Withdraw { proposal } => {
            let signed = consortium.signed(0, MessageType::Withdrawal, Some(chosen(proposal, ids)), "");
            let mut tx = consortium.tx();
            if withdraw(&mut tx, &signed, chosen(proposal, ids)).is_ok() {
                consortium.commit(tx);
            }
        }
        Step::Reresolve { proposal } => {
            let member = consortium.member(0).id.clone();
            let mut tx = consortium.tx();
            with_scripts(engine, |scripts| {
                reresolve(&mut tx, chosen(proposal, ids), &member, 100, scripts, &context()).unwrap()
            });
            consortium.commit(tx);
        }
    }
}

fn propose_text(consortium: &mut Consortium, engine: &Closures, created_at: i64, text: &str) -> String {
    let payload = json!({ "actions": [text] }).to_string();
    let signed = Signed { created_at, ..consortium.signed(0, MessageType::Proposal, None, payload) };
    let mut tx = consortium.tx();
    let decided = with_scripts(engine, |scripts| {
        let validated = validate(&mut consortium.tx(), &signed, scripts).unwrap();
        let root = crypto::sha256(&created_at.to_le_bytes());
        create(&mut tx, &signed, &validated, &root, scripts, &context()).unwrap()
    });
    consortium.commit(tx);
    body(&decided.output)["proposalId"].as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn d05_the_index_has_exactly_the_open_proposals(steps in prop::collection::vec(step(), 1..40)) {
        let mut consortium = Consortium::active(3);
        let engine = constitution();
        let mut ids = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            take(&mut consortium, &engine, number, step, &mut ids);
            prop_assert_eq!(indexed(&consortium), open(&consortium));
        }
        let waiting: BTreeSet<String> = waiting(&mut consortium.tx()).unwrap().into_iter().collect();
        prop_assert_eq!(waiting, open(&consortium));
    }
}

/// What one accepted proposal writes to the record of another one, which is Open or Rejected.
fn apply_writes(is_open: bool, record: Option<&'static str>) -> (Consortium, String, Value) {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous().with("apply", move |call, tables| {
        let own = call.arguments[1].as_str().unwrap().as_bytes();
        let (other, _) = tables.entries(tables::PROPOSALS_INFO).into_iter().find(|(id, _)| id != own).unwrap();
        Ok(Outcome { value: Value::Null, writes: vec![record_write(&other, record)], effects: Vec::new() })
    });
    let other = propose(&mut consortium, &engine);
    if !is_open {
        vote(&mut consortium, &engine, &other, 0, "no").unwrap();
    }
    let id = propose_text(&mut consortium, &engine, 101, "x");
    let decided = vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    (consortium, other, decided)
}

#[test]
fn a_record_that_a_script_removes_leaves_the_index() {
    let (consortium, _, decided) = apply_writes(true, None);
    assert_eq!(decided["proposalState"], "Accepted");
    assert!(indexed(&consortium).is_empty());
}

#[test]
fn d19_a_script_that_spoils_a_record_has_failed() {
    let (consortium, other, decided) = apply_writes(true, Some(r#"{"state":"Opened"}"#));
    assert_eq!(decided["proposalState"], "Failed");
    assert!(decided["failure"]["reason"].as_str().unwrap().contains(tables::PROPOSALS_INFO), "{decided}");
    assert_eq!((stored_info(&consortium, &other).state, indexed(&consortium)), (ProposalState::Open, [other].into()));
}

#[test]
fn a_script_that_opens_a_proposal_again_enters_it() {
    let (consortium, other, _) = apply_writes(false, Some(r#"{"ballots":{},"proposer_id":"m","state":"Open"}"#));
    assert_eq!(indexed(&consortium), [other].into());
}

#[test]
fn an_entry_too_many_opens_nothing() {
    let mut consortium = Consortium::active(1);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    vote(&mut consortium, &engine, &id, 0, "yes").unwrap();
    let mut tx = consortium.tx();
    for stale in [id, "0".repeat(64)] {
        tx.put(OPEN_PROPOSALS, stale, UNIT_KEY.to_vec());
    }
    assert_eq!(waiting(&mut tx).unwrap(), [""; 0]);
}

#[test]
fn an_entry_is_eight_zero_bytes() {
    let mut consortium = Consortium::active(1);
    let id = propose(&mut consortium, &Closures::unanimous());
    assert_eq!(consortium.tx().get(OPEN_PROPOSALS, id.as_bytes()).unwrap(), UNIT_KEY.to_vec());
}
