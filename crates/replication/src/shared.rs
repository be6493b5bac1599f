use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use arc_swap::ArcSwap;
use crypto::Digest;
use kv::{TxId, WriteSet};
use ledger::secrets::LedgerSecrets;

use tokio::sync::watch;

use crate::{
    Committed, SnapshotStatus,
    history::{self, History},
    index::Index,
    sealer::lock,
    sequencer::Answer,
    snapshots::Queue,
    stats::Stats,
};

/// A batch between sealing and applying: what becomes of the node when it is committed.
pub(crate) struct InFlight {
    pub(crate) first: TxId,
    /// Length and leaf of each entry.
    pub(crate) entries: Vec<(usize, Digest)>,
    pub(crate) ends_chunk: bool,
    pub(crate) committed: Arc<Committed>,
    pub(crate) answers: Vec<(TxId, Answer)>,
}

/// What the commit thread and everybody else look at.
pub(crate) struct Shared {
    committed: ArcSwap<Committed>,
    history: RwLock<History>,
    in_flight: Mutex<VecDeque<InFlight>>,
    /// Writes to watched maps that are not committed yet.
    noted: Mutex<Vec<(u64, String, bytes::Bytes)>>,
    published: watch::Sender<u64>,
    pub(crate) stats: Stats,
    /// Set right behind [`Shared::new`].
    pub(crate) index: OnceLock<Index>,
    pub(crate) snapshots: Arc<Queue>,
    secrets: ArcSwap<LedgerSecrets>,
}

impl Shared {
    pub(crate) fn new(
        committed: Committed,
        history: History,
        secrets: LedgerSecrets,
        snapshots: SnapshotStatus,
    ) -> Self {
        Self {
            published: watch::Sender::new(committed.state.tx_id().seqno),
            committed: ArcSwap::from_pointee(committed),
            history: RwLock::new(history),
            in_flight: Mutex::default(),
            noted: Mutex::default(),
            stats: Stats::default(),
            index: OnceLock::new(),
            snapshots: Arc::new(Queue::new(snapshots)),
            secrets: ArcSwap::from_pointee(secrets),
        }
    }

    pub(crate) fn committed(&self) -> Arc<Committed> {
        self.committed.load_full()
    }

    /// All ledger secrets, up to the one that follows what has been placed last. Which of them applies is a question of
    /// the seqno; those of what is not committed yet are among them, since the next decision may rest on it.
    pub(crate) fn secrets(&self) -> Arc<LedgerSecrets> {
        self.secrets.load_full()
    }

    /// A transaction that introduces a secret has its place. Only the commit thread says so.
    pub(crate) fn set_secrets(&self, secrets: LedgerSecrets) {
        self.secrets.store(Arc::new(secrets));
    }

    pub(crate) fn history(&self) -> RwLockReadGuard<'_, History> {
        self.history.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn history_mut(&self) -> RwLockWriteGuard<'_, History> {
        self.history.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Remembers which watched keys a transaction writes, until it is committed.
    pub(crate) fn note_writes(&self, seqno: u64, writes: &WriteSet) {
        let mut noted = None;
        for (map, key) in history::watched_keys(writes) {
            noted.get_or_insert_with(|| lock(&self.noted)).push((seqno, map.to_owned(), key.clone()));
        }
    }

    pub(crate) fn push_in_flight(&self, batch: InFlight) {
        lock(&self.in_flight).push_back(batch);
    }

    /// The batch in flight that starts at `first`, if this node has sealed it.
    pub(crate) fn pop_in_flight(&self, first: TxId) -> Option<InFlight> {
        let mut in_flight = lock(&self.in_flight);
        if in_flight.front()?.first == first { in_flight.pop_front() } else { None }
    }

    /// The last committed seqno, as it grows.
    pub(crate) fn publications(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// The last batch has ended its chunk, which is in the ledger now.
    pub(crate) fn completed_chunk(&self) {
        self.history_mut().starts_chunk();
        self.index.get().into_iter().for_each(|index| index.wake(self));
    }

    /// Nothing more will be committed: whoever waits is told so.
    pub(crate) fn abandon_in_flight(&self) {
        lock(&self.in_flight).clear();
    }

    /// Everything up to `committed` is durable: lets readers see it.
    pub(crate) fn publish(&self, committed: Arc<Committed>) {
        let last = committed.state.tx_id().seqno;
        let mut noted = lock(&self.noted);
        if !noted.is_empty() {
            let mut history = self.history_mut();
            let mut later = Vec::new();
            for (seqno, map, key) in noted.drain(..) {
                if seqno <= last {
                    history.wrote(&map, &key, seqno);
                } else {
                    later.push((seqno, map, key));
                }
            }
            *noted = later;
        }
        drop(noted);
        self.committed.store(committed);
        self.published.send_replace(last);
    }
}
