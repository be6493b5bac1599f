use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::Interface;

/// What a session is doing, as far as others need to know.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Requests that were begun, modulo 2^32.
    begun: AtomicU32,
    /// Requests that were answered, modulo 2^32.
    answered: AtomicU32,
    /// Whether the session was told to end, so that nothing more is waited for.
    pub(super) ending: AtomicBool,
}

impl Activity {
    /// Counts a request until the guard is dropped.
    pub(super) fn begin(&self) -> impl Drop + use<'_> {
        self.begun.fetch_add(1, Relaxed);
        Busy(self)
    }
}

struct Busy<'a>(&'a Activity);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.answered.fetch_add(1, Relaxed);
    }
}

/// Why a session has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing was asked for too long.
    Idle,
    /// The node stops.
    Stop,
}

/// The sessions of an interface that are open. Asked only when a session starts or ends, and a few times a minute.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    stopping: bool,
    sessions: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    activity: Arc<Activity>,
    end: oneshot::Sender<End>,
    seen: u32,
    since: Instant,
}

/// An open session: counted until it is dropped.
pub(super) struct Session {
    pub(super) activity: Arc<Activity>,
    /// Says when the session has to end.
    pub(super) end: oneshot::Receiver<End>,
    /// Whether it is one too many, to be told so and closed.
    pub(super) surplus: bool,
    pub(super) place: Place,
}

/// The place of a session among the others.
pub(super) struct Place {
    id: u64,
    sessions: Arc<Sessions>,
    pub(super) interface: Arc<Interface>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.sessions.lock().sessions.remove(&self.id);
        self.interface.leave();
    }
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new session, or `None` if there are too many.
    pub(super) fn enter(self: &Arc<Self>, interface: &Arc<Interface>) -> Option<Session> {
        let before = interface.enter()?;
        let activity = Arc::new(Activity::default());
        let (send, end) = oneshot::channel();
        let mut open = self.lock();
        let id = open.next;
        open.next += 1;
        if open.stopping {
            // Nobody receives yet, so the message waits for the session.
            let _ = send.send(End::Stop);
        } else {
            let entry = Entry { activity: activity.clone(), end: send, seen: 0, since: Instant::now() };
            open.sessions.insert(id, entry);
        }
        let place = Place { id, sessions: self.clone(), interface: interface.clone() };
        Some(Session { activity, end, surplus: before >= interface.soft_cap, place })
    }

    /// Ends the sessions that were asked nothing for `timeout`. A request that is being answered is not idle.
    pub(super) fn end_idle(&self, timeout: Duration) {
        let now = Instant::now();
        let mut open = self.lock();
        let idle: Vec<u64> =
            open.sessions.iter_mut().filter_map(|(id, entry)| entry.idle(now, timeout).then_some(*id)).collect();
        for id in idle {
            if let Some(entry) = open.sessions.remove(&id) {
                // A session that ended meanwhile no longer listens.
                let _ = entry.end.send(End::Idle);
            }
        }
    }

    /// Ends all sessions, and those that are still to come.
    pub(super) fn end_all(&self) {
        let mut open = self.lock();
        open.stopping = true;
        for (_, entry) in open.sessions.drain() {
            let _ = entry.end.send(End::Stop);
        }
    }
}

impl Entry {
    fn idle(&mut self, now: Instant, timeout: Duration) -> bool {
        let answered = self.activity.answered.load(Relaxed);
        let busy = self.activity.begun.load(Relaxed) != answered;
        if busy || answered != self.seen {
            (self.seen, self.since) = (answered, now);
        }
        now.duration_since(self.since) >= timeout
    }
}
