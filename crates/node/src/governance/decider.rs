use std::{sync::Arc, time::Duration};

use api::{ApiError, Output};
use consortium::{
    Issuer, NodeEffect, Scripts, ServiceContext,
    envelope::{self, Signed},
    proposals::{self, Decided, Validated, Viewer},
    script_budget, state_digests,
};
use constitution::Engine;
use crypto::AesKey;
use kv::{ReadSet, State, Tx, TxId};
use ledger::secrets::Secret;
use replication::Committed;

use super::{Kind, Request, issuer::StandIn};
use crate::secrets::{Around, Secrets};

/// What there is to do for a request besides running its scripts.
const SLACK: Duration = Duration::from_millis(500);

/// What deciding needs besides the state. It runs on threads that may wait for scripts.
pub(crate) struct Decider {
    /// Runs the scripts of the consortium.
    pub(crate) engine: Arc<dyn Engine>,
    /// Time for all scripts of one request (D41), unless members have raised it.
    pub(crate) budget: Duration,
    /// The ledger secrets: recovery shares unwrap the current one, a rekey introduces the next one.
    pub(crate) secrets: Secrets,
    /// Makes the certificates that are voted for.
    pub(crate) issuer: Arc<dyn Issuer>,
    /// The service's endorsement of its own identity, recorded when it opens.
    pub(crate) identity_endorsement: Vec<u8>,
}

/// Something decided on one state.
pub(super) struct Outcome {
    pub(super) member: String,
    pub(super) created_at: i64,
    pub(super) tx: Tx,
    pub(super) output: Output,
    pub(super) effects: Vec<NodeEffect>,
    /// Whether a member has become active by it.
    pub(super) activated: bool,
}

/// A proposal that was validated, and what the constitution had read for that.
#[derive(Clone)]
pub(super) struct Valid {
    validated: Validated,
    reads: ReadSet,
}

impl Decider {
    /// Asks the constitution whether a proposal may be made.
    pub(super) fn validate(&self, request: &Request, state: State) -> Result<Valid, ApiError> {
        let mut tx = Tx::new(state);
        let signed = authenticate(&mut tx, request)?;
        let mut budget = script_budget(&mut tx, self.budget);
        let mut scripts = Scripts { engine: &*self.engine, budget: &mut budget };
        let validated = proposals::validate(&mut tx, &signed, &mut scripts)?;
        Ok(Valid { validated, reads: tx.into_parts().0 })
    }

    /// How long everybody else has to wait while a request is decided: as long as its scripts may run on this state, and
    /// some slack.
    pub(super) fn hold_limit(&self, state: State) -> Duration {
        script_budget(&mut Tx::new(state), self.budget).remaining() + SLACK
    }

    /// Decides a request on one state; a refusal comes with the transaction that it rests on.
    pub(super) fn decide(
        &self,
        request: &Request,
        valid: Option<Valid>,
        base: &Committed,
    ) -> Result<Outcome, (ApiError, TxId)> {
        let mut tx = Tx::new(base.state.clone());
        let decided = authenticate(&mut tx, request)
            .and_then(|signed| Ok((self.take(&mut tx, request, &signed, valid, base)?, signed)))
            .map_err(|error| (error, base.state.tx_id()))?;
        let ((Decided { output, effects, .. }, activated), signed) = decided;
        Ok(Outcome { member: signed.member_id, created_at: signed.created_at, tx, output, effects, activated })
    }

    fn take(
        &self,
        tx: &mut Tx,
        request: &Request,
        signed: &Signed,
        valid: Option<Valid>,
        base: &Committed,
    ) -> Result<(Decided, bool), ApiError> {
        let (seed, around) = (share_seed()?, self.around(base.state.tx_id())?);
        let context = self.context(&seed, &around);
        let mut budget = script_budget(tx, self.budget);
        let mut scripts = Scripts { engine: &*self.engine, budget: &mut budget };
        let (proposal, member) = (request.input.param("proposalId"), request.input.param("memberId"));
        let quiet = |output| Decided { output, effects: Vec::new() };
        Ok(match request.kind {
            Kind::Create => {
                let validated = still_valid(valid, signed, &base.state, &mut scripts)?;
                (proposals::create(tx, signed, &validated, &base.root, &mut scripts, &context)?, false)
            }
            Kind::Ballot => (proposals::submit_ballot(tx, signed, proposal, member, &mut scripts, &context)?, false),
            Kind::Withdraw => (quiet(proposals::withdraw(tx, signed, proposal)?), false),
            Kind::StateDigestUpdate => (quiet(state_digests::update(tx, signed, member)?), false),
            Kind::StateDigestAck => {
                let acknowledged = state_digests::acknowledge(tx, signed, member, &context)?;
                (quiet(acknowledged.output), acknowledged.activated)
            }
        })
    }

