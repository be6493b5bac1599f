//! Signed requests of members: deciding with scripts, and finding a place for what was decided.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use api::{ApiError, Input, Output};
use consortium::{
    NodeEffect, Scripts, ServiceContext,
    envelope::{self, MessageType, Policy, Signed},
    proposals::{self, Validated},
    state_digests,
};
use constitution::{Budget, Engine};
use crypto::{AesKey, Digest};
use kv::{ReadSet, Tx, TxId};
use replication::{Committed, Hold, SubmitError, Transaction};
use tokio::sync::{OwnedMutexGuard, Semaphore};

use crate::{
    Service,
    service::{Answer, not_committed, too_many_conflicts},
};

/// Requests that are decided at the same time; more are turned away, since each may keep a thread for a script budget.
const MAX_REQUESTS: usize = 64;
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

/// What deciding needs besides the state.
pub(crate) struct Governance {
    engine: Arc<dyn Engine>,
    /// Time for all scripts of one request (D41).
    budget: Duration,
    /// The latest ledger secret, which recovery shares unwrap.
    ledger_secret: AesKey,
    /// The service's endorsement of its own identity, recorded when it opens.
    identity_endorsement: Vec<u8>,
    requests: Semaphore,
    /// One hold a member at a time.
    holds: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Governance {
    pub(crate) fn new(
        engine: Arc<dyn Engine>,
        budget: Duration,
        ledger_secret: AesKey,
        identity_endorsement: Vec<u8>,
    ) -> Self {
        let (requests, holds) = (Semaphore::new(MAX_REQUESTS), Mutex::default());
        Self { engine, budget, ledger_secret, identity_endorsement, requests, holds }
    }

    async fn hold_of(&self, member: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
            holds.entry(member.to_owned()).or_default().clone()
        };
        lock.lock_owned().await
    }
}

/// Something decided on one state.
struct Outcome {
    member: String,
    created_at: i64,
    tx: Tx,
    output: Output,
    effects: Vec<NodeEffect>,
    activated: bool,
}

/// A proposal that was validated, and what the constitution had read for that.
#[derive(Clone)]
struct Valid {
    validated: Validated,
    reads: ReadSet,
}

type Decision = Result<Outcome, (ApiError, TxId)>;

/// Decides a request and commits the decision.
pub(crate) async fn run(service: &Service, request: Request) -> Result<Answer, ApiError> {
    let busy = || {
        let text = "Too many governance requests are being decided. Retry later.";
        ApiError::new(503, "TooManyPendingTransactions", text).with_header("retry-after", "1")
    };
    let _permit = service.governance().requests.try_acquire().map_err(|_| busy())?;
    let request = Arc::new(request);
    let valid = match request.kind {
        Kind::Create => Some(validate(service, &request).await?),
        _ => None,
    };
    let (answer, activated) = place(service, &request, valid).await?;
    if let Some((member, created_at)) = activated {
        resolve_waiting(service, &member, created_at).await;
    }
    Ok(answer)
}

/// Asks the constitution whether a proposal may be made, before anything is written.
async fn validate(service: &Service, request: &Arc<Request>) -> Result<Valid, ApiError> {
    let (service, request) = (service.clone(), request.clone());
    blocking(move || {
        let mut tx = Tx::new(service.committed().state.clone());
        let signed = authenticate(&mut tx, &request)?;
        validate_in(tx, &signed, &service)
    })
    .await?
}

fn validate_in(mut tx: Tx, signed: &Signed, service: &Service) -> Result<Valid, ApiError> {
    let governance = service.governance();
    let mut budget = Budget::new(governance.budget);
    let mut scripts = Scripts { engine: &*governance.engine, budget: &mut budget };
    let validated = proposals::validate(&mut tx, signed, &mut scripts)?;
    Ok(Valid { validated, reads: tx.into_parts().0 })
}

type Activated = Option<(String, i64)>;

