//! What one call keeps while it runs.

use std::{cell::RefCell, rc::Rc, time::Duration};

use crate::{Context, Effect, limits};

use super::{allowance::Allowance, pipe::Pipe, random::Random, tables::Tables};

/// The state behind the host functions; clones share it.
#[derive(Clone)]
pub(super) struct Session(Rc<RefCell<State>>);

pub(super) struct State {
    pub(super) context: Context,
    pub(super) tables: Tables,
    pub(super) effects: Vec<Effect>,
    effect_bytes: usize,
    pub(super) random: Random,
    pub(super) now_ms: i64,
    pub(super) allowance: Allowance,
    /// True while the module is evaluated: its top level may not look at tables.
    pub(super) evaluating: bool,
}

impl Session {
    pub(super) fn new(context: Context, pipe: Pipe, now_ms: i64, seed: [u8; 32], time_ms: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            context,
            tables: Tables::new(context, Some(pipe)),
            effects: Vec::new(),
            effect_bytes: 0,
            random: Random::new(seed),
            now_ms,
            allowance: Allowance::of(Duration::from_millis(time_ms)),
            evaluating: true,
        })))
    }

    /// A session for looking at a module from outside: it stays in the phase in which tables are out of reach.
    pub(super) fn detached(now_ms: i64, allowance: Allowance) -> Self {
        Self(Rc::new(RefCell::new(State {
            context: Context::ReadOnly,
            tables: Tables::new(Context::ReadOnly, None),
            effects: Vec::new(),
            effect_bytes: 0,
            random: Random::new([0; 32]),
            now_ms,
            allowance,
            evaluating: true,
        })))
    }

    /// Runs `f` on the state. Host functions never call back into the script, so this is never entered twice.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.borrow_mut())
    }

    pub(super) fn allowance(&self) -> Allowance {
        self.with(|state| state.allowance)
    }

    /// Remembers an effect.
    ///
    /// # Errors
    /// A text for the script when it asks for too many.
    pub(super) fn push_effect(&self, effect: Effect) -> Result<(), String> {
        self.with(|state| {
            if state.effects.len() >= limits::EFFECTS {
                return Err(format!("a script may trigger at most {} things", limits::EFFECTS));
            }
            state.effect_bytes += effect.size();
            if state.effect_bytes > limits::WRITE_BYTES {
                return Err(format!("what a script triggers may have at most {} bytes", limits::WRITE_BYTES));
            }
            state.effects.push(effect);
            Ok(())
        })
    }
}
