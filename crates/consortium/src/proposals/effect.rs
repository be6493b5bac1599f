//! What an Open proposal would do: worked out on the state as it is, and thrown away.

mod shown;

#[cfg(test)]
mod tests;

use api::{ApiError, Output};
use kv::Tx;
use ledger::tables;
use serde_json::{Map, Value, json};

use super::{
    Failure, ProposalInfo, ProposalState, not_found, record,
    resolve::{self, Proposal, Votes},
};
use crate::{
    ServiceContext, ids,
    json::answer,
    members::{self, Status},
    scripts::{Fault, Request, Scripts},
};

/// Most members for whom it is tried out whether the proposal needs them: each is a call of `resolve`.
const MOST_TRIED: usize = 16;

/// Who looks, and when: `Date` in scripts, as if the deciding vote came now.
#[derive(Debug, Clone, Copy)]
pub struct Viewer<'a> {
    /// The member in whose turn the scripts run.
    pub member_id: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// What the votes would lead to.
struct Outlook {
    /// The decision if everybody who can still agrees.
    would_be: ProposalState,
    /// Those without whom it is not accepted. `None` if there are too many to try.
    waiting_for: Option<Vec<String>>,
    /// The votes so far.
    cast: Votes,
}

/// What `apply` would do.
#[derive(Default)]
struct Applied {
    writes: Vec<Value>,
    effects: Vec<String>,
    failure: Option<Failure>,
}

/// `GET /gov/members/proposals/{proposalId}/effect`, an endpoint of this service's own: runs the ballots, `resolve` and
/// `apply` of an Open proposal as if those agreed who still have to, and answers what would be written. The transaction
/// is not to be committed; what it read says how long the answer stays true.
///
/// `context` must hold a secret that is none and an issuer that is not the service: nobody may be given recovery shares or
/// certificates that were not voted on. Internal tables are left out, and what they would hold is made from nothing.
///
/// # Errors
/// 400 `InvalidResourceName`, `ProposalNotOpen`; 404 `ProposalNotFound`; 500 if the constitution cannot resolve the
/// proposal; 503 if no script host is free.
pub fn effect(
    tx: &mut Tx,
    proposal_id: &str,
    viewer: Viewer<'_>,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Output, ApiError> {
    ids::check("proposal", proposal_id)?;
    let info = ProposalInfo::read(tx, proposal_id)?.ok_or_else(|| not_found(proposal_id))?;
    check_open(&info, proposal_id)?;
    let request = Request { member_id: viewer.member_id, created_at: viewer.now, seed: resolve::seed(proposal_id)? };
    let mut proposal = Proposal { text: record::text(tx, proposal_id)?, id: proposal_id.into(), info };
    let outlook = foresee(tx, &mut proposal, request, scripts)?;
    accept(&mut proposal.info, &outlook);
    proposal.info.put(tx, proposal_id);
    let applied = apply(tx, &proposal, request, scripts, context)?;
    Ok(answer(&describe(proposal_id, outlook, applied)))
}

fn check_open(info: &ProposalInfo, proposal_id: &str) -> Result<(), ApiError> {
    if info.state == ProposalState::Open {
        return Ok(());
    }
    let message = format!(
        "Proposal {proposal_id} is currently in state {} - only the effect of open proposals can be foreseen",
        info.state.lower()
    );
    Err(ApiError::bad_request("ProposalNotOpen", message))
}

fn foresee(
    tx: &mut Tx,
    proposal: &mut Proposal,
    request: Request<'_>,
    scripts: &mut Scripts<'_>,
) -> Result<Outlook, ApiError> {
    let cast = resolve::count(tx, proposal, request, None, scripts)?;
    let silent = silent(tx, &proposal.info)?;
    let mut decide = |yes: &[&String]| {
        let votes = cast.with_yes(yes.iter().copied());
        resolve::resolve(tx, proposal, request, &votes, scripts)
    };
    let everybody: Vec<&String> = silent.iter().collect();
    let would_be = decide(&everybody)?;
    if would_be != ProposalState::Accepted {
        return Ok(Outlook { would_be, waiting_for: Some(silent), cast });
    }
    if silent.len() > MOST_TRIED {
        return Ok(Outlook { would_be, waiting_for: None, cast });
    }
    let mut needed = Vec::new();
    for member in &silent {
        let others: Vec<&String> = silent.iter().filter(|other| *other != member).collect();
        if decide(&others)? != ProposalState::Accepted {
            needed.push(member.clone());
        }
    }
    Ok(Outlook { would_be, waiting_for: Some(needed), cast })
}

/// The active members who have not voted.
fn silent(tx: &mut Tx, info: &ProposalInfo) -> Result<Vec<String>, ApiError> {
    let active = members::all(tx)?.into_iter().filter(|(_, member)| member.status == Status::Active);
    Ok(active.map(|(id, _)| id).filter(|id| !info.ballots.contains_key(id)).collect())
}

/// The record that `apply` would find.
fn accept(info: &mut ProposalInfo, outlook: &Outlook) {
    let votes = outlook.cast.with_yes(outlook.waiting_for.iter().flatten());
    info.state = ProposalState::Accepted;
    info.final_votes = Some(votes.votes);
    info.vote_failures = Some(votes.failures);
}

fn apply(
    tx: &mut Tx,
    proposal: &Proposal,
    request: Request<'_>,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Applied, ApiError> {
    let failure = match try_apply(tx, proposal, request, scripts, context) {
        Ok(effects) => return Ok(Applied { writes: shown::writes(tx, proposal), effects, failure: None }),
        Err(fault) => resolve::not_applied(fault)?,
    };
    Ok(Applied { failure: Some(failure), ..Applied::default() })
}

fn try_apply(
    tx: &mut Tx,
    proposal: &Proposal,
    request: Request<'_>,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Vec<String>, Fault> {
    let arguments = vec![proposal.text.as_str().into(), proposal.id.as_str().into()];
    let outcome = scripts.apply(tx, request, arguments, context)?;
    let effects = outcome.effects.iter().map(shown::effect).collect();
    resolve::carry_out(tx, outcome, context)?;
    Ok(effects)
}

fn describe(proposal_id: &str, outlook: Outlook, applied: Applied) -> Value {
    let failed = applied.failure.is_some() && outlook.would_be == ProposalState::Accepted;
    let mut shown = Map::new();
    shown.insert("effects".into(), applied.effects.into());
    shown.extend(applied.failure.map(|failure| ("failure".to_owned(), json!(failure))));
    shown.insert("proposalId".into(), proposal_id.into());
    shown.insert("proposalState".into(), json!(ProposalState::Open));
    shown.insert("voteFailures".into(), json!(outlook.cast.failures));
    shown.insert("votes".into(), json!(outlook.cast.votes));
    shown.extend(outlook.waiting_for.map(|members| ("waitingFor".to_owned(), members.into())));
    shown.insert("wouldBe".into(), json!(if failed { ProposalState::Failed } else { outlook.would_be }));
    shown.insert("writes".into(), applied.writes.into());
    Value::Object(shown)
}
