use std::sync::Arc;

use api::{ApiError, Output};
use bytes::Bytes;
use kv::{Tx, TxId};
use ledger::{receipt::Receipt, tables};
use replication::{Committed, Replica, Status, SubmitError, Transaction, Unavailable};

use crate::{governance, info::NodeInfo};

/// How often a handler runs again because something it had read was changed (CCF: 30).
const MAX_ATTEMPTS: usize = 30;

/// What the front door can ask for. Clones are the same service.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    replica: Replica,
    node: NodeInfo,
    governance: governance::Governance,
}

/// An answer, and the transaction that it is about: the one that was written, or the one whose state was read.
#[derive(Debug)]
pub struct Answer {
    /// The answer of the handler.
    pub output: Output,
    /// The transaction.
    pub tx_id: TxId,
}

impl Service {
    pub(crate) fn new(replica: Replica, node: NodeInfo, governance: governance::Governance) -> Self {
        Self { inner: Arc::new(Inner { replica, node, governance }) }
    }

    /// The committed state. Never waits.
    #[must_use]
    pub fn committed(&self) -> Arc<Committed> {
        self.inner.replica.committed()
    }

    /// Who this node is.
    #[must_use]
    pub fn node(&self) -> &NodeInfo {
        &self.inner.node
    }

    /// The view in which this node orders transactions.
    #[must_use]
    pub fn view(&self) -> u64 {
        self.inner.replica.view()
    }

    pub(crate) fn replica(&self) -> &Replica {
        &self.inner.replica
    }

    pub(crate) fn governance(&self) -> &governance::Governance {
        &self.inner.governance
    }

    /// Runs a handler that may write. When this returns, what it wrote is durable, committed and signed; and what it
    /// only read was committed.
    ///
    /// # Errors
    /// What the handler answers, or why its transaction cannot be committed.
    pub async fn write<F>(&self, mut run: F) -> Result<Answer, ApiError>
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
            match self.inner.replica.submit(Transaction::new(tx, output.claims_digest)).await {
                Ok(tx_id) => return Ok(Answer { output, tx_id }),
                Err(SubmitError::Conflict { head, .. }) => state = *head,
                Err(error) => return Err(not_committed(&error)),
            }
        }
        Err(too_many_conflicts())
    }

    /// Nothing is written; but an answer that rests on transactions that are still being written waits for them.
    pub(crate) async fn settle(&self, outcome: Result<Output, ApiError>, seen: TxId) -> Result<Answer, ApiError> {
        if seen.seqno > self.committed().state.tx_id().seqno {
            self.inner.replica.wait_for(seen.seqno).await.map_err(|error| not_committed(&error))?;
        }
        outcome.map(|output| Answer { output, tx_id: seen })
    }

    /// Takes a signed request of a member to the governance API.
    ///
    /// # Errors
    /// The refusal, as it goes to the member.
    pub async fn govern(&self, request: governance::Request) -> Result<Answer, ApiError> {
        governance::run(self, request).await
    }

    /// What is known of a transaction.
    #[must_use]
    pub fn tx_status(&self, id: TxId) -> Status {
        self.inner.replica.status(id)
    }

    /// The receipt of a committed transaction.
    ///
    /// # Errors
    /// [`Unavailable`]
    pub async fn receipt(&self, id: TxId) -> Result<Receipt, Unavailable> {
        let replica = self.inner.replica.clone();
        tokio::task::spawn_blocking(move || replica.receipt(id))
            .await
            .unwrap_or(Err(Unavailable::NotCommitted(Status::Unknown)))
    }

    /// The first transaction of each view, from view 1 on.
    #[must_use]
    pub fn view_history(&self) -> Vec<TxId> {
        self.inner.replica.view_history()
    }

    /// The seqno of the last signature transaction.
    #[must_use]
    pub fn last_signature(&self) -> u64 {
        self.inner.replica.last_signature()
    }

    /// Each state that a proposal was ever in, as it stands in the ledger, with its seqno, oldest first.
    ///
    /// # Errors
    /// 500 if the ledger cannot be read.
    pub async fn proposal_history(&self, proposal_id: &str) -> Result<Vec<(u64, Bytes)>, ApiError> {
        let (replica, id) = (self.inner.replica.clone(), proposal_id.to_owned());
        let read = move || replica.writes_to(tables::PROPOSALS_INFO, id.as_bytes());
        let writes = tokio::task::spawn_blocking(read).await.map_err(|why| ApiError::internal(why.to_string()))?;
        let writes = writes.map_err(|why| ApiError::internal(format!("The ledger cannot be read: {why}.")))?;
        Ok(writes.into_iter().filter_map(|(seqno, value)| Some((seqno, value?))).collect())
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

pub(crate) fn too_many_conflicts() -> ApiError {
    let text = format!("Transaction continued to conflict after {MAX_ATTEMPTS} attempts. Retry later.");
    ApiError::new(503, "TransactionCommitAttemptsExceedLimit", text).with_header("retry-after", "3")
}

/// The answer to a transaction that could not be committed for a reason that is not its own.
pub(crate) fn not_committed(error: &SubmitError) -> ApiError {
    match error {
        SubmitError::TooLarge { .. } => ApiError::new(413, "RequestBodyTooLarge", format!("{error}.")),
        _ => ApiError::new(503, "TransactionReplicationFailed", "Transaction failed to replicate."),
    }
}
