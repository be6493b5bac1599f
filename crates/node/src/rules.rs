//! The rules that a service is to be founded with, before it is founded with them.

use constitution::{Budget, Engine, check_constitution};

use crate::{NodeError, config::Start, found};

/// Checks that the constitution of a new service can be loaded and has what governance calls (D3, at founding too).
pub(crate) fn check(engine: &dyn Engine, start: &Start, mut budget: Budget) -> Result<(), NodeError> {
    let checked = check_constitution(engine, "founding", &found::constitution(start)?, &mut budget);
    checked.map_err(|why| NodeError::Constitution { why: why.to_string() })
}
