use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::room::{NoRoom, Room, Taken};
use crate::config::{HttpLimits, RpcInterface};

/// Bytes of requests that may be arriving or being answered at an interface at a time; a body is at most a quarter of that.
const ROOM: u64 = 256 << 20;
/// Bytes of answers that may be on their way to clients, who may take their time to read them.
const ANSWERS: u64 = 256 << 20;
/// Answers up to this many bytes are not counted among them.
const SMALL_ANSWER: u64 = 4 << 10;
/// Requests at an interface at a time. Sessions of HTTP/1.1 have one each, those of HTTP/2 up to a hundred.
const MAX_REQUESTS: usize = 16 << 10;

/// A named address of the node, with its limits and what is counted there.
#[derive(Debug)]
pub struct Interface {
    /// Its name in the configuration.
    pub name: String,
    /// From this many sessions on, new ones are answered 503.
    pub soft_cap: usize,
    /// From this many sessions on, new ones are dropped.
    pub hard_cap: usize,
    /// Limits of HTTP.
    pub limits: HttpLimits,
    sessions: AtomicUsize,
    entered: AtomicUsize,
    peak: AtomicUsize,
    /// What was refused so far.
    pub(super) refused: Refused,
    /// Memory for requests.
    pub(super) room: Room,
    /// Memory for answers.
    answers: Room,
    requests: AtomicUsize,
}

#[derive(Debug, Default)]
pub(super) struct Refused {
    pub(super) parsing: AtomicUsize,
    pub(super) header_too_large: AtomicUsize,
    pub(super) body_too_large: AtomicUsize,
    pub(super) handshake: AtomicUsize,
    pub(super) no_room: AtomicUsize,
    busy: AtomicUsize,
    surplus: AtomicUsize,
    dropped: AtomicUsize,
}

/// What was counted at an interface, for `GET /node/metrics` and the metrics of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that are open.
    pub active: usize,
    /// The most that were open at a time.
    pub peak: usize,
    /// Requests that were not HTTP.
    pub parsing: usize,
    /// Requests with too large a head.
    pub header_too_large: usize,
    /// Requests with too large a body.
    pub body_too_large: usize,
    /// Sessions that were opened, those beyond the soft limit left out.
    pub opened: usize,
    /// Sessions that ended before client and node had agreed on keys.
    pub handshake: usize,
    /// Requests for which there was no memory beside others.
    pub no_room: usize,
    /// Requests that were too many at a time.
    pub busy: usize,
    /// Sessions that were told that there are too many, beyond the soft limit.
    pub surplus: usize,
    /// Connections that were dropped, beyond the hard limit.
    pub dropped: usize,
}

impl Interface {
    /// An interface as configured.
    #[must_use]
    pub fn new(config: &RpcInterface) -> Self {
        Self {
            name: config.name.clone(),
            soft_cap: config.max_open_sessions_soft,
            hard_cap: config.max_open_sessions_hard,
            limits: config.http.clone(),
            sessions: AtomicUsize::new(0),
            entered: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            refused: Refused::default(),
            room: Room::new(ROOM.max(4 * config.http.max_body_size.bytes)),
            answers: Room::new(ANSWERS),
            requests: AtomicUsize::new(0),
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            active: self.sessions.load(Relaxed),
            peak: self.peak.load(Relaxed),
            parsing: self.refused.parsing.load(Relaxed),
            header_too_large: self.refused.header_too_large.load(Relaxed),
            body_too_large: self.refused.body_too_large.load(Relaxed),
            opened: self.entered.load(Relaxed),
            handshake: self.refused.handshake.load(Relaxed),
            no_room: self.refused.no_room.load(Relaxed),
            busy: self.refused.busy.load(Relaxed),
            surplus: self.refused.surplus.load(Relaxed),
            dropped: self.refused.dropped.load(Relaxed),
        }
    }

    /// Counts a new session; the number of sessions that were there before it. `None` if there is no room for another.
    pub(super) fn enter(&self) -> Option<usize> {
        let room = |open: usize| (open < self.hard_cap).then_some(open + 1);
        let Ok(before) = self.sessions.fetch_update(Relaxed, Relaxed, room) else {
            count(&self.refused.dropped);
            return None;
        };
        count(if before < self.soft_cap { &self.entered } else { &self.refused.surplus });
        self.peak.fetch_max(before + 1, Relaxed);
        Some(before)
    }

    pub(super) fn leave(&self) {
        self.sessions.fetch_sub(1, Relaxed);
    }

    /// Counts a request until the answer is dropped. `None` if there are too many.
    pub(super) fn begin(&self) -> Option<impl Drop + use<'_>> {
        let room = |open: usize| (open < MAX_REQUESTS).then_some(open + 1);
        if self.requests.fetch_update(Relaxed, Relaxed, room).is_err() {
            count(&self.refused.busy);
            return None;
        }
        Some(Begun(self))
    }

    /// Room for an answer of so many bytes, as long as it is on its way; nothing for a small one.
    ///
    /// # Errors
    /// [`NoRoom`]
    pub(super) fn room_for_answer(&self, bytes: usize) -> Result<Option<Taken>, NoRoom> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        if bytes <= SMALL_ANSWER { Ok(None) } else { self.answers.take(bytes).map(Some) }
    }
}

struct Begun<'a>(&'a Interface);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

pub(super) fn count(counter: &AtomicUsize) {
    counter.fetch_add(1, Relaxed);
}
