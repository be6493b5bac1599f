use std::fmt;

use crate::{Check, Rejection, Result};

/// The checks that evidence has passed, in order: what a tool shows beside the result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    passed: Vec<Check>,
}

impl Trail {
    /// No check yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The checks that were passed, in the order in which they were made.
    #[must_use]
    pub fn passed(&self) -> &[Check] {
        &self.passed
    }

    /// Notes that a check was passed, unless it was not.
    pub(crate) fn note<T>(&mut self, check: Check, result: Result<T>) -> Result<T> {
        if result.is_ok() {
            self.passed.push(check);
        }
        result
    }

    /// Notes that a check was passed, if it holds.
    pub(crate) fn require(
        &mut self,
        check: Check,
        holds: bool,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Result<()> {
        let result = if holds { Ok(()) } else { Err(Rejection::new(check, expected, found)) };
        self.note(check, result)
    }
}
