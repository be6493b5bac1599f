use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crypto::Zeroizing;
use rustls::server::StoresServerSessions;

/// Sessions that are remembered; the oldest ones go first.
const MAX_SESSIONS: usize = 4096;
/// Bytes of a session, most of which is the chain of the client.
const MAX_SESSION_BYTES: usize = 16 << 10;
/// Bytes of all sessions.
const MAX_BYTES: usize = 8 << 20;
/// At the end of each period all sessions are forgotten.
const PERIOD: Duration = Duration::from_secs(3600);
/// So long at the beginning of a period nothing is remembered: several times what a handshake may take.
const PAUSE: Duration = Duration::from_secs(60);

/// Sessions of TLS 1.3 that their clients may resume.
///
/// Whoever resumes a session has not signed anything: it knows a secret that was agreed on when its key was proven. So the
/// proof must not be passed on for ever, from each resumed session to the next. It ends with the period: a session that
/// was resumed before its end gets its own ticket within the time of a handshake, and then nothing is remembered.
///
/// Nothing of this is on disk, each ticket is good for one use, on the interface and in the process that gave it, and
/// there is no key of tickets that could be stolen. TLS 1.2 resumes nothing.
pub(super) struct Sessions {
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    period: u64,
    bytes: usize,
    next: u64,
    by_ticket: HashMap<Vec<u8>, u64>,
    by_age: BTreeMap<u64, Session>,
}

struct Session {
    ticket: Vec<u8>,
    value: Zeroizing<Vec<u8>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { began: Instant::now(), kept: Mutex::default() }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    fn with<T>(&self, now: Duration, run: impl FnOnce(&mut Kept) -> T) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let period = now.as_secs() / PERIOD.as_secs();
        if kept.period != period {
            *kept = Kept { period, ..Kept::default() };
        }
        run(&mut kept)
    }

    fn keep(&self, now: Duration, ticket: Vec<u8>, value: Vec<u8>) -> bool {
        let value = Zeroizing::new(value);
        let pauses = now >= PERIOD && now.as_secs() % PERIOD.as_secs() < PAUSE.as_secs();
        if pauses || value.len() > MAX_SESSION_BYTES {
            return false;
        }
        self.with(now, |kept| kept.add(ticket, value));
        true
    }
}

impl Kept {
    fn add(&mut self, ticket: Vec<u8>, value: Zeroizing<Vec<u8>>) {
        self.bytes += value.len();
        self.by_ticket.insert(ticket.clone(), self.next);
        self.by_age.insert(self.next, Session { ticket, value });
        self.next += 1;
        while self.by_age.len() > MAX_SESSIONS || self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.by_age.pop_first() else { return };
            self.by_ticket.remove(&oldest.ticket);
            self.bytes -= oldest.value.len();
        }
    }

    fn take(&mut self, ticket: &[u8]) -> Option<Vec<u8>> {
        let number = self.by_ticket.remove(ticket)?;
        let mut session = self.by_age.remove(&number)?;
        self.bytes -= session.value.len();
        Some(std::mem::take(&mut *session.value))
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.keep(self.began.elapsed(), key, value)
    }

    /// Only TLS 1.2 asks without taking.
    fn get(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.with(self.began.elapsed(), |kept| kept.take(key))
    }

    /// Only TLS 1.2 asks, before it promises a client that its session can be resumed.
    fn can_cache(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn ticket(number: usize) -> Vec<u8> {
        number.to_le_bytes().to_vec()
    }

    fn take(sessions: &Sessions, now: Duration, number: usize) -> Option<Vec<u8>> {
        sessions.with(now, |kept| kept.take(&ticket(number)))
    }

    #[test]
    fn a_ticket_is_good_once() {
        let sessions = Sessions::default();
        assert!(sessions.keep(START, ticket(1), vec![7]));
        assert_eq!(take(&sessions, START, 2), None);
        assert_eq!(take(&sessions, START, 1), Some(vec![7]));
        assert_eq!(take(&sessions, START, 1), None);
        assert_eq!(sessions.get(&ticket(1)), None);
    }

    #[test]
    fn no_proof_of_a_key_outlives_its_period() {
        let sessions = Sessions::default();
        let last = PERIOD - Duration::from_secs(1);
        for number in 0..3 {
            assert!(sessions.keep(last, ticket(number), vec![7]));
        }
        assert!(take(&sessions, last, 0).is_some());
        // The session that was resumed last gets its next ticket behind the end of the period, and it is worth nothing.
        for late in [PERIOD, PERIOD + PAUSE - Duration::from_secs(1)] {
            assert_eq!(take(&sessions, late, 1), None);
            assert!(!sessions.keep(late, ticket(3), vec![7]));
        }
        assert!(sessions.keep(PERIOD + PAUSE, ticket(4), vec![7]));
        assert!(take(&sessions, 2 * PERIOD - Duration::from_secs(1), 4).is_some());
    }

    #[test]
    fn memory_is_bounded_by_number_and_by_size() {
        let sessions = Sessions::default();
        for number in 0..2 * MAX_SESSIONS {
            assert!(sessions.keep(START, ticket(number), vec![7; 100]));
        }
        assert_eq!(
            sessions.with(START, |kept| (kept.by_age.len(), kept.by_ticket.len())),
            (MAX_SESSIONS, MAX_SESSIONS)
        );
        assert_eq!(take(&sessions, START, 0), None, "the oldest are gone");
        assert!(!sessions.keep(START, ticket(1), vec![7; MAX_SESSION_BYTES + 1]));
        for number in 0..MAX_SESSIONS {
            sessions.keep(START, ticket(number), vec![7; MAX_SESSION_BYTES]);
        }
        sessions.with(START, |kept| {
            let bytes: usize = kept.by_age.values().map(|session| session.value.len()).sum();
            assert!(bytes == kept.bytes && bytes <= MAX_BYTES, "{bytes} and {}", kept.bytes);
            assert_eq!(kept.by_age.len(), kept.by_ticket.len());
        });
    }
}
