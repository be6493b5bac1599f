//! The power fails at every operation of two lives, one that founds a service and one that resumes it.

use std::{collections::BTreeSet, sync::LazyLock};

use crate::{
    course::{Course, Done, Omitted},
    life::Step,
    nonces::Nonces,
    seeds::{Random, all, block_on},
};

/// Chunks end where the script says, so that the operations are the same each time.
const CHUNK: u64 = 1 << 20;
/// What survives of one power loss is drawn so many times.
const SURVIVALS: u64 = 3;

/// Everything that a process does: batches of one and of several, rekeys, chunks that end, and with the second of them
/// segments of the raft log that are deleted.
pub(crate) const SCRIPT: [Step; 16] = [
    Step::Writes(1),
    Step::Writes(3),
    Step::Receipt,
    Step::Rekey(1, 2),
    Step::EndChunk,
    Step::Writes(4),
    Step::Writes(1),
    Step::Rekey(0, 0),
    Step::Writes(3),
    Step::EndChunk,
    Step::Writes(4),
    Step::Receipt,
    Step::Rekey(1, 0),
    Step::Writes(2),
    Step::EndChunk,
    Step::Writes(1),
];

/// A life before any operation of it.
pub(crate) struct Scenario {
    course: Course,
    /// How many operations it takes, and what they are.
    pub(crate) trace: Vec<(&'static str, std::path::PathBuf)>,
}

impl Scenario {
    /// Before a service is founded, or resumed for the first time.
    fn new(lives: usize) -> Self {
        let mut course = Course::new(CHUNK, Omitted::Nothing);
        let mut trace = Vec::new();
        for number in 0..=lives {
            let next = course.copy();
            block_on(course.service.live(&course.disk, &SCRIPT, &mut course.nonces)).unwrap();
            trace = course.disk.trace();
            course.disk = course.disk.restart();
            if number == lives {
                course = next;
            }
        }
        Self { course, trace }
    }

    /// The course of events up to here, to go on with.
    pub(crate) fn begin(&self) -> Course {
        self.course.copy()
    }
}

/// Founding, and resuming.
pub(crate) static SCENARIOS: LazyLock<[Scenario; 2]> = LazyLock::new(|| [Scenario::new(0), Scenario::new(1)]);

/// Which scenario a seed is about, and which operation of it.
pub(crate) fn place(seed: u64) -> (&'static Scenario, u64) {
    let [founding, resuming] = &*SCENARIOS;
    let all = (founding.trace.len() + resuming.trace.len()) as u64;
    let operation = seed % all;
    match operation.checked_sub(founding.trace.len() as u64) {
        None => (founding, operation),
        Some(operation) => (resuming, operation),
    }
}

/// The power fails right before an operation, and then again and again.
pub(crate) fn crash_point(seed: u64, omitted: Omitted) -> Result<Done, String> {
    let (scenario, operation) = place(seed);
    let course = scenario.begin();
    let mut sum = Done::default();
    block_on(async {
        let Course { disk, mut service, mut nonces, .. } = course;
        omitted.order(&disk);
        disk.fail_after(operation);
        let end = service.live(&disk, &SCRIPT, &mut nonces).await?;
        if end.finished {
            // Signatures are not all of one length, so a segment may be full a little later than it was.
            return Ok(sum);
        }
        for survival in 0..SURVIVALS {
            let mut random = Random::new(seed * SURVIVALS + survival);
            let left = if survival == 0 { disk.copy() } else { disk.copy().crash(random.next()) };
            sum += survive(
                Course { disk: left, service: service.copy(), nonces: std::mem::take(&mut nonces), crashes: 1 },
                &mut random,
                &mut nonces,
            )
            .await
            .map_err(|why| {
                format!(
                    "before operation {operation} ({:?}), survival {survival}: {why}",
                    scenario.trace[operation as usize]
                )
            })?;
        }
        Ok(sum)
    })
}

/// What was answered is there, the next starts may be interrupted too, and the last one works.
async fn survive(mut course: Course, random: &mut Random, nonces: &mut Nonces) -> Result<Done, String> {
    course.service.check(&course.disk)?;
    for _ in 0..random.below(3) {
        course.disk.fail_after(random.below(50));
        let script = Step::any(random, 5);
        course.live(&script, random).await?;
    }
    course.end_with(nonces).await
}

/// A process is killed between a rename and the sync of its directory, another one goes on, and then the power fails: the
/// rename may be lost though the second process has seen it.
pub(crate) fn killed_behind_a_rename(seed: u64, omitted: Omitted) -> Result<Done, String> {
    let scenario = &SCENARIOS[(seed % 2) as usize];
    let is_name = |what: &str| what.starts_with("name of a ") && what != "name of a directory";
    let places: Vec<_> = (0_u64..).zip(&scenario.trace).filter(|(_, (what, _))| is_name(what)).collect();
    let operation = places[(seed / 2) as usize % places.len()].0;
    let mut course = scenario.begin();
    omitted.order(&course.disk);
    block_on(async {
        course.disk.fail_after(operation);
        course.service.live(&course.disk, &SCRIPT, &mut course.nonces).await?;
        course.disk = course.disk.restart();
        let script = [Step::Writes(1), Step::Writes(2)].into_iter().take((seed % 5 / 2) as usize).collect::<Vec<_>>();
        course.service.live(&course.disk, &script, &mut course.nonces).await?;
        course.disk = course.disk.crash(seed);
        course.service.check(&course.disk)?;
        course.end().await
    })
}

#[test]
fn a_name_that_a_start_has_seen_stays() {
    println!(
        "{:?}",
        all("a_name_that_a_start_has_seen_stays", 200, |seed| killed_behind_a_rename(seed, Omitted::Nothing))
    );
}

/// As many operations of each kind as a test would want to see.
fn kinds(trace: &[(&'static str, std::path::PathBuf)]) -> BTreeSet<&'static str> {
    trace.iter().map(|(action, _)| *action).collect()
}

#[test]
fn the_power_may_fail_at_every_operation() {
    let [founding, resuming] = &*SCENARIOS;
    let (first, second) = (kinds(&founding.trace), kinds(&resuming.trace));
    println!("{} and {} operations: {first:?}", founding.trace.len(), resuming.trace.len());
    for kind in ["create", "write to", "rename", "remove", "name of a complete chunk", "frame of the raft log"] {
        assert!(first.contains(kind) && second.contains(kind), "no {kind} in the script");
    }
    let done =
        all("the_power_may_fail_at_every_operation", (founding.trace.len() + resuming.trace.len()) as u64, |seed| {
            crash_point(seed, Omitted::Nothing)
        });
    println!("{done:?}");
    assert!(done.crashes * 10 > (founding.trace.len() + resuming.trace.len()) as u64 * SURVIVALS * 9);
}
