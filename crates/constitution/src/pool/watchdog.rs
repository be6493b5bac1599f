//! Ends processes that are late, and buries those that have been ended.

use std::{
    collections::HashMap,
    process::Child,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::ScriptError;

use super::processor::{TICK, used};

/// How many times longer than its processor time a process may take on the clock, beside [`STARVED_AT_LEAST`].
const STARVED: u32 = 10;

/// What any process may take on the clock on a machine that is busy with other things.
const STARVED_AT_LEAST: Duration = Duration::from_secs(1);

/// How often the thread looks whether a killed process is gone.
const BURIAL: Duration = Duration::from_millis(20);

/// A child process that its owner and the watchdog may both end.
pub(super) type Process = Arc<Mutex<Child>>;

/// One thread that kills each guarded process at its deadline. Whoever talks to the process sees its pipes close, so
/// neither a blocked read nor a blocked write outlives the deadline.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and those that it works for share.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: HashMap<u64, Job>,
    next: u64,
    /// Processes that were killed and are not yet reaped: they run at a low priority and may take a while to go.
    dying: Vec<Process>,
    stop: bool,
}

struct Job {
    victim: Process,
    watch: Watch,
    /// When to look again.
    at: Instant,
    fired: Option<Overrun>,
}

/// How much a process may use of what.
enum Watch {
    /// Time on the clock.
    Clock,
    /// Processor time beyond `before`, and time on the clock until `latest`.
    Processor { pid: u32, before: Option<Duration>, time: Duration, latest: Instant },
}

/// Why a process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overrun {
    /// It used up what it may.
    Late,
    /// It was not given the processor for what it may use.
    Starved,
}

/// While this lives, its process is watched.
pub(super) struct Guard {
    shared: Arc<Shared>,
    id: u64,
}

impl Watchdog {
    pub(super) fn start() -> Result<Self, ScriptError> {
        let shared = Arc::<Shared>::default();
        let thread = thread::Builder::new()
            .name("script-watchdog".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.watch()
            })
            .map_err(|error| ScriptError::host(format!("no thread for the watchdog: {error}")))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The part that processes keep to be guarded and ended.
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Guard {
    /// Whether the process was killed, and why.
    pub(super) fn fired(&self) -> Option<Overrun> {
        self.shared.lock().jobs.get(&self.id).and_then(|job| job.fired)
    }
}

impl Shared {
    /// Kills `victim` after `time` on the clock unless the guard is dropped before.
    pub(super) fn guard_clock(self: &Arc<Self>, victim: &Process, time: Duration) -> Guard {
        self.guard(victim, Watch::Clock, time)
    }

    /// Kills `victim` once it has used `time` of the processor, or has not got that much within [`STARVED`] times as long,
    /// unless the guard is dropped before. `before` is what it had used already.
    pub(super) fn guard_processor(
        self: &Arc<Self>,
        victim: &Process,
        before: Option<Duration>,
        time: Duration,
    ) -> Guard {
        let pid = lock(victim).id();
        let latest = Instant::now() + time * STARVED + STARVED_AT_LEAST;
        self.guard(victim, Watch::Processor { pid, before, time, latest }, time)
    }

    fn guard(self: &Arc<Self>, victim: &Process, watch: Watch, time: Duration) -> Guard {
        let mut state = self.lock();
        let id = state.next;
        state.next = id.wrapping_add(1);
        let at = Instant::now() + time;
        state.jobs.insert(id, Job { victim: Arc::clone(victim), watch, at, fired: None });
        drop(state);
        self.changed.notify_one();
        Guard { shared: Arc::clone(self), id }
    }

    /// Kills `process` now and has it reaped later.
    pub(super) fn end(&self, process: &Process) {
        kill(process);
        self.lock().dying.push(Arc::clone(process));
        self.changed.notify_one();
    }

    fn watch(&self) {
        let mut state = self.lock();
        while !state.stop {
            let now = Instant::now();
            state.kill_late(now);
            state.dying.retain(is_running);
            state = match state.pause(now) {
                Some(pause) => self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        for process in std::mem::take(&mut state.dying) {
            // All that can fail is that somebody else has reaped it.
            let _ = lock(&process).wait();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn kill_late(&mut self, now: Instant) {
        for job in self.jobs.values_mut().filter(|job| job.fired.is_none() && job.at <= now) {
            match job.watch.look(now) {
                Ok(at) => job.at = at,
                Err(overrun) => {
                    job.fired = Some(overrun);
                    kill(&job.victim);
                }
            }
        }
    }

    /// How long there is nothing to do, unless something changes; `None` for ever.
    fn pause(&self, now: Instant) -> Option<Duration> {
        let deadline = self.jobs.values().filter(|job| job.fired.is_none()).map(|job| job.at).min();
        let burial = if self.dying.is_empty() { None } else { Some(BURIAL) };
        let pause = deadline.map(|at| at.saturating_duration_since(now));
        [pause, burial].into_iter().flatten().min()
    }
}

impl Watch {
    /// When to look again, or why not to.
    fn look(&self, now: Instant) -> Result<Instant, Overrun> {
        let Self::Processor { pid, before, time, latest } = self else { return Err(Overrun::Late) };
        // What cannot be measured counts as used: the clock has run out at least.
        let (Some(before), Some(so_far)) = (before, used(*pid)) else { return Err(Overrun::Late) };
        let left = time.saturating_sub(so_far.saturating_sub(*before));
        if left.is_zero() {
            Err(Overrun::Late)
        } else if now >= *latest {
            Err(Overrun::Starved)
        } else {
            Ok((now + left.max(TICK)).min(*latest))
        }
    }
}

/// Locks a process. Nobody holds this lock while they wait for anything.
pub(super) fn lock(process: &Process) -> MutexGuard<'_, Child> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kill(process: &Process) {
    // A process that is gone already needs no killing.
    let _ = lock(process).kill();
}

fn is_running(process: &Process) -> bool {
    matches!(lock(process).try_wait(), Ok(None))
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.lock().jobs.remove(&self.id);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