/// Finds a place: twice on whatever is committed, then with everybody else held.
async fn place(
    service: &Service,
    request: &Arc<Request>,
    valid: Option<Valid>,
) -> Result<(Answer, Activated), ApiError> {
    let mut member: Option<String> = None;
    for attempt in 0..MAX_ATTEMPTS {
        let own = match &member {
            Some(member) if attempt >= FREE_ATTEMPTS => Some(service.governance().hold_of(member).await),
            _ => None,
        };
        let hold = match own {
            Some(_) => Some(service.replica().hold().await.map_err(|error| not_committed(&error))?),
            None => None,
        };
        let base = hold.as_ref().map_or_else(|| service.committed(), |hold| hold.committed().clone());
        let (deciding, asked, valid) = (service.clone(), request.clone(), valid.clone());
        let decided = blocking(move || decide(&deciding, &asked, valid, &base)).await?;
        let outcome = match decided {
            Ok(outcome) => outcome,
            Err((error, seen)) => return service.settle(Err(error), seen).await.map(|answer| (answer, None)),
        };
        if outcome.tx.is_read_only() {
            return service.settle(Ok(outcome.output), outcome.tx.base().tx_id()).await.map(|answer| (answer, None));
        }
        let activated = outcome.activated.then(|| (outcome.member.clone(), outcome.created_at));
        member = Some(outcome.member);
        let transaction = transaction(outcome.tx, &outcome.effects, outcome.output.claims_digest);
        match submit(service, hold, transaction).await {
            Ok(tx_id) => return Ok((Answer { output: outcome.output, tx_id }, activated)),
            Err(SubmitError::Conflict { .. }) => {}
            Err(error) => return Err(not_committed(&error)),
        }
    }
    Err(too_many_conflicts())
}

async fn submit(service: &Service, hold: Option<Hold>, transaction: Transaction) -> Result<TxId, SubmitError> {
    match hold {
        Some(hold) => hold.submit(transaction).await,
        None => service.replica().submit(transaction).await,
    }
}

fn transaction(tx: Tx, effects: &[NodeEffect], claims_digest: Digest) -> Transaction {
    let transaction = Transaction::new(tx, claims_digest);
    let chunk = effects.iter().any(|effect| matches!(effect, NodeEffect::ChunkLedger));
    if chunk { transaction.with_chunk_after() } else { transaction }
}

fn authenticate(tx: &mut Tx, request: &Request) -> Result<Signed, ApiError> {
    let (policy, message) = request.kind.message();
    envelope::authenticate(tx, &request.input.body, request.content_type.as_deref(), policy, message)
}

fn decide(service: &Service, request: &Request, valid: Option<Valid>, base: &Committed) -> Decision {
    let mut tx = Tx::new(base.state.clone());
    let seen = tx.base().tx_id();
    let decided = decide_in(&mut tx, service, request, valid, base).map_err(|error| (error, seen))?;
    let (signed, output, effects, activated) = decided;
    Ok(Outcome { member: signed.member_id, created_at: signed.created_at, tx, output, effects, activated })
}

type Decided = (Signed, Output, Vec<NodeEffect>, bool);

