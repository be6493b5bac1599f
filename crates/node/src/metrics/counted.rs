use std::{sync::Arc, time::Instant};

use constitution::{Budget, Call, Engine, Outcome, ScriptError, Tables};

use crate::counters::{Counters, Ending};

/// Runs scripts, and counts how they end.
pub(crate) struct CountedEngine {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) counters: Arc<Counters>,
}

impl Engine for CountedEngine {
    fn run(
        &self,
        who: &str,
        call: &Call,
        tables: &mut dyn Tables,
        budget: &mut Budget,
    ) -> Result<Outcome, ScriptError> {
        let started = Instant::now();
        let outcome = self.engine.run(who, call, tables, budget);
        let ending = match &outcome {
            Ok(_) => Ending::Returned,
            Err(ScriptError::TimeLimit) => Ending::TimeLimit,
            Err(ScriptError::MemoryLimit | ScriptError::Crashed { .. }) => Ending::MemoryLimit,
            Err(ScriptError::Busy { .. } | ScriptError::Starved) => Ending::Busy,
            Err(ScriptError::Host { .. }) => Ending::NotRun,
            Err(_) => Ending::Failed,
        };
        self.counters.script(ending, started.elapsed());
        outcome
    }
}
