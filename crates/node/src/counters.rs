//! What is counted while requests are served: a few atomic numbers, read by `metrics`.

use std::time::{Duration, Instant};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::actor::Actor;

/// Upper bounds of durations, in seconds: from a read to a script that used its whole budget.
const SECONDS: [f64; 12] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0];
/// Classes of status codes.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Labels of one series.
pub(crate) type Labels = Vec<(&'static str, &'static str)>;

/// How scripts end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a result.
    Returned,
    /// By its own fault.
    Failed,
    /// At a limit of time.
    TimeLimit,
    /// At a limit of memory, which includes that it ended its process.
    MemoryLimit,
    /// It never started, since too many others were waiting.
    Busy,
    /// The node could not run it.
    NotRun,
}

impl Ending {
    const ALL: [Self; 6] = [Self::Returned, Self::Failed, Self::TimeLimit, Self::MemoryLimit, Self::Busy, Self::NotRun];

    fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Failed => "failed",
            Self::TimeLimit => "time_limit",
            Self::MemoryLimit => "memory_limit",
            Self::Busy => "busy",
            Self::NotRun => "not_run",
        }
    }
}

/// What had no room, so that a client was told to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// A transaction: too much waits for the commit thread.
    CommitPath,
    /// Nothing: it was taken, and was not committed in time.
    Late,
    /// A request of a member that has too many of them.
    Governance,
    /// A question that is answered from the ledger files.
    Past,
    /// An answer, beside others that their clients do not read.
    Answer,
}

impl Refused {
    const ALL: [Self; 5] = [Self::CommitPath, Self::Late, Self::Governance, Self::Past, Self::Answer];

    fn name(self) -> &'static str {
        match self {
            Self::CommitPath => "commit_path",
            Self::Late => "late",
            Self::Governance => "governance",
            Self::Past => "past",
            Self::Answer => "answer",
        }
    }
}

/// The numbers. Series that are counted often are held, so that nothing is looked up on the way.
pub(crate) struct Counters {
    requests: Family<Labels, Counter>,
    by_actor: [[Counter; CLASSES.len()]; Actor::ALL.len()],
    request_seconds: Family<Labels, Histogram, fn() -> Histogram>,
    seconds_by_actor: [Histogram; Actor::ALL.len()],
    commit_seconds: Histogram,
    scripts: Family<Labels, Counter>,
    by_ending: [Counter; Ending::ALL.len()],
    script_seconds: Histogram,
    refused: Family<Labels, Counter>,
    by_reason: [Counter; Refused::ALL.len()],
}

impl Default for Counters {
    fn default() -> Self {
        let requests = Family::<Labels, Counter>::default();
        let labels = |actor: Actor, class| vec![("actor", actor.name()), ("status", class)];
        let by_actor = Actor::ALL.map(|actor| CLASSES.map(|class| requests.get_or_create_owned(&labels(actor, class))));
        let request_seconds = Family::<Labels, Histogram, fn() -> Histogram>::new_with_constructor(seconds);
        let seconds_by_actor =
            Actor::ALL.map(|actor| request_seconds.get_or_create_owned(&vec![("actor", actor.name())]));
        let scripts = Family::<Labels, Counter>::default();
        let by_ending = Ending::ALL.map(|ending| scripts.get_or_create_owned(&vec![("outcome", ending.name())]));
        let (commit_seconds, script_seconds) = (seconds(), seconds());
        let refused = Family::<Labels, Counter>::default();
        let by_reason = Refused::ALL.map(|reason| refused.get_or_create_owned(&vec![("reason", reason.name())]));
        Self {
            requests,
            by_actor,
            request_seconds,
            seconds_by_actor,
            commit_seconds,
            scripts,
            by_ending,
            script_seconds,
            refused,
            by_reason,
        }
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Counters {
    /// A request was answered.
    pub(crate) fn request(&self, actor: Actor, status: u16, started: Instant) {
        let at = Actor::ALL.iter().position(|other| *other == actor).unwrap_or_default();
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.by_actor.get(at).and_then(|classes| classes.get(class)) {
            counter.inc();
        }
        if let Some(histogram) = self.seconds_by_actor.get(at) {
            histogram.observe(started.elapsed().as_secs_f64());
        }
    }

    /// A transaction was committed, so long after it was submitted.
    pub(crate) fn commit(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// A request was refused for want of room.
    pub(crate) fn refused(&self, reason: Refused) {
        let at = Refused::ALL.iter().position(|other| *other == reason).unwrap_or_default();
        if let Some(counter) = self.by_reason.get(at) {
            counter.inc();
        }
    }

    /// A script ended.
    pub(crate) fn script(&self, ending: Ending, took: Duration) {
        let at = Ending::ALL.iter().position(|other| *other == ending).unwrap_or_default();
        if let Some(counter) = self.by_ending.get(at) {
            counter.inc();
        }
        self.script_seconds.observe(took.as_secs_f64());
    }

    /// Has them shown, under names with the prefix of the registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("http_requests", "Requests that were answered, by class of status", self.requests.clone());
        let help = "Time from the whole request to its answer";
        registry.register("http_request_duration_seconds", help, self.request_seconds.clone());
        let help = "Time from submitting a transaction until it is durable, committed and signed";
        registry.register("commit_duration_seconds", help, self.commit_seconds.clone());
        registry.register("scripts", "Scripts of the consortium, by how they ended", self.scripts.clone());
        let help = "Time of scripts, waiting for a turn included";
        registry.register("script_duration_seconds", help, self.script_seconds.clone());
        let help = "Requests that were refused with 503 for want of room, by reason";
        registry.register("requests_refused", help, self.refused.clone());
    }
}