fn decide_in(
    tx: &mut Tx,
    service: &Service,
    request: &Request,
    valid: Option<Valid>,
    base: &Committed,
) -> Result<Decided, ApiError> {
    let governance = service.governance();
    let share_seed = crypto::random_bytes::<32>().map_err(|why| ApiError::internal(why.to_string()))?;
    let context = ServiceContext {
        ledger_secret: &governance.ledger_secret,
        share_seed: &share_seed,
        identity_endorsement: &governance.identity_endorsement,
    };
    let signed = authenticate(tx, request)?;
    let mut budget = Budget::new(governance.budget);
    let mut scripts = Scripts { engine: &*governance.engine, budget: &mut budget };
    let (proposal, member) = (request.input.param("proposalId"), request.input.param("memberId"));
    match request.kind {
        Kind::Create => {
            let validated = still_valid(valid, &signed, service, base)?;
            let decided = proposals::create(tx, &signed, &validated, &base.root, &mut scripts, &context)?;
            Ok((signed, decided.output, decided.effects, false))
        }
        Kind::Ballot => {
            let decided = proposals::submit_ballot(tx, &signed, proposal, member, &mut scripts, &context)?;
            Ok((signed, decided.output, decided.effects, false))
        }
        Kind::Withdraw => {
            let output = proposals::withdraw(tx, &signed, proposal)?;
            Ok((signed, output, Vec::new(), false))
        }
        Kind::StateDigestUpdate => {
            let output = state_digests::update(tx, &signed, member)?;
            Ok((signed, output, Vec::new(), false))
        }
        Kind::StateDigestAck => {
            let acknowledged = state_digests::acknowledge(tx, &signed, member, &context)?;
            Ok((signed, acknowledged.output, Vec::new(), acknowledged.activated))
        }
    }
}

/// What the constitution said, unless something that it had read has changed since: then it is asked again.
fn still_valid(
    valid: Option<Valid>,
    signed: &Signed,
    service: &Service,
    base: &Committed,
) -> Result<Validated, ApiError> {
    match valid {
        Some(valid) if valid.reads.check(&base.state).is_ok() => Ok(valid.validated),
        _ => validate_in(Tx::new(base.state.clone()), signed, service).map(|valid| valid.validated),
    }
}

/// A member has become active: proposals that waited for that are resolved, each in a transaction of its own (D20). What
/// cannot be resolved now stays open, and is resolved with the next ballot.
async fn resolve_waiting(service: &Service, member: &str, created_at: i64) {
    let mut tx = Tx::new(service.committed().state.clone());
    let waiting = proposals::waiting(&mut tx).unwrap_or_default();
    for proposal in waiting {
        if let Err(error) = resolve_again(service, &proposal, member, created_at).await {
            tracing::warn!(proposal, %error, "a proposal could not be resolved again after an acknowledgement");
        }
    }
}

async fn resolve_again(service: &Service, proposal: &str, member: &str, created_at: i64) -> Result<(), ApiError> {
    for _ in 0..MAX_ATTEMPTS {
        let (deciding, id, who) = (service.clone(), proposal.to_owned(), member.to_owned());
        let (tx, decided) = blocking(move || reresolve(&deciding, &id, &who, created_at)).await??;
        let Some(decided) = decided.filter(|_| !tx.is_read_only()) else { return Ok(()) };
        let transaction = transaction(tx, &decided.effects, decided.output.claims_digest);
        match service.replica().submit(transaction).await {
            Ok(_) => return Ok(()),
            Err(SubmitError::Conflict { .. }) => {}
            Err(error) => return Err(not_committed(&error)),
        }
    }
    Err(too_many_conflicts())
}

type Resolved = (Tx, Option<proposals::Decided>);

fn reresolve(service: &Service, proposal: &str, member: &str, created_at: i64) -> Result<Resolved, ApiError> {
    let governance = service.governance();
    let share_seed = crypto::random_bytes::<32>().map_err(|why| ApiError::internal(why.to_string()))?;
    let context = ServiceContext {
        ledger_secret: &governance.ledger_secret,
        share_seed: &share_seed,
        identity_endorsement: &governance.identity_endorsement,
    };
    let mut budget = Budget::new(governance.budget);
    let mut scripts = Scripts { engine: &*governance.engine, budget: &mut budget };
    let mut tx = Tx::new(service.committed().state.clone());
    let decided = proposals::reresolve(&mut tx, proposal, member, created_at, &mut scripts, &context)?;
    Ok((tx, decided))
}

/// Runs on a thread that may wait for scripts.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(run).await.map_err(|why| ApiError::internal(why.to_string()))
}
