use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use crypto::Digest;
use disk::{Disk, DiskError};
use kv::TxId;
use ledger::{
    LedgerError,
    snapshot::{self, Contents, SnapshotName},
};
use tokio::sync::mpsc::WeakSender;

use super::{Job, Queue, file::Unfinished, remove_unfinished};
use crate::{
    SubmitError, Transaction, Unavailable,
    past::Past,
    sequencer::{Request, Submission},
};

/// Why a snapshot was given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("its evidence was not committed: {0}")]
    Evidence(#[from] SubmitError),
    #[error("its evidence has no receipt: {0}")]
    Receipt(#[from] Unavailable),
}

/// Takes snapshots, step by step: the state is written, the evidence committed, the file completed.
pub(crate) struct Taker {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    pub(super) queue: Arc<Queue>,
    pub(super) past: Past,
}

/// A snapshot that lacks its receipt.
pub(crate) struct Written<'a> {
    file: Unfinished<'a>,
    seqno: u64,
    digest: Digest,
    since: Instant,
}

impl Written<'_> {
    /// The transaction that claims the digest.
    pub(crate) fn evidence(&self) -> Transaction {
        Transaction::evidence(snapshot::evidence(&self.digest, self.seqno), self.digest)
    }
}

/// A snapshot that is complete.
pub(crate) struct Taken {
    name: SnapshotName,
    bytes: u64,
    took: Duration,
}

impl Taker {
    /// Takes what is asked for until the queue is closed, with a thread to itself.
    pub(super) fn run(&self, requests: &WeakSender<Request>) {
        while let Some(job) = self.queue.next() {
            let taken = self.write(&job).and_then(|written| {
                // The state is not needed any more.
                drop(job);
                let evidence = submit(requests, written.evidence())?;
                self.finish(written, evidence)
            });
            self.settle(taken);
        }
    }

    /// What is to be taken now, if anything.
    pub(crate) fn next(&self) -> Option<Job> {
        self.queue.next_now()
    }

    /// Writes the state to a file without a proper name.
    pub(crate) fn write(&self, job: &Job) -> Result<Written<'_>, NotTaken> {
        let (since, state) = (Instant::now(), &job.committed.state);
        let seqno = state.tx_id().seqno;
        let contents = Contents { state, leaf: job.leaf, view_history: &job.views };
        let sealed = contents.seal(&job.secrets)?;
        let mut file = Unfinished::create(&*self.disk, &self.directory, seqno, &self.queue)?;
        let digest = sealed.write(&mut file)?;
        Ok(Written { file, seqno, digest, since })
    }

    /// Completes the file: the evidence is committed, with this transaction.
    pub(crate) fn finish(&self, written: Written<'_>, evidence: TxId) -> Result<Taken, NotTaken> {
        let receipt = snapshot::receipt_bytes(&self.past.receipt(evidence)?)?;
        let name = SnapshotName { seqno: written.seqno, evidence: evidence.seqno, committed: true };
        let bytes = written.file.finish(name, &receipt)?;
        Ok(Taken { name, bytes, took: written.since.elapsed() })
    }

    /// Notes what became of one, and tidies up behind one that was given up.
    pub(crate) fn settle(&self, taken: Result<Taken, NotTaken>) {
        match taken {
            Ok(Taken { name, bytes, took }) => {
                tracing::info!(snapshot = %name, bytes, seconds = took.as_secs_f64(), "a snapshot was taken");
                self.queue.taken(name, bytes, took);
            }
            Err(why) => {
                let is_wanted = self.queue.is_closed() || matches!(why, NotTaken::Evidence(SubmitError::Stopping));
                if !is_wanted {
                    tracing::warn!(directory = %self.directory.display(), error = %why,
                        "a snapshot could not be taken; it is tried again later, and nothing else depends on it");
                }
                // What cannot be removed now is removed by the next start.
                let _ = remove_unfinished(&*self.disk, &self.directory);
                self.queue.given_up(!is_wanted);
            }
        }
    }
}

/// Has a transaction committed. Waits for it.
fn submit(requests: &WeakSender<Request>, transaction: Transaction) -> Result<TxId, SubmitError> {
    let (submission, answer) = Submission::new(transaction)?;
    let requests = requests.upgrade().ok_or(SubmitError::Stopping)?;
    requests.blocking_send(Request::Submit(Box::new(submission))).map_err(|_| SubmitError::Stopping)?;
    // Whoever waits for the answer does not keep the node from ending.
    drop(requests);
    answer.blocking_recv().unwrap_or(Err(SubmitError::Stopping))
}
