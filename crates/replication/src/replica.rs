use std::{future::Future, sync::Arc, thread::JoinHandle, time::Duration};

use kv::TxId;
use ledger::{receipt::Receipt, secrets::LedgerSecrets};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Committed, Hold, SnapshotStatus, SubmitError, Transaction,
    history::{Known, Range},
    hold::{Holder, MAX_HOLD},
    past::{Page, Past, Unavailable},
    room::Room,
    sequencer::{Request, Submission},
    shared::Shared,
    stats::Work,
    store::EntryReader,
};

/// What is known of a transaction (CCF's transaction status).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Durable, signed, final.
    Committed,
    /// Another transaction took its place: final as well.
    Invalid,
    /// Being written.
    Pending,
    /// Nothing is known of it here.
    Unknown,
}

/// A handle on the ledger of this node. Clones are the same ledger.
#[derive(Clone)]
pub struct Replica {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    room: Room,
    past: Past,
    stopped: watch::Receiver<Option<Result<(), String>>>,
    thread: std::sync::Mutex<Option<JoinHandle<()>>>,
    view: u64,
}

impl Replica {
    pub(crate) fn new(
        shared: Arc<Shared>,
        requests: mpsc::Sender<Request>,
        reader: EntryReader,
        stopped: watch::Receiver<Option<Result<(), String>>>,
        thread: JoinHandle<()>,
        view: u64,
    ) -> Self {
        let thread = std::sync::Mutex::new(Some(thread));
        Self {
            inner: Arc::new(Inner {
                past: Past::new(shared.clone(), reader),
                shared,
                requests,
                room: Room::new(),
                stopped,
                thread,
                view,
            }),
        }
    }

    /// The state that is committed now. Never waits.
    #[must_use]
    pub fn committed(&self) -> Arc<Committed> {
        self.inner.shared.committed()
    }

    /// The ledger secrets, the one that follows the last transaction placed included. Ask for the one that applies at a
    /// seqno: the latest may belong to a transaction that is still being written.
    #[must_use]
    pub fn secrets(&self) -> Arc<LedgerSecrets> {
        self.inner.shared.secrets()
    }

    /// The view in which this node orders transactions.
    #[must_use]
    pub fn view(&self) -> u64 {
        self.inner.view
    }

    /// Places a transaction and waits until it is durable, committed and signed.
    ///
    /// # Errors
    /// [`SubmitError::Conflict`] with the state to run it on again; [`SubmitError::Busy`] at once if too much is waiting;
    /// or why it cannot be committed at all.
    pub async fn submit(&self, transaction: Transaction) -> Result<TxId, SubmitError> {
        let (submission, answer) = Submission::new(transaction)?;
        let place = self.inner.room.for_transaction(&submission.transaction)?;
        self.ask(Request::Submit(Box::new(submission.at(place)))).await?;
        self.unless_stopped(answer).await?
    }

    /// Waits for the right to place the next transaction alone, within `limit` or [`MAX_HOLD`], whichever is shorter. See
    /// [`Hold`].
    ///
    /// # Errors
    /// [`SubmitError::Busy`] at once if too many wait for that; [`SubmitError::Stopping`]
    pub async fn hold(&self, limit: Duration) -> Result<Hold, SubmitError> {
        let (sender, hold) = oneshot::channel();
        let _place = self.inner.room.for_hold()?;
        self.ask(Request::Hold(Holder { hold: sender, limit: limit.min(MAX_HOLD), _place })).await?;
        self.unless_stopped(hold).await
    }

    /// Waits until everything up to `seqno` is committed; for answers that were found on the head.
    ///
    /// # Errors
    /// [`SubmitError::Stopping`]
    pub async fn wait_for(&self, seqno: u64) -> Result<(), SubmitError> {
        let mut publications = self.inner.shared.publications();
        self.unless_stopped(publications.wait_for(|last| *last >= seqno)).await.map(|_| ())
    }

    /// The last committed seqno, as it grows.
    #[must_use]
    pub fn publications(&self) -> watch::Receiver<u64> {
        self.inner.shared.publications()
    }

    /// What was done since the start.
    #[must_use]
    pub fn work(&self) -> Work {
        self.inner.shared.stats.read()
    }

