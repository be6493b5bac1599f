use std::{collections::BTreeMap, time::Duration};

use consortium::jwt::Bundle;
use tokio::time::Instant;

/// After a failure an issuer is asked again after this time, then after twice that, and so on up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// With nothing to do, the plan is looked at again after this time.
const IDLE: Duration = Duration::from_secs(3600);

/// An issuer to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    /// Its name, which is its URL.
    pub(super) issuer: String,
    /// What its connection is checked with, or why there is nothing.
    pub(super) bundle: Result<Bundle, String>,
}

/// Which issuer is asked when.
pub(super) struct Plan {
    interval: Duration,
    issuers: BTreeMap<String, Planned>,
}

struct Planned {
    due: Due,
    at: Instant,
    failures: u32,
}

impl Plan {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, issuers: BTreeMap::new() }
    }

    /// Takes over what is wanted now. What is new or different is due at once, and what is not wanted any more never.
    pub(super) fn update(&mut self, wanted: Vec<Due>, now: Instant) {
        let mut before = std::mem::take(&mut self.issuers);
        let plan = |due: Due| {
            let same = before.remove(&due.issuer).filter(|planned| planned.due == due);
            (due.issuer.clone(), same.unwrap_or(Planned { due, at: now, failures: 0 }))
        };
        self.issuers = wanted.into_iter().map(plan).collect();
    }

    /// What is to be asked now.
    pub(super) fn due(&self, now: Instant) -> Vec<Due> {
        let due = self.issuers.values().filter(|planned| planned.at <= now);
        due.map(|planned| planned.due.clone()).collect()
    }

    /// When something is due.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.issuers.values().map(|planned| planned.at).min().unwrap_or(now + IDLE)
    }

    /// An issuer was asked.
    pub(super) fn done(&mut self, issuer: &str, success: bool, now: Instant) {
        let Some(planned) = self.issuers.get_mut(issuer) else { return };
        planned.failures = if success { 0 } else { planned.failures.saturating_add(1) };
        let wait = match planned.failures {
            0 => self.interval,
            failures => self.interval.min(FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16))),
        };
        planned.at = now + spread(wait);
    }
}

/// Up to a tenth less, so that nodes that were started together do not ask together.
fn spread(wait: Duration) -> Duration {
    let random = crypto::random_bytes::<1>().map_or(0, |[byte]| u32::from(byte));
    wait - wait * random / 2560
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(1800);

    fn wanted(issuer: &str, text: &str) -> Due {
        Due { issuer: issuer.into(), bundle: Ok(Bundle { name: "b".into(), text: text.into() }) }
    }

    fn names(due: &[Due]) -> Vec<&str> {
        due.iter().map(|due| due.issuer.as_str()).collect()
    }

    #[test]
    fn what_changes_is_due_at_once_and_what_is_removed_never() {
        let now = Instant::now();
        let mut plan = Plan::new(INTERVAL);
        plan.update(vec![wanted("a", "1"), wanted("b", "1")], now);
        assert_eq!(names(&plan.due(now)), ["a", "b"]);
        plan.done("a", true, now);
        plan.done("b", true, now);
        assert!(plan.due(now + INTERVAL / 2).is_empty());
        plan.update(vec![wanted("a", "2"), wanted("b", "1")], now);
        assert_eq!(names(&plan.due(now)), ["a"]);
        assert_eq!(names(&plan.due(now + INTERVAL)), ["a", "b"]);
        plan.update(vec![], now);
        plan.done("a", true, now);
        assert!(plan.due(now + INTERVAL * 2).is_empty());
        assert_eq!(plan.next(now), now + IDLE);
    }

    #[test]
    fn failures_are_tried_again_later_and_later() {
        let now = Instant::now();
        let mut plan = Plan::new(INTERVAL);
        plan.update(vec![wanted("a", "1")], now);
        let mut wait = |success| {
            plan.done("a", success, now);
            plan.next(now) - now
        };
        for seconds in [5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800] {
            let (waited, most) = (wait(false), Duration::from_secs(seconds));
            assert!(waited <= most && waited >= most * 9 / 10, "{waited:?} of {most:?}");
        }
        assert!(wait(true) > INTERVAL * 8 / 10);
        assert!(wait(false) <= FIRST_RETRY);
    }
}
