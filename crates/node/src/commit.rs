use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use api::{ApiError, Output};
use kv::{State, Tx, TxId};
use replication::{Committed, Hold, Replica, SubmitError, Transaction};

use crate::counters::{Counters, Refused};

/// How often a handler runs again because something it had read was changed (CCF: 30).
const MAX_ATTEMPTS: usize = 30;
/// How long a client waits for the commit path. A disk that stalls for longer does not keep its requests, too.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer, and the transaction that it is about: the one that was written, or the one whose state was read.
#[derive(Debug)]
pub struct Answer {
    /// The answer of the handler.
    pub output: Output,
    /// The transaction.
    pub tx_id: TxId,
}

/// Has decisions committed before they are answered.
#[derive(Clone)]
pub(crate) struct Committer {
    replica: Replica,
    counters: Arc<Counters>,
    patience: Duration,
}

impl Committer {
    pub(crate) fn new(replica: Replica, counters: Arc<Counters>) -> Self {
        Self { replica, counters, patience: PATIENCE }
    }

    /// The same one, whose clients wait as long.
    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(crate) fn replica(&self) -> &Replica {
        &self.replica
    }

    pub(crate) fn committed(&self) -> Arc<Committed> {
        self.replica.committed()
    }

    /// Runs a handler that may write, again where it conflicts. When this returns, what it wrote is durable, committed
    /// and signed; and what it only read was committed.
    pub(crate) async fn write<F>(&self, mut run: F) -> Result<Answer, ApiError>
    where
        F: FnMut(&mut Tx) -> Result<Output, ApiError> + Send,
    {
        let mut state = self.committed().state.clone();
        for _ in 0..MAX_ATTEMPTS {
            let mut tx = Tx::new(state);
            let output = match run(&mut tx) {
                Ok(output) if is_success(output.status) && !tx.is_read_only() => output,
                outcome => return self.settle(outcome, tx.base().tx_id()).await,
            };
            match self.submit(None, Transaction::new(tx, output.claims_digest)).await {
                Ok(tx_id) => return Ok(Answer { output, tx_id }),
                Err(NotCommitted::Conflict(head)) => state = *head,
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_conflicts(MAX_ATTEMPTS))
    }

    /// Nothing is written; but an answer that rests on transactions that are still being written waits for them.
    pub(crate) async fn settle(&self, outcome: Result<Output, ApiError>, seen: TxId) -> Result<Answer, ApiError> {
        if seen.seqno > self.committed().state.tx_id().seqno {
            self.within_patience(self.replica.wait_for(seen.seqno)).await?;
        }
        outcome.map(|output| Answer { output, tx_id: seen })
    }

    /// Places a transaction, in the hold if there is one.
    pub(crate) async fn submit(&self, hold: Option<Hold>, transaction: Transaction) -> Result<TxId, NotCommitted> {
        let started = Instant::now();
        let placed = match hold {
            Some(hold) => self.within_patience(hold.submit(transaction)).await,
            None => self.within_patience(self.replica.submit(transaction)).await,
        };
        if placed.is_ok() {
            self.counters.commit(started.elapsed());
        }
        placed
    }

    /// Waits for the right to place the next transaction alone.
    pub(crate) async fn hold(&self, limit: Duration) -> Result<Hold, ApiError> {
        Ok(self.within_patience(self.replica.hold(limit)).await?)
    }

    async fn within_patience<T>(&self, what: impl Future<Output = Result<T, SubmitError>>) -> Result<T, NotCommitted> {
        let outcome = tokio::time::timeout(self.patience, what).await;
        let outcome = outcome.map_err(|_| NotCommitted::Late).and_then(|done| done.map_err(NotCommitted::from));
        match &outcome {
            Err(NotCommitted::Late) => self.counters.refused(Refused::Late),
            Err(NotCommitted::Other(SubmitError::Busy { .. })) => self.counters.refused(Refused::CommitPath),
            _ => {}
        }
        outcome
    }
}

/// Why a transaction is not (known to be) committed.
#[derive(Debug)]
pub(crate) enum NotCommitted {
    /// Something that it had read was changed: run it again on this state.
    Conflict(Box<State>),
    /// It may be committed yet.
    Late,
    /// What the commit path says.
    Other(SubmitError),
}

impl From<SubmitError> for NotCommitted {
    fn from(why: SubmitError) -> Self {
        match why {
            SubmitError::Conflict { head, .. } => Self::Conflict(head),
            other => Self::Other(other),
        }
    }
}

/// The answer to a transaction that could not be committed for a reason that is not its own.
impl From<NotCommitted> for ApiError {
    fn from(why: NotCommitted) -> Self {
        let unavailable = |text: String, seconds: &str| {
            ApiError::new(503, "TransactionReplicationFailed", text).with_header("retry-after", seconds)
        };
        match why {
            NotCommitted::Other(error @ SubmitError::TooLarge { .. }) => {
                Self::new(413, "RequestBodyTooLarge", format!("{error}."))
            }
            NotCommitted::Other(error @ SubmitError::Busy { .. }) => {
                let text = format!("Nothing was written: {error}. Retry later.");
                Self::new(503, "TooManyPendingTransactions", text).with_header("retry-after", "1")
            }
            NotCommitted::Late => unavailable(
                format!(
                    "The transaction was not committed within {} seconds, and may be committed yet. Read what it was to \
                     change before sending it again.",
                    PATIENCE.as_secs()
                ),
                "10",
            ),
            _ => Self::new(503, "TransactionReplicationFailed", "Transaction failed to replicate."),
        }
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// The answer to a transaction that conflicted again and again.
pub(crate) fn too_many_conflicts(attempts: usize) -> ApiError {
    let text = format!("Transaction continued to conflict after {attempts} attempts. Retry later.");
    ApiError::new(503, "TransactionCommitAttemptsExceedLimit", text).with_header("retry-after", "3")
}
