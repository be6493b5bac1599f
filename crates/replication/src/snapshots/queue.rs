use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use crypto::Digest;
use kv::TxId;
use ledger::{secrets::LedgerSecrets, snapshot::SnapshotName};
use tokio::sync::watch;

use crate::{Committed, SnapshotStatus};

/// A snapshot to be taken.
pub(crate) struct Job {
    /// What is committed behind the batch.
    pub(crate) committed: Arc<Committed>,
    /// The leaf of its last transaction.
    pub(crate) leaf: Digest,
    /// The first transaction of each view so far.
    pub(crate) views: Vec<TxId>,
    /// The ledger secrets, those behind it too.
    pub(crate) secrets: Arc<LedgerSecrets>,
}

/// Between the commit thread, which asks for snapshots, and the thread that takes them: at most one waits.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    status: watch::Sender<SnapshotStatus>,
    closed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    job: Option<Job>,
    is_working: bool,
}

impl Queue {
    /// `status` says what was there before.
    pub(crate) fn new(status: SnapshotStatus) -> Self {
        Self {
            waiting: Mutex::default(),
            wake: Condvar::new(),
            status: watch::Sender::new(status),
            closed: AtomicBool::new(false),
        }
    }

    /// What became of snapshots so far.
    pub(crate) fn status(&self) -> SnapshotStatus {
        self.status.borrow().clone()
    }

    /// The same, as it changes.
    pub(crate) fn watch(&self) -> watch::Receiver<SnapshotStatus> {
        self.status.subscribe()
    }

    /// Whether one is being taken or waits.
    pub(crate) fn is_busy(&self) -> bool {
        self.status.borrow().writing
    }

    /// Bytes of the last one that is complete.
    pub(crate) fn last_bytes(&self) -> u64 {
        self.status.borrow().bytes
    }

    /// One will be asked for, once its batch is committed: whoever is answered with that batch finds it so.
    pub(crate) fn announce(&self) {
        self.status.send_modify(|status| status.writing = true);
    }

    /// Asks for one, in place of one that still waits.
    pub(crate) fn put(&self, job: Job) {
        let mut waiting = self.waiting();
        if self.is_closed() {
            return;
        }
        waiting.job = Some(job);
        self.announce();
        self.wake.notify_one();
    }

    /// Waits for one to take; `None` when there will be none any more.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut waiting = self.waiting();
        loop {
            if self.is_closed() {
                return None;
            }
            if let Some(job) = waiting.job.take() {
                waiting.is_working = true;
                return Some(job);
            }
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One to take now, if there is any.
    pub(crate) fn next_now(&self) -> Option<Job> {
        let mut waiting = self.waiting();
        let job = waiting.job.take().filter(|_| !self.is_closed())?;
        waiting.is_working = true;
        Some(job)
    }

    /// One was taken, in this time.
    pub(crate) fn taken(&self, name: SnapshotName, bytes: u64, took: Duration) {
        self.done(|status| {
            *status =
                SnapshotStatus { last: Some(name), bytes, took: Some(took), taken: status.taken + 1, ..status.clone() };
        });
    }

    /// One was given up. `counts` unless that was wanted.
    pub(crate) fn given_up(&self, counts: bool) {
        self.done(|status| status.failures += u64::from(counts));
    }

    fn done(&self, change: impl FnOnce(&mut SnapshotStatus)) {
        let mut waiting = self.waiting();
        waiting.is_working = false;
        self.status.send_modify(|status| {
            change(status);
            status.writing = waiting.job.is_some();
        });
    }

    /// No more are taken, and one that is being written is given up.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting();
        self.closed.store(true, SeqCst);
        waiting.job = None;
        let is_working = waiting.is_working;
        self.status.send_modify(|status| status.writing = is_working);
        self.wake.notify_all();
    }

    /// Whether [`Queue::close`] was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use kv::State;

    use super::*;

    fn job(mark: u8) -> Job {
        let committed = Arc::new(Committed { state: State::default(), root: [mark; 32] });
        Job { committed, leaf: [mark; 32], views: Vec::new(), secrets: Arc::default() }
    }

    #[test]
    fn one_is_taken_and_one_waits() {
        let queue = Queue::new(SnapshotStatus::default());
        queue.put(job(1));
        assert_eq!(queue.next().unwrap().leaf, [1; 32]);
        queue.put(job(2));
        queue.put(job(3));
        let name = "snapshot_5_6.committed".parse().unwrap();
        queue.taken(name, 100, Duration::from_secs(1));
        assert!(queue.is_busy());
        assert_eq!(queue.next_now().unwrap().leaf, [3; 32], "the later one takes the place");
        queue.given_up(true);
        let status = queue.status();
        assert_eq!((status.last, status.bytes, status.taken, status.failures), (Some(name), 100, 1, 1));
        assert!(!status.writing && queue.next_now().is_none());
    }

    #[test]
    fn nothing_is_taken_behind_the_end() {
        let queue = Arc::new(Queue::new(SnapshotStatus::default()));
        queue.put(job(1));
        let waiting = std::thread::spawn({
            let queue = queue.clone();
            move || std::iter::from_fn(|| queue.next().map(|_| queue.given_up(false))).count()
        });
        while queue.is_busy() {
            std::thread::yield_now();
        }
        queue.close();
        queue.put(job(2));
        assert_eq!(waiting.join().unwrap(), 1);
        assert!(!queue.is_busy() && queue.next().is_none());
    }
}
