//! Signed requests of members: deciding with scripts, and finding a place for what was decided.

mod decider;
mod foresight;
mod issuer;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use api::{ApiError, Input};
use consortium::{
    NodeEffect,
    envelope::{MessageType, Policy},
    proposals,
};
use crypto::Digest;
use kv::{Tx, TxId};
use replication::{Hold, Transaction};
use tokio::sync::Semaphore;

pub(crate) use decider::Decider;
use decider::Valid;
use foresight::Foresight;

use crate::{
    commit::{Answer, Committer, NotCommitted, too_many_conflicts},
    counters::Refused,
};

/// Requests that are decided at the same time, one a member; more wait, since each may keep a thread for a script budget.
const MAX_REQUESTS: usize = 64;
/// Requests of one member that are decided or wait for that; more are turned away.
const MAX_PENDING_OF_ONE: usize = 80;
/// Members whose requests are kept apart. Of more than that, those without any are forgotten.
const MAX_MEMBERS: usize = 4096;
/// Attempts without a hold. The next one keeps everybody else waiting, and so cannot conflict.
const FREE_ATTEMPTS: usize = 2;
/// Attempts in all: a hold can run out.
const MAX_ATTEMPTS: usize = 5;

/// What a member asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `POST /gov/members/proposals:create`
    Create,
    /// `POST /gov/members/proposals/{proposalId}:withdraw`
    Withdraw,
    /// `POST /gov/members/proposals/{proposalId}/ballots/{memberId}:submit`
    Ballot,
    /// `POST /gov/members/state-digests/{memberId}:update`
    StateDigestUpdate,
    /// `POST /gov/members/state-digests/{memberId}:ack`
    StateDigestAck,
}

impl Kind {
    fn message(self) -> (Policy, MessageType) {
        match self {
            Self::Create => (Policy::ACTIVE, MessageType::Proposal),
            Self::Withdraw => (Policy::ACTIVE, MessageType::Withdrawal),
            Self::Ballot => (Policy::ACTIVE, MessageType::Ballot),
            Self::StateDigestUpdate => (Policy::ANY, MessageType::StateDigest),
            Self::StateDigestAck => (Policy::ANY, MessageType::Ack),
        }
    }
}

/// A signed request.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked for.
    pub kind: Kind,
    /// Path parameters (`proposalId`, `memberId`) and the COSE_Sign1 message as body.
    pub input: Input,
    /// The `content-type` header.
    pub content_type: Option<String>,
}

/// Decides requests and has the decisions committed.
pub(crate) struct Governance {
    committer: Committer,
    decider: Arc<Decider>,
    requests: Semaphore,
    members: Mutex<HashMap<String, Arc<Turns>>>,
    foresight: Foresight,
}

/// The requests of one member: they are decided one by one, as its scripts run, so that they neither conflict with each
/// other nor take the place of others.
struct Turns {
    /// Those that are decided or wait for it.
    pending: Semaphore,
    /// The one that is decided.
    decided: tokio::sync::Mutex<()>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { pending: Semaphore::new(MAX_PENDING_OF_ONE), decided: tokio::sync::Mutex::default() }
    }
}

/// A member who has become active, and when it asked for that.
type Activated = Option<(String, i64)>;

impl Governance {
    pub(crate) fn new(committer: Committer, decider: Decider) -> Self {
        let (requests, members) = (Semaphore::new(MAX_REQUESTS), Mutex::default());
        Self { committer, decider: Arc::new(decider), requests, members, foresight: Foresight::default() }
    }

    /// Decides a request and commits the decision.
    pub(crate) async fn run(&self, request: Request) -> Result<Answer, ApiError> {
        let turns = self.turns(&decider::signer(&request, self.committer.committed().state.clone())?);
        let _pending = turns.pending.try_acquire().map_err(|_| self.too_many_requests())?;
        let _own = turns.decided.lock().await;
        // Nobody closes the semaphore, so waiting ends with a place.
        let _any = self.requests.acquire().await;
        let request = Arc::new(request);
        let valid = match request.kind {
            Kind::Create => Some(self.validate(&request).await?),
            _ => None,
        };
        let (answer, activated) = self.place(&request, valid).await?;
        if let Some((member, created_at)) = activated {
            self.resolve_waiting(&member, created_at).await;
        }
        Ok(answer)
    }

    /// Works out for a member what an Open proposal would do. Nothing is written.
    pub(crate) async fn foresee(&self, member: &str, proposal: &str) -> Result<Answer, ApiError> {
        let turns = self.turns(member);
        let _pending = turns.pending.try_acquire().map_err(|_| self.too_many_requests())?;
        let _own = turns.decided.lock().await;
        let _one = self.foresight.turn.lock().await;
        let state = self.committer.committed().state.clone();
        let tx_id = state.tx_id();
        if let Some(output) = self.foresight.recall(proposal, &state) {
            return Ok(Answer { output, tx_id });
        }
        let (decider, id, who) = (self.decider.clone(), proposal.to_owned(), member.to_owned());
        let (output, reads) = blocking(move || decider.foresee(state, &id, &who)).await??;
        self.foresight.remember(proposal, &output, reads);
        Ok(Answer { output, tx_id })
    }