    /// Resolves a proposal again, because `member` has become active (D20); `None` if there is nothing to do.
    pub(super) fn reresolve(
        &self,
        state: State,
        proposal: &str,
        member: &str,
        created_at: i64,
    ) -> Result<Option<(Tx, Decided)>, ApiError> {
        let (seed, around) = (share_seed()?, self.around(state.tx_id())?);
        let context = self.context(&seed, &around);
        let mut tx = Tx::new(state);
        let mut budget = script_budget(&mut tx, self.budget);
        let mut scripts = Scripts { engine: &*self.engine, budget: &mut budget };
        let decided = proposals::reresolve(&mut tx, proposal, member, created_at, &mut scripts, &context)?;
        Ok(decided.filter(|_| !tx.is_read_only()).map(|decided| (tx, decided)))
    }

    /// Works out what a proposal would do, and what that follows from. The ledger secrets stay out of it: what recovery
    /// shares would hold unwraps nothing. So does the key of the service: certificates come from a stand-in.
    pub(super) fn foresee(&self, state: State, proposal: &str, member: &str) -> Result<(Output, ReadSet), ApiError> {
        let seed = share_seed()?;
        let none = || AesKey::generate().map_err(|why| ApiError::internal(why.to_string()));
        let no_secrets = Around { current: Secret::new(1, none()?), next: none()? };
        let stand_in = StandIn::new().map_err(|why| ApiError::internal(why.to_string()))?;
        let context = ServiceContext { issuer: &stand_in, ..self.context(&seed, &no_secrets) };
        let mut tx = Tx::new(state);
        let mut budget = script_budget(&mut tx, self.budget);
        let mut scripts = Scripts { engine: &*self.engine, budget: &mut budget };
        let viewer = Viewer { member_id: member, now: time::OffsetDateTime::now_utc().unix_timestamp() };
        let output = proposals::effect(&mut tx, proposal, viewer, &mut scripts, &context)?;
        Ok((output, tx.into_parts().0))
    }

    fn around(&self, base: TxId) -> Result<Around, ApiError> {
        self.secrets.around(base).map_err(|why| {
            tracing::error!(error = %why, "nothing can be decided: the next ledger secret cannot be kept safe");
            ApiError::internal("The next ledger secret of the service cannot be kept safe.")
        })
    }

    fn context<'a>(&'a self, share_seed: &'a [u8; 32], around: &'a Around) -> ServiceContext<'a> {
        ServiceContext {
            ledger_secret: &around.current,
            next_secret: &around.next,
            share_seed,
            identity_endorsement: &self.identity_endorsement,
            issuer: &*self.issuer,
        }
    }
}

/// What the constitution said, unless something that it had read has changed since: then it is asked again.
fn still_valid(
    valid: Option<Valid>,
    signed: &Signed,
    state: &State,
    scripts: &mut Scripts<'_>,
) -> Result<Validated, ApiError> {
    match valid {
        Some(valid) if valid.reads.check(state).is_ok() => Ok(valid.validated),
        _ => proposals::validate(&mut Tx::new(state.clone()), signed, scripts),
    }
}

/// Who has signed a request.
pub(super) fn signer(request: &Request, state: State) -> Result<String, ApiError> {
    Ok(authenticate(&mut Tx::new(state), request)?.member_id)
}

fn share_seed() -> Result<[u8; 32], ApiError> {
    crypto::random_bytes().map_err(|why| ApiError::internal(why.to_string()))
}

fn authenticate(tx: &mut Tx, request: &Request) -> Result<Signed, ApiError> {
    let (policy, message) = request.kind.message();
    envelope::authenticate(tx, &request.input.body, request.content_type.as_deref(), policy, message)
}
