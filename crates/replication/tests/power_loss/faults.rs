//! Mistakes are planted, and syncs left out or done too late: the seeds of the test command must find each.

use std::collections::BTreeSet;

use replication::planted::Fault;

use crate::{
    course::{Omitted, random_course},
    errors::failed_operation,
    everywhere::{SCENARIOS, crash_point, killed_behind_a_rename},
    seeds::until_found,
};

/// As many as the test command runs without a fault.
pub(crate) const SEEDS: u64 = 800;

/// Each mistake that can be seen on one node.
const FAULTS: [Fault; 13] = [
    Fault::AnswerBeforeDurable,
    Fault::SignedTailCut,
    Fault::TornTailAccepted,
    Fault::CutNotErased,
    Fault::SecretReused,
    Fault::CoveredBeforeChunk,
    Fault::CoveredNotWritten,
    Fault::CutBeforeChunk,
    Fault::SegmentRenamedFirst,
    Fault::OpenChunkTrusted,
    Fault::VoteNotWritten,
    Fault::FailedSyncIgnored,
    Fault::FailedWriteIgnored,
];

/// What must be durable before the next operation, and not only before the next answer.
const ORDERED: [&str; 4] = [
    "entries and positions of a complete chunk",
    "new segment of the raft log",
    "content of a replaced file",
    "frame of the raft log",
];

/// Looks for a fault with one test behind the other, and says how many seeds it took.
fn look_for(what: &str, tests: [Search<'_>; 3], missed: &mut Vec<String>) {
    for (test, seeds, run) in tests {
        if let Some((seed, why)) = run(seeds) {
            println!("{what}: found {test} with seed number {}: {why:.120}", seed + 1);
            return;
        }
    }
    missed.push(what.to_owned());
}

type Found = Option<(u64, String)>;
/// A test, how many seeds it is given, and how it looks.
type Search<'a> = (&'a str, u64, &'a dyn Fn(u64) -> Found);

#[test]
fn planted_faults_are_found() {
    let mut missed = Vec::new();
    for fault in FAULTS {
        let planted = Some(fault);
        let by_seed = |seeds| until_found(planted, seeds, |seed| random_course(seed, Omitted::Nothing));
        let everywhere = |seeds| until_found(planted, seeds, |seed| crash_point(seed, Omitted::Nothing));
        let by_error = |seeds| until_found(planted, seeds, failed_operation);
        let tests: [(_, _, &dyn Fn(u64) -> Found); 3] =
            [("by seed", SEEDS, &by_seed), ("everywhere", 330, &everywhere), ("by error", 990, &by_error)];
        look_for(&format!("{fault:?}"), tests, &mut missed);
    }
    assert!(missed.is_empty(), "nothing notices {missed:?}");
}

#[test]
fn every_sync_is_needed_and_in_its_place() {
    let others = ["create", "write to", "rename", "remove", "resize"];
    let all = SCENARIOS.iter().flat_map(|scenario| &scenario.trace).map(|(action, _)| *action);
    let syncs: BTreeSet<_> = all.filter(|action| !others.contains(action)).collect();
    let left_out = syncs.into_iter().map(|what| ("without", what, Omitted::Sync(what)));
    let late = ORDERED.into_iter().map(|what| ("too late", what, Omitted::Order(what)));
    let mut missed = Vec::new();
    for (how, what, omitted) in left_out.chain(late) {
        let killed = |seeds| until_found(None, seeds, |seed| killed_behind_a_rename(seed, omitted));
        let by_seed = |seeds| until_found(None, seeds, |seed| random_course(seed, omitted));
        let everywhere = |seeds| until_found(None, seeds, |seed| crash_point(seed, omitted));
        let tests: [(_, _, &dyn Fn(u64) -> Found); 3] =
            [("behind a rename", 200, &killed), ("by seed", SEEDS, &by_seed), ("everywhere", 4000, &everywhere)];
        look_for(&format!("{how}: {what}"), tests, &mut missed);
    }
    assert!(missed.is_empty(), "nothing notices when these are left out: {missed:?}");
}
