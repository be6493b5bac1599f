//! One child process.

use std::{
    io::BufReader,
    os::unix::process::ExitStatusExt,
    process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crate::{
    Budget, Call, Outcome, ScriptError, Tables,
    wire::{self, FromHost, PROTOCOL},
};

use super::{
    PoolOptions, conversation, processor,
    watchdog::{Overrun, Process, Shared, Watchdog, lock},
};

/// How long a new process may take to say hello.
const GREETING: Duration = Duration::from_secs(10);
/// How much more of the processor than the engine's own interrupt leaves it a process may use until it is killed.
const GRACE: Duration = Duration::from_millis(25);
/// The signal that cannot be caught.
const KILL: i32 = 9;

/// A running script host. Dropping it ends the process.
pub(super) struct ScriptHost {
    process: Process,
    watchdog: Arc<Shared>,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Digest of the only module this process ever runs.
    ran: Option<crypto::Digest>,
    calls: u32,
    usable: bool,
}

impl ScriptHost {
    /// Starts a process and waits for its greeting.
    ///
    /// # Errors
    /// [`ScriptError::Host`] when it does not start or is something else than a script host.
    pub(super) fn start(options: &PoolOptions, watchdog: &Watchdog) -> Result<Self, ScriptError> {
        let started = Instant::now();
        let mut host = spawn(options, watchdog.shared())?;
        let guard = host.watchdog.guard_clock(&host.process, GREETING);
        let greeting = wire::receive::<FromHost>(&mut host.from);
        drop(guard);
        match greeting {
            Ok(FromHost::Hello { protocol: PROTOCOL }) => {
                tracing::debug!(time_us = started.elapsed().as_micros(), "script host started");
                Ok(host)
            }
            _ => {
                let how = shown(host.status());
                Err(ScriptError::host(format!(
                    "{} does not answer like a script host ({how})",
                    options.program.display()
                )))
            }
        }
    }

    /// Runs one call for at most what is left of `budget`, and takes from it what the call used.
    ///
    /// # Errors
    /// Everything a call can fail with, except [`ScriptError::Busy`].
    pub(super) fn run(
        &mut self,
        call: &Call,
        tables: &mut dyn Tables,
        budget: &mut Budget,
    ) -> Result<Outcome, ScriptError> {
        self.calls = self.calls.saturating_add(1);
        self.ran = Some(crypto::sha256(call.module_text.as_bytes()));
        let time = budget.remaining();
        let (started, before) = (Instant::now(), self.processor_time());
        let guard = self.watchdog.guard_processor(&self.process, before, time.saturating_add(GRACE));
        let result = conversation::hold(&mut self.to, &mut self.from, call, tables, time);
        let overrun = guard.fired();
        drop(guard);
        budget.spend(spent(started.elapsed(), before, self.processor_time()));
        match result {
            Ok(answer) if overrun.is_none() => answer.map_err(ScriptError::from),
            Ok(_) | Err(conversation::Broken::Gone) => Err(self.give_up(overrun, None)),
            Err(conversation::Broken::Rule(what)) => Err(self.give_up(overrun, Some(what))),
        }
    }

    fn processor_time(&self) -> Option<Duration> {
        processor::used(lock(&self.process).id())
    }

    /// Digest of the module that this process has run, if it has run one.
    pub(super) fn ran(&self) -> Option<&crypto::Digest> {
        self.ran.as_ref()
    }

    /// Calls so far.
    pub(super) fn calls(&self) -> u32 {
        self.calls
    }

    /// Whether the process can take another call.
    pub(super) fn is_usable(&self) -> bool {
        self.usable
    }

    /// Ends the process, and says why that was necessary.
    fn give_up(&mut self, overrun: Option<Overrun>, broken_rule: Option<String>) -> ScriptError {
        let error = match broken_rule {
            _ if overrun == Some(Overrun::Late) => ScriptError::TimeLimit,
            _ if overrun == Some(Overrun::Starved) => ScriptError::Starved,
            Some(rule) => {
                tracing::error!(rule, "a script host was ended because it broke a rule");
                ScriptError::host(format!("the script host broke a rule and was ended: {rule}"))
            }
            None => self.crash(),
        };
        self.end();
        error
    }

    fn end(&mut self) {
        if self.usable {
            self.usable = false;
            self.watchdog.end(&self.process);
        }
    }

    /// Whose fault it is that the process ended. A script cannot kill it from inside, so then somebody else did.
    fn crash(&self) -> ScriptError {
        let status = self.status();
        let how = shown(status);
        match status.and_then(|status| status.signal()) {
            Some(KILL) => ScriptError::host("a script host was killed; try again"),
            _ => ScriptError::Crashed { how },
        }
    }

    /// How a process ended whose pipes are closed. It needs a moment from there to its end.
    fn status(&self) -> Option<ExitStatus> {
        for _ in 0..50 {
            if let Ok(Some(status)) = lock(&self.process).try_wait() {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }
}

impl Drop for ScriptHost {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a call used: at most the time on the clock, and at most the processor time, which is known in steps.
fn spent(elapsed: Duration, before: Option<Duration>, after: Option<Duration>) -> Duration {
    let processor = before.zip(after).map(|(before, after)| after.saturating_sub(before) + processor::TICK * 2);
    processor.map_or(elapsed, |processor| processor.min(elapsed))
}

fn shown(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "it closed its pipes".to_owned(), |status| status.to_string())
}

fn spawn(options: &PoolOptions, watchdog: Arc<Shared>) -> Result<ScriptHost, ScriptError> {
    let failed = |what: String| ScriptError::host(format!("{} cannot be started: {what}", options.program.display()));
    let mut process = Command::new(&options.program)
        .args(&options.args)
        .env_clear()
        .env("TZ", "UTC0")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let (Some(to), Some(from)) = (process.stdin.take(), process.stdout.take()) else {
        let _ = process.kill();
        return Err(failed("it has no pipes".to_owned()));
    };
    Ok(ScriptHost {
        process: Arc::new(Mutex::new(process)),
        watchdog,
        to,
        from: BufReader::new(from),
        ran: None,
        calls: 0,
        usable: true,
    })
}
