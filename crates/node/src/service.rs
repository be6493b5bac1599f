use std::sync::Arc;

use api::{ApiError, Output};
use kv::{Tx, TxId};
use replication::{Committed, Replica, Status};

use crate::{
    commit::{Answer, Committer},
    counters::Counters,
    governance::{self, Governance},
    info::NodeInfo,
    jwt_refresh,
    readers::Readers,
};

/// What the front door can ask for. Clones are the same service.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    committer: Committer,
    node: NodeInfo,
    governance: Governance,
    jwt_refresh: jwt_refresh::Counters,
    readers: Readers,
}

impl Service {
    pub(crate) fn new(committer: Committer, node: NodeInfo, governance: Governance) -> Self {
        let jwt_refresh = jwt_refresh::Counters::default();
        Self { inner: Arc::new(Inner { committer, node, governance, jwt_refresh, readers: Readers::default() }) }
    }

    /// The committed state. Never waits.
    #[must_use]
    pub fn committed(&self) -> Arc<Committed> {
        self.inner.committer.replica().committed()
    }

    /// Who this node is.
    #[must_use]
    pub fn node(&self) -> &NodeInfo {
        &self.inner.node
    }

    /// The view in which this node orders transactions.
    #[must_use]
    pub fn view(&self) -> u64 {
        self.inner.committer.replica().view()
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.inner.committer
    }

    pub(crate) fn counters(&self) -> &Arc<Counters> {
        self.inner.committer.counters()
    }

    /// How often issuers of tokens were asked for their keys.
    #[must_use]
    pub fn jwt_refresh(&self) -> &jwt_refresh::Counters {
        &self.inner.jwt_refresh
    }

    pub(crate) fn replica(&self) -> &Replica {
        self.inner.committer.replica()
    }

    /// Runs a handler that may write. When this returns, what it wrote is durable, committed and signed; and what it
    /// only read was committed.
    ///
    /// # Errors
    /// What the handler answers, or why its transaction cannot be committed.
    pub async fn write<F>(&self, run: F) -> Result<Answer, ApiError>
    where
        F: FnMut(&mut Tx) -> Result<Output, ApiError> + Send,
    {
        self.inner.committer.write(run).await
    }

    /// Takes a signed request of a member to the governance API.
    ///
    /// # Errors
    /// The refusal, as it goes to the member.
    pub async fn govern(&self, request: governance::Request) -> Result<Answer, ApiError> {
        let inner = self.inner.clone();
        to_the_end(async move { inner.governance.run(request).await }).await
    }

    /// Works out what an Open proposal would do, for a member.
    ///
    /// # Errors
    /// The refusal, as it goes to the member.
    pub async fn foresee(&self, member: &str, proposal: &str) -> Result<Answer, ApiError> {
        let (inner, member, proposal) = (self.inner.clone(), member.to_owned(), proposal.to_owned());
        to_the_end(async move { inner.governance.foresee(&member, &proposal).await }).await
    }

    /// What is known of a transaction.
    #[must_use]
    pub fn tx_status(&self, id: TxId) -> Status {
        self.inner.committer.replica().status(id)
    }

    /// Runs what reads the ledger files, when it is its turn.
    ///
    /// # Errors
    /// 503 if too many wait for theirs.
    pub(crate) async fn read_files<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        self.inner.readers.read(self.counters(), read).await
    }

    /// The first transaction of each view, from view 1 on.
    #[must_use]
    pub fn view_history(&self) -> Vec<TxId> {
        self.inner.committer.replica().view_history()
    }

    /// The seqno of the last signature transaction.
    #[must_use]
    pub fn last_signature(&self) -> u64 {
        self.inner.committer.replica().last_signature()
    }
}

/// Lets work go on when its client is gone. Scripts that run cannot be called back, so whoever hung up would leave its place
/// in the queue while they still take a thread, and could ask again at once.
async fn to_the_end(work: impl Future<Output = Result<Answer, ApiError>> + Send + 'static) -> Result<Answer, ApiError> {
    tokio::spawn(work).await.map_err(|why| ApiError::internal(why.to_string()))?
}