    /// Asks the constitution whether a proposal may be made, before anything is written.
    async fn validate(&self, request: &Arc<Request>) -> Result<Valid, ApiError> {
        let (decider, request) = (self.decider.clone(), request.clone());
        let state = self.committer.committed().state.clone();
        blocking(move || decider.validate(&request, state)).await?
    }

    /// Finds a place: twice on whatever is committed, then with everybody else held.
    async fn place(&self, request: &Arc<Request>, valid: Option<Valid>) -> Result<(Answer, Activated), ApiError> {
        for attempt in 0..MAX_ATTEMPTS {
            let hold = if attempt < FREE_ATTEMPTS { None } else { Some(self.hold().await?) };
            let base = hold.as_ref().map_or_else(|| self.committer.committed(), |hold| hold.committed().clone());
            let (decider, asked, valid) = (self.decider.clone(), request.clone(), valid.clone());
            let outcome = match blocking(move || decider.decide(&asked, valid, &base)).await? {
                Ok(outcome) => outcome,
                Err((error, seen)) => return Ok((self.committer.settle(Err(error), seen).await?, None)),
            };
            if outcome.tx.is_read_only() {
                let seen = outcome.tx.base().tx_id();
                return Ok((self.committer.settle(Ok(outcome.output), seen).await?, None));
            }
            let activated = outcome.activated.then(|| (outcome.member.clone(), outcome.created_at));
            let transaction = transaction(outcome.tx, &outcome.effects, outcome.output.claims_digest);
            match self.committer.submit(hold, transaction).await {
                Ok(tx_id) => return Ok((Answer { output: outcome.output, tx_id }, activated)),
                Err(NotCommitted::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_conflicts(MAX_ATTEMPTS))
    }

    async fn hold(&self) -> Result<Hold, ApiError> {
        let limit = self.decider.hold_limit(self.committer.committed().state.clone());
        self.committer.hold(limit).await
    }

    fn too_many_requests(&self) -> ApiError {
        self.committer.counters().refused(Refused::Governance);
        let text = format!("{MAX_PENDING_OF_ONE} governance requests of yours are being decided. Retry later.");
        ApiError::new(503, "TooManyPendingTransactions", text).with_header("retry-after", "1")
    }

    fn turns(&self, member: &str) -> Arc<Turns> {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if members.len() >= MAX_MEMBERS {
            members.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        members.entry(member.to_owned()).or_default().clone()
    }

    /// A member has become active: proposals that waited for that are resolved, each in a transaction of its own (D20).
    /// What cannot be resolved now stays open, and is resolved with the next ballot.
    async fn resolve_waiting(&self, member: &str, created_at: i64) {
        let mut tx = Tx::new(self.committer.committed().state.clone());
        for proposal in proposals::waiting(&mut tx).unwrap_or_default() {
            if let Err(error) = self.resolve_again(&proposal, member, created_at).await {
                tracing::warn!(proposal, %error, "a proposal could not be resolved again after an acknowledgement");
            }
        }
    }

    async fn resolve_again(&self, proposal: &str, member: &str, created_at: i64) -> Result<(), ApiError> {
        for _ in 0..MAX_ATTEMPTS {
            let (decider, id, who) = (self.decider.clone(), proposal.to_owned(), member.to_owned());
            let state = self.committer.committed().state.clone();
            let decided = blocking(move || decider.reresolve(state, &id, &who, created_at)).await??;
            let Some((tx, decided)) = decided else { return Ok(()) };
            let transaction = transaction(tx, &decided.effects, decided.output.claims_digest);
            match self.committer.submit(None, transaction).await {
                Ok(TxId { .. }) => return Ok(()),
                Err(NotCommitted::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(too_many_conflicts(MAX_ATTEMPTS))
    }
}

fn transaction(tx: Tx, effects: &[NodeEffect], claims_digest: Digest) -> Transaction {
    let transaction = Transaction::new(tx, claims_digest).with_precedence();
    effects.iter().fold(transaction, |transaction, effect| match effect {
        NodeEffect::ChunkLedger => transaction.with_chunk_after(),
        NodeEffect::Snapshot => transaction.with_snapshot(),
        NodeEffect::Rekey(secret) => transaction.with_next_secret(secret.clone()),
        _ => transaction,
    })
}

/// Runs on a thread that may wait for scripts.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(run).await.map_err(|why| ApiError::internal(why.to_string()))
}
