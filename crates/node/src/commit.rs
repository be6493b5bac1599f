use std::{sync::Arc, time::Instant};

use api::{ApiError, Output};
use kv::{Tx, TxId};
use replication::{Committed, Hold, Replica, SubmitError, Transaction};

use crate::counters::Counters;

/// How often a handler runs again because something it had read was changed (CCF: 30).
const MAX_ATTEMPTS: usize = 30;

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
}

impl Committer {
    pub(crate) fn new(replica: Replica, counters: Arc<Counters>) -> Self {
        Self { replica, counters }
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
                Err(SubmitError::Conflict { head, .. }) => state = *head,
                Err(error) => return Err(not_committed(&error)),
            }
        }
        Err(too_many_conflicts(MAX_ATTEMPTS))
    }

    /// Nothing is written; but an answer that rests on transactions that are still being written waits for them.
    pub(crate) async fn settle(&self, outcome: Result<Output, ApiError>, seen: TxId) -> Result<Answer, ApiError> {
        if seen.seqno > self.committed().state.tx_id().seqno {
            self.replica.wait_for(seen.seqno).await.map_err(|error| not_committed(&error))?;
        }
        outcome.map(|output| Answer { output, tx_id: seen })
    }

    /// Places a transaction, in the hold if there is one.
    pub(crate) async fn submit(&self, hold: Option<Hold>, transaction: Transaction) -> Result<TxId, SubmitError> {
        let started = Instant::now();
        let placed = match hold {
            Some(hold) => hold.submit(transaction).await,
            None => self.replica.submit(transaction).await,
        };
        if placed.is_ok() {
            self.counters.commit(started.elapsed());
        }
        placed
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

/// The answer to a transaction that could not be committed for a reason that is not its own.
pub(crate) fn not_committed(error: &SubmitError) -> ApiError {
    match error {
        SubmitError::TooLarge { .. } => ApiError::new(413, "RequestBodyTooLarge", format!("{error}.")),
        _ => ApiError::new(503, "TransactionReplicationFailed", "Transaction failed to replicate."),
    }
}
