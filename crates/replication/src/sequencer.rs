//! The order of transactions.

use std::{mem, sync::Arc};

use crypto::Digest;
use kv::{State, TxId};
use ledger::secrets::HistoricalSecret;
use openraft::Raft;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{
    Committed, Hold, SubmitError, Transaction,
    engine::reason,
    hold::Holder,
    planted::{self, Fault},
    room::Place,
    sealer::{Placed, Sealer},
    shared::{InFlight, Shared},
    snapshots::{Job, Occasions},
    types::TypeConfig,
};

/// Transactions in one batch at most.
const MAX_BATCH: usize = 4096;
/// Bytes of ledger in one batch at most, beyond its first transaction.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// Bytes of ledger for one transaction at most.
const MAX_TRANSACTION_BYTES: usize = 16 << 20;

pub(crate) type Answer = oneshot::Sender<Result<TxId, SubmitError>>;

/// A transaction and who waits for it.
pub(crate) struct Submission {
    pub(crate) transaction: Transaction,
    pub(crate) answer: Answer,
    /// What it takes up while it waits; nothing where there is a bound already.
    place: Option<Place>,
}

impl Submission {
    /// The submission and where its answer comes, unless the transaction is larger than a batch may be.
    pub(crate) fn new(
        transaction: Transaction,
    ) -> Result<(Self, oneshot::Receiver<Result<TxId, SubmitError>>), SubmitError> {
        let (bytes, limit) = (transaction.domains.entry_len(), MAX_TRANSACTION_BYTES);
        if bytes > limit {
            return Err(SubmitError::TooLarge { bytes, limit });
        }
        let (answer, receiver) = oneshot::channel();
        Ok((Self { transaction, answer, place: None }, receiver))
    }

    /// The same submission in its place among those that wait.
    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }
}

/// What can be asked of the sequencer.
pub(crate) enum Request {
    /// Place this transaction.
    Submit(Box<Submission>),
    /// Let this one place the next transaction alone.
    Hold(Holder),
    /// Finish what was asked before, then stop.
    Stop,
}

/// What is left to do before the next batch can be filled.
enum Then {
    Continue,
    Serve(Holder),
    Stop,
}

/// The batch that is being filled.
#[derive(Default)]
struct OpenBatch {
    placed: Vec<Placed>,
    answers: Vec<(TxId, Answer)>,
    bytes: usize,
    chunk_after: bool,
    /// Somebody has asked for a snapshot.
    snapshot: bool,
    /// There is something in it besides the evidence of snapshots.
    is_ordinary: bool,
}

impl OpenBatch {
    fn is_full(&self) -> bool {
        self.placed.len() >= MAX_BATCH || self.bytes >= MAX_BATCH_BYTES
    }
}

/// Gives every transaction its place, checks what it read, and writes batch after batch.
pub(crate) struct Sequencer {
    view: u64,
    head: State,
    open: OpenBatch,
    sealer: Sealer,
    shared: Arc<Shared>,
    raft: Raft<TypeConfig>,
    /// When snapshots are taken, if any are.
    snapshots: Option<Occasions>,
}

impl Sequencer {
    pub(crate) fn new(view: u64, head: State, sealer: Sealer, shared: Arc<Shared>, raft: Raft<TypeConfig>) -> Self {
        Self { view, head, open: OpenBatch::default(), sealer, shared, raft, snapshots: None }
    }

    /// The same, which has snapshots taken.
    pub(crate) fn with_snapshots(self, snapshots: Option<Occasions>) -> Self {
        Self { snapshots, ..self }
    }

    /// Works until it is told to stop or a batch cannot be written.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) -> Result<(), String> {
        while let Some(request) = requests.recv().await {
            let mut then = self.take(request);
            while matches!(then, Then::Continue) && !self.open.is_full() {
                let Ok(request) = requests.try_recv() else { break };
                then = self.take(request);
            }
            self.write().await?;
            let is_last = matches!(then, Then::Stop);
            if let Then::Serve(holder) = then {
                self.serve(holder).await?;
            }
            self.take_snapshots().await?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, request: Request) -> Then {
        match request {
            Request::Submit(submission) => {
                self.place(*submission);
                Then::Continue
            }
            Request::Hold(holder) => Then::Serve(holder),
            Request::Stop => Then::Stop,
        }
    }

    fn place(&mut self, submission: Submission) {
        let Submission { transaction, answer, place: _place } = submission;
        if answer.is_closed() {
            // Whoever asked has gone or has waited too long, so nothing of it was promised.
            return;
        }
        if let Err(why) = transaction.reads.check(&self.head) {
            self.shared.stats.conflict();
            // Whoever asked may be gone; then nobody needs to know.
            let _ = answer.send(Err(SubmitError::Conflict { why, head: Box::new(self.head.clone()) }));
            return;
        }
        let tx_id = TxId::new(self.view, self.head.tx_id().seqno + 1);
        if let Err(why) = self.introduce(tx_id.seqno, &transaction) {
            let _ = answer.send(Err(why));
            return;
        }
        self.head.apply(tx_id, &transaction.writes);
        self.open.bytes += transaction.domains.entry_len();
        self.open.chunk_after |= transaction.chunk_after;
        self.open.snapshot |= transaction.snapshot;
        self.open.is_ordinary |= !transaction.is_evidence;
        let Transaction { domains, claims_digest, writes, .. } = transaction;
        self.shared.note_writes(tx_id.seqno, &writes);
        self.open.placed.push(Placed { tx_id, domains, claims_digest });
        self.open.answers.push((tx_id, answer));
    }

