//! Crashes at every point: what was acknowledged is there, what was truncated is not, and each sync is needed for that.

use std::collections::BTreeSet;

use super::*;

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What a log holds, as openraft sees it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    vote: Option<Vote>,
    purged: Option<LogId>,
    entries: Vec<Entry>,
}

impl Seen {
    fn of(log: &SegmentLog) -> Self {
        Self { vote: log.vote(), purged: log.purged(), entries: log.entries().collect() }
    }

    fn last(&self) -> Option<LogId> {
        self.entries.last().map(|entry| entry.log_id).or(self.purged)
    }

    /// A step openraft could take, and what the log holds after it.
    fn step(&self, random: &mut Random) -> (Step, Self) {
        let mut after = self.clone();
        let term = self.last().map_or(1, |last| last.leader_id.term);
        let next = self.last().map_or(0, |last| last.index + 1);
        let pick = self.entries.get(usize::try_from(random.below(self.entries.len().max(1) as u64)).unwrap());
        let step = match (random.below(12), pick) {
            (0 | 1, _) => {
                let vote = Vote::new(random.below(100), random.below(5));
                after.vote = Some(vote);
                Step::Vote(vote)
            }
            (2, Some(picked)) => {
                after.entries.retain(|entry| entry.log_id.index < picked.log_id.index);
                Step::Truncate(picked.log_id.index)
            }
            (3 | 4, Some(picked)) => {
                after.entries.retain(|entry| entry.log_id.index > picked.log_id.index);
                after.purged = Some(picked.log_id);
                Step::Purge(picked.log_id)
            }
            _ => {
                let batch = |index| {
                    let content = vec![random.below(256) as u8; random.below(900) as usize];
                    entry(term + random.0 % 2, index, content)
                };
                let entries: Vec<Entry> = (next..next + 1 + self.entries.len() as u64 % 3).map(batch).collect();
                after.entries.extend(entries.clone());
                Step::Append(entries)
            }
        };
        (step, after)
    }
}

enum Step {
    Append(Vec<Entry>),
    Vote(Vote),
    Truncate(u64),
    Purge(LogId),
}

impl Step {
    fn run(self, log: &mut SegmentLog) -> Result<(), LogError> {
        match self {
            Self::Append(entries) => log.append_entries(entries),
            Self::Vote(vote) => log.set_vote(vote),
            Self::Truncate(index) => log.truncate_since(index),
            Self::Purge(upto) => log.purge_upto(upto),
        }
    }
}

/// What may be there after a crash: the state before the step in which it fell, or after it.
type Allowed = [Seen; 2];

fn steps_until_failure(log: &mut SegmentLog, mut seen: Seen, random: &mut Random) -> Allowed {
    for _ in 0..60 {
        let (step, after) = seen.step(random);
        if step.run(log).is_err() {
            return [seen, after];
        }
        assert_eq!(Seen::of(log), after);
        seen = after;
    }
    [seen.clone(), seen]
}

/// Runs, kills and restarts a log several times; says what was lost, if anything.
fn run(seed: u64, ignored: Option<&'static str>) -> Result<BTreeSet<&'static str>, String> {
    let mut random = Random(seed);
    let mut disk = ForgetfulDisk::new();
    if let Some(what) = ignored {
        disk.ignore_syncs(what);
    }
    let nothing = Seen { vote: None, purged: None, entries: Vec::new() };
    let mut allowed = [nothing.clone(), nothing];
    for _ in 0..6 {
        // Some starts are killed while they open the log.
        disk.fail_after(if random.below(4) == 0 { random.below(12) } else { random.below(150) });
        let opened = open(&disk, 2048);
        if let Ok((mut log, _)) = opened {
            let seen = Seen::of(&log);
            if !allowed.contains(&seen) {
                return Err(format!("seed {seed}: found {seen:?}, not one of {allowed:?}"));
            }
            allowed = steps_until_failure(&mut log, seen, &mut random);
        } else if disk.exists(Path::new("/")).is_ok() {
            return Err(format!("seed {seed}: {}", opened.err().unwrap()));
        }
        // The process is killed, or the machine loses power.
        disk = if random.below(3) == 0 { disk.restart() } else { disk.crash(random.below(u64::MAX)) };
    }
    Ok(disk.syncs_seen())
}

#[test]
fn a_crash_loses_nothing_that_was_acknowledged() {
    for seed in 0..400 {
        run(seed, None).unwrap();
    }
}

#[test]
fn every_sync_is_needed() {
    let syncs: BTreeSet<_> = (0..50).flat_map(|seed| run(seed, None).unwrap()).collect();
    assert_eq!(syncs.len(), 7, "{syncs:?}");
    for what in syncs {
        let noticed = (0..2000).find(|seed| run(*seed, Some(what)).is_err());
        assert!(noticed.is_some(), "nothing notices when this sync is left out: {what}");
    }
}
