//! The service's side: script hosts, started, used in turns, and ended in time.

mod child;
mod conversation;
mod processor;
mod queue;
mod watchdog;

use std::{
    ffi::OsString,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{Budget, Call, Engine, Outcome, ScriptError, Tables, limits};
use child::ScriptHost;
use queue::Queue;
use watchdog::Watchdog;

/// How a [`Pool`] starts its hosts and how much it takes on.
#[derive(Clone, Debug)]
pub struct PoolOptions {
    /// The binary of the service.
    pub program: PathBuf,
    /// What makes that binary a script host.
    pub args: Vec<OsString>,
    /// Scripts that run at the same time.
    pub size: usize,
    /// Scripts that may wait for their turn, of all callers together.
    pub waiting: usize,
    /// Scripts that may wait for their turn, of one caller.
    pub waiting_per_caller: usize,
    /// How long one script may wait for its turn before it is answered [`ScriptError::Busy`].
    pub patience: Duration,
}

impl PoolOptions {
    /// The usual options for a program and the arguments that make it a script host.
    pub fn new(program: impl Into<PathBuf>, args: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().collect(),
            size: 2,
            waiting: 256,
            waiting_per_caller: 64,
            patience: Duration::from_secs(60),
        }
    }
}

/// What a [`Pool`] makes of a host that says `said`, whatever it is asked: for those who try what one could say.
///
/// # Errors
/// As if a process had said it.
pub fn answer_of(call: &Call, said: &[u8], tables: &mut dyn Tables) -> Result<Outcome, ScriptError> {
    let mut from = said;
    match conversation::hold(&mut std::io::sink(), &mut from, call, tables, Duration::ZERO) {
        Ok(answer) => answer.map_err(ScriptError::from),
        Err(conversation::Broken::Gone) => Err(ScriptError::host("the script host said no more")),
        Err(conversation::Broken::Rule(rule)) => {
            Err(ScriptError::host(format!("the script host broke a rule: {rule}")))
        }
    }
}

/// Script hosts and the queue in front of them.
///
/// One script of each caller runs at a time, and callers that wait get their turns in rotation, so a caller that fills
/// the queue with endless loops delays another by at most one of them.
pub struct Pool {
    options: PoolOptions,
    queue: Queue,
    /// Hosts that wait for work, the most recently used last.
    idle: Mutex<Vec<ScriptHost>>,
    watchdog: Watchdog,
}

impl Pool {
    /// Starts a pool, and its first host to see that the program is one.
    ///
    /// # Errors
    /// [`ScriptError::Host`] when the program cannot be started or does not answer like a script host.
    pub fn new(options: PoolOptions) -> Result<Self, ScriptError> {
        let watchdog = Watchdog::start()?;
        let first = ScriptHost::start(&options, &watchdog)?;
        let queue = Queue::new(&options);
        Ok(Self { options, queue, idle: Mutex::new(vec![first]), watchdog })
    }

    /// An idle host that ran this module before, or one that ran nothing yet.
    fn take(&self, module: &crypto::Digest) -> Result<ScriptHost, ScriptError> {
        let reused = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let same = idle.iter().rposition(|host| host.ran() == Some(module));
            same.or_else(|| idle.iter().rposition(|host| host.ran().is_none())).map(|at| idle.remove(at))
        };
        reused.map_or_else(|| ScriptHost::start(&self.options, &self.watchdog), Ok)
    }

    /// Keeps a host for later, unless it has worked enough.
    fn give_back(&self, host: ScriptHost) {
        if host.calls() >= limits::CALLS_PER_PROCESS {
            return;
        }
        let retired = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(host);
            if idle.len() > self.options.size.saturating_add(1) { Some(idle.remove(0)) } else { None }
        };
        drop(retired);
    }
}

impl Engine for Pool {
    fn run(
        &self,
        who: &str,
        call: &Call,
        tables: &mut dyn Tables,
        budget: &mut Budget,
    ) -> Result<Outcome, ScriptError> {
        if budget.remaining().is_zero() {
            return Err(ScriptError::TimeLimit);
        }
        let _turn = self.queue.enter(who)?;
        let mut host = self.take(&crypto::sha256(call.module_text.as_bytes()))?;
        let result = host.run(call, tables, budget);
        if host.is_usable() {
            self.give_back(host);
        }
        result
    }
}