    /// Takes up the ledger secret that a transaction introduces. What it says about secrets is checked as the next start
    /// will check it: nothing is placed that could not be read any more.
    fn introduce(&self, seqno: u64, transaction: &Transaction) -> Result<(), SubmitError> {
        let record = HistoricalSecret::in_writes(&transaction.writes).map_err(|_| SubmitError::Secret)?;
        let rekeys = record.as_ref().is_some_and(HistoricalSecret::is_rekey);
        if rekeys != transaction.next_secret.is_some() {
            return Err(SubmitError::Secret);
        }
        let Some(record) = record else { return Ok(()) };
        let mut secrets = (*self.shared.secrets()).clone();
        let followed = secrets.follow(seqno, &record, transaction.next_secret.as_slice());
        followed.map_err(|_| SubmitError::Secret)?;
        if rekeys {
            self.shared.set_secrets(secrets);
        }
        Ok(())
    }

    /// Seals and writes the open batch, if there is anything in it.
    async fn write(&mut self) -> Result<(), String> {
        let OpenBatch { placed, answers, chunk_after, snapshot, is_ordinary, .. } = mem::take(&mut self.open);
        let Some(first) = placed.first().map(|one| one.tx_id) else { return Ok(()) };
        let size = placed.len();
        let secrets = self.shared.secrets();
        let is_due = |snapshots: &Occasions| snapshots.is_due(first.seqno + size as u64, snapshot, !is_ordinary);
        let snapshot = self.snapshots.as_ref().is_some_and(is_due);
        let sealed = self.sealer.seal(first, placed, chunk_after || snapshot, &mut self.head, &secrets);
        let sealed = sealed.map_err(|why| why.to_string())?;
        let committed = Arc::new(Committed { state: self.head.clone(), root: sealed.root });
        let (ends_chunk, bytes, leaf) =
            (sealed.ends_chunk, sealed.batch.0.len(), sealed.entries.last().map(|last| last.1));
        let answers = if planted::is(Fault::AnswerBeforeDurable) { answered(answers) } else { answers };
        if snapshot {
            self.shared.snapshots.announce();
        }
        self.shared.push_in_flight(InFlight { first, entries: sealed.entries, ends_chunk, committed, answers });
        self.raft.client_write(sealed.batch).await.map_err(|why| reason(&self.raft, why))?;
        if self.shared.committed().state.tx_id() != self.head.tx_id() {
            return Err(format!("the batch from {first} on was skipped: the raft log does not fit the ledger"));
        }
        self.shared.stats.batch(size);
        self.note_growth(bytes, leaf.filter(|_| snapshot));
        if ends_chunk {
            // The log is cut behind what lies in synced chunk files.
            self.raft.trigger().snapshot().await.map_err(|why| reason(&self.raft, why))?;
        }
        Ok(())
    }

    /// A batch of so many bytes is committed. `leaf` is that of its last transaction, if a snapshot is to be taken behind it.
    fn note_growth(&mut self, bytes: usize, leaf: Option<Digest>) {
        let Some(snapshots) = &mut self.snapshots else { return };
        snapshots.batch(bytes);
        if let Some(leaf) = leaf {
            let (committed, secrets) = (self.shared.committed(), self.shared.secrets());
            snapshots.take(Job { committed, leaf, views: self.shared.history().view_history(), secrets });
        }
    }

    /// Takes the snapshots that are asked for, where no other thread does.
    async fn take_snapshots(&mut self) -> Result<(), String> {
        let Some(taker) = self.snapshots.as_ref().and_then(Occasions::taker) else { return Ok(()) };
        while let Some(job) = taker.next() {
            let taken = match taker.write(&job) {
                Ok(written) => {
                    let (submission, answer) = Submission::new(written.evidence()).map_err(|why| why.to_string())?;
                    self.place(submission);
                    self.write().await?;
                    let evidence = answer.await.unwrap_or(Err(SubmitError::Stopping));
                    evidence.map_err(Into::into).and_then(|evidence| taker.finish(written, evidence))
                }
                Err(why) => Err(why),
            };
            taker.settle(taken);
        }
        Ok(())
    }

    /// Lets one holder place the next transaction while everybody else waits.
    async fn serve(&mut self, holder: Holder) -> Result<(), String> {
        let (submit, submission) = oneshot::channel();
        if holder.hold.send(Hold::new(self.shared.committed(), submit)).is_err() {
            return Ok(());
        }
        if let Ok(Ok(submission)) = timeout(holder.limit, submission).await {
            self.place(submission);
            self.write().await?;
        }
        Ok(())
    }
}

/// Answers at once; none is left.
fn answered(answers: Vec<(TxId, Answer)>) -> Vec<(TxId, Answer)> {
    for (tx_id, answer) in answers {
        // Whoever asked may be gone.
        let _ = answer.send(Ok(tx_id));
    }
    Vec::new()
}
