//! The seam between governance and whatever runs its scripts.

use std::time::Duration;

use crate::{Call, CertificateRequest, Outcome, ScriptError};

/// Runs scripts. [`crate::Pool`] is the implementation; callers are threads that may block.
pub trait Engine: Send + Sync {
    /// Runs one call for `who` (a member id: one script of each runs at a time) and takes its time from `budget`.
    ///
    /// # Errors
    /// Every way in which the script or its surroundings fail, see [`ScriptError`].
    fn run(&self, who: &str, call: &Call, tables: &mut dyn Tables, budget: &mut Budget)
    -> Result<Outcome, ScriptError>;
}

/// The tables that a script reads, as of one version of the state.
pub trait Tables {
    /// The value of one key.
    fn get(&mut self, table: &str, key: &[u8]) -> Option<Vec<u8>>;
    /// All keys and values of a table.
    fn entries(&mut self, table: &str) -> Vec<(Vec<u8>, Vec<u8>)>;
    /// The seqno of the transaction that last wrote this key.
    fn written(&mut self, table: &str, key: &[u8]) -> Option<u64>;

    /// Makes a certificate for a script in `apply`. The script is not believed: whoever answers checks what it asks for.
    ///
    /// # Errors
    /// A text for the script, in which it becomes an exception. By default every request is refused.
    fn certificate(&mut self, wanted: &CertificateRequest) -> Result<String, String> {
        let _ = wanted;
        Err("no certificates are made here".to_owned())
    }
}

/// The processor time that all scripts of one request share (D41). Waiting does not count, neither for a turn nor for the
/// processor: whoever runs the machine could make ballots fail with it.
#[derive(Debug)]
pub struct Budget {
    left: Duration,
}

impl Budget {
    /// A budget of so much running time.
    #[must_use]
    pub fn new(total: Duration) -> Self {
        Self { left: total }
    }

    /// What is left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.left
    }

    /// Takes `time` from the budget.
    pub fn spend(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }
}

impl Default for Budget {
    /// One second.
    fn default() -> Self {
        Self::new(Duration::from_secs(1))
    }
}
