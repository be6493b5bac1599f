//! Whose turn it is.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::PoolOptions;
use crate::ScriptError;

/// Hands out a bounded number of turns: one at a time to each caller, in rotation among those that wait.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    waiting: usize,
    waiting_per_caller: usize,
    patience: Duration,
}

struct State {
    free: usize,
    running: HashSet<String>,
    waiting: HashMap<String, VecDeque<u64>>,
    /// The callers in `waiting`, the next one first.
    rotation: VecDeque<String>,
    /// Tickets that may go ahead and have not noticed yet.
    called: HashSet<u64>,
    next_ticket: u64,
}

/// A turn; dropping it ends it.
pub(super) struct Turn<'q> {
    queue: &'q Queue,
    who: String,
}

impl Queue {
    pub(super) fn new(options: &PoolOptions) -> Self {
        Self {
            state: Mutex::new(State {
                free: options.size.max(1),
                running: HashSet::new(),
                waiting: HashMap::new(),
                rotation: VecDeque::new(),
                called: HashSet::new(),
                next_ticket: 0,
            }),
            changed: Condvar::new(),
            waiting: options.waiting,
            waiting_per_caller: options.waiting_per_caller,
            patience: options.patience,
        }
    }

    /// Waits for a turn of `who`.
    ///
    /// # Errors
    /// [`ScriptError::Busy`] when too many wait already, or the wait gets too long.
    pub(super) fn enter(&self, who: &str) -> Result<Turn<'_>, ScriptError> {
        let deadline = Instant::now() + self.patience;
        let mut state = self.lock();
        let ticket = self.line_up(&mut state, who)?;
        state.call_next();
        while !state.called.remove(&ticket) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.leave(who, ticket);
                return Err(ScriptError::Busy { limit: self.waiting });
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(Turn { queue: self, who: who.to_owned() })
    }

    fn line_up(&self, state: &mut State, who: &str) -> Result<u64, ScriptError> {
        let all: usize = state.waiting.values().map(VecDeque::len).sum();
        if all >= self.waiting {
            return Err(ScriptError::Busy { limit: self.waiting });
        }
        if state.waiting.get(who).is_some_and(|own| own.len() >= self.waiting_per_caller) {
            return Err(ScriptError::Busy { limit: self.waiting_per_caller });
        }
        let ticket = state.next_ticket;
        state.next_ticket = ticket.wrapping_add(1);
        let own = state.waiting.entry(who.to_owned()).or_default();
        own.push_back(ticket);
        if own.len() == 1 {
            state.rotation.push_back(who.to_owned());
        }
        Ok(ticket)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Calls as many waiting tickets as there are free turns.
    fn call_next(&mut self) {
        while self.free > 0 {
            let Some(at) = self.rotation.iter().position(|who| !self.running.contains(who)) else { return };
            let Some(who) = self.rotation.remove(at) else { return };
            let Some(ticket) = self.waiting.get_mut(&who).and_then(VecDeque::pop_front) else { continue };
            if self.waiting.get(&who).is_some_and(VecDeque::is_empty) {
                self.waiting.remove(&who);
            } else {
                self.rotation.push_back(who.clone());
            }
            self.free -= 1;
            self.called.insert(ticket);
            self.running.insert(who);
        }
    }

    /// Takes back a ticket that was not called.
    fn leave(&mut self, who: &str, ticket: u64) {
        let Some(own) = self.waiting.get_mut(who) else { return };
        own.retain(|other| *other != ticket);
        if own.is_empty() {
            self.waiting.remove(who);
            self.rotation.retain(|other| other != who);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.running.remove(&self.who);
        state.free += 1;
        state.call_next();
        drop(state);
        self.queue.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    fn queue(size: usize, waiting: usize, patience: Duration) -> Queue {
        let mut options = PoolOptions::new("/nothing", []);
        (options.size, options.waiting, options.patience) = (size, waiting, patience);
        Queue::new(&options)
    }

    #[test]
    fn one_turn_of_each_at_a_time() {
        let queue = queue(2, 10, Duration::ZERO);
        let _a = queue.enter("a").unwrap();
        assert!(matches!(queue.enter("a"), Err(ScriptError::Busy { .. })));
        let _b = queue.enter("b").unwrap();
        assert!(matches!(queue.enter("c"), Err(ScriptError::Busy { .. })));
    }

    #[test]
    fn an_impatient_waiter_leaves_nothing_behind() {
        let queue = queue(1, 10, Duration::from_millis(5));
        let a = queue.enter("a").unwrap();
        assert!(queue.enter("b").is_err());
        drop(a);
        let _c = queue.enter("c").unwrap();
        assert!(queue.lock().waiting.is_empty() && queue.lock().rotation.is_empty());
    }

    #[test]
    fn a_full_queue_says_so_at_once() {
        let queue = queue(1, 0, Duration::from_secs(60));
        assert_eq!(queue.enter("a").err(), Some(ScriptError::Busy { limit: 0 }));
    }

    #[test]
    fn turns_rotate() {
        let queue = queue(1, 100, Duration::from_secs(10));
        let (sender, order) = mpsc::channel();
        let first = queue.enter("z").unwrap();
        thread::scope(|scope| {
            for (number, who) in ["a", "a", "a", "b"].into_iter().enumerate() {
                let (queue, sender) = (&queue, sender.clone());
                scope.spawn(move || {
                    let _turn = queue.enter(who).unwrap();
                    sender.send(who).unwrap();
                });
                while queue.lock().waiting.values().map(VecDeque::len).sum::<usize>() <= number {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        drop(sender);
        assert_eq!(order.iter().collect::<String>(), "abaa");
    }
}