    /// What became of snapshots.
    #[must_use]
    pub fn snapshots(&self) -> SnapshotStatus {
        self.inner.shared.snapshots.status()
    }

    /// Waits until no snapshot is being written, or the ledger has stopped.
    pub async fn snapshots_settled(&self) -> SnapshotStatus {
        let mut status = self.inner.shared.snapshots.watch();
        let settled = status.wait_for(|status| !status.writing).await.map(|status| status.clone());
        settled.unwrap_or_else(|_| self.snapshots())
    }

    /// What comes of something that the commit thread has to do. Once that has ended, however it ended, nothing does.
    async fn unless_stopped<T, E>(&self, what: impl Future<Output = Result<T, E>>) -> Result<T, SubmitError> {
        let mut stopped = self.inner.stopped.clone();
        tokio::select! {
            // What was answered before the end counts.
            biased;
            done = what => done.map_err(|_| SubmitError::Stopping),
            _ = stopped.wait_for(Option::is_some) => Err(SubmitError::Stopping),
        }
    }

    /// There is always room in the channel for what has a place.
    async fn ask(&self, request: Request) -> Result<(), SubmitError> {
        self.inner.requests.send(request).await.map_err(|_| SubmitError::Stopping)
    }

    /// What is known of a transaction.
    #[must_use]
    pub fn status(&self, id: TxId) -> Status {
        let committed = self.committed().state.tx_id();
        let local = self.inner.shared.history().view_of(id.seqno);
        match (committed.seqno >= id.seqno, local == Some(id.view)) {
            (true, true) => Status::Committed,
            (true, false) => Status::Invalid,
            (false, true) => Status::Pending,
            (false, false) if committed.view > id.view => Status::Invalid,
            (false, false) => Status::Unknown,
        }
    }

    /// The first transaction of each view, from view 1 on.
    #[must_use]
    pub fn view_history(&self) -> Vec<TxId> {
        self.inner.shared.history().view_history()
    }

    /// The seqno of the last signature transaction.
    #[must_use]
    pub fn last_signature(&self) -> u64 {
        self.inner.shared.history().last_signature()
    }

    /// The receipt of a committed transaction. Reads the ledger files: not for the runtime's own threads.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn receipt(&self, id: TxId) -> Result<Receipt, Unavailable> {
        match self.status(id) {
            Status::Committed => {}
            other => return Err(Unavailable::NotCommitted(other)),
        }
        self.inner.past.receipt(id)
    }

    /// How many of the committed transactions can be asked about. After a start from a snapshot the others follow.
    #[must_use]
    pub fn known(&self) -> Known {
        self.inner.shared.history().known()
    }

    /// The seqno of the first of the committed writes to a key of a watched map (proposals) in a range, in the order of
    /// the range. Reads no files.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn first_write_to(&self, map: &str, key: &[u8], range: &Range) -> Result<Option<u64>, Unavailable> {
        Ok(self.inner.past.seqnos(map, key, &Range { at_most: 1, ..*range })?.first().copied())
    }

    /// The committed writes to a key of a watched map (proposals) in a range, at least one if there is any and at most
    /// as many as asked for; fewer if they are large. Reads the ledger files: not for the runtime's own threads.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub fn writes_to(&self, map: &str, key: &[u8], range: &Range) -> Result<Page, Unavailable> {
        self.inner.past.writes_to(map, key, range)
    }

    /// Waits until the ledger has stopped, by [`Self::stop`] or because it could not be written.
    ///
    /// # Errors
    /// Why it could not be written: the process should stop then.
    pub async fn stopped(&self) -> Result<(), String> {
        let mut stopped = self.inner.stopped.clone();
        match stopped.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(Ok(())),
            Err(_) => Err("the commit thread ended unexpectedly".to_owned()),
        }
    }

    /// Finishes what was asked before and stops.
    ///
    /// # Errors
    /// As [`Self::stopped`].
    pub async fn stop(&self) -> Result<(), String> {
        // If nobody takes the request, it has stopped already.
        let _ = self.ask(Request::Stop).await;
        let result = self.stopped().await;
        let thread = crate::sealer::lock(&self.inner.thread).take();
        if let Some(thread) = thread {
            // The thread ends right behind the message; a panic in it was reported by `stopped`.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        result
    }
}
