use std::{sync::Arc, time::Duration};

use kv::TxId;
use tokio::sync::oneshot;

use crate::{Committed, SubmitError, Transaction, room::Place, sequencer::Submission};

/// How long a holder may keep everybody else waiting, whatever it asks for.
pub const MAX_HOLD: Duration = Duration::from_secs(10);

/// Who wants to place the next transaction alone, and how long it may take.
pub(crate) struct Holder {
    pub(crate) hold: oneshot::Sender<Hold>,
    pub(crate) limit: Duration,
    /// What it takes up while it waits.
    pub(crate) _place: Place,
}

/// The right to place the next transaction: while it is held, nothing else is admitted and nothing is in flight.
///
/// Creating a proposal needs this under load, because its id is a function of the Merkle root right before it. Dropping
/// the hold releases it; so does the passing of the time that was asked for.
pub struct Hold {
    committed: Arc<Committed>,
    submit: oneshot::Sender<Submission>,
}

impl Hold {
    pub(crate) fn new(committed: Arc<Committed>, submit: oneshot::Sender<Submission>) -> Self {
        Self { committed, submit }
    }

    /// The state that the next transaction follows.
    #[must_use]
    pub fn committed(&self) -> &Arc<Committed> {
        &self.committed
    }

    /// Places the transaction and waits until it is durable, committed and signed.
    ///
    /// # Errors
    /// As [`crate::Replica::submit`]; a conflict only if the hold has run out.
    pub async fn submit(self, transaction: Transaction) -> Result<TxId, SubmitError> {
        let (submission, answer) = Submission::new(transaction)?;
        match self.submit.send(submission) {
            Ok(()) => answer.await.map_err(|_| SubmitError::Stopping)?,
            Err(_) => Err(SubmitError::Conflict {
                why: kv::Conflict::Moved { wanted: self.committed.state.tx_id(), actual: TxId::default() },
                head: Box::new(self.committed.state.clone()),
            }),
        }
    }
}
