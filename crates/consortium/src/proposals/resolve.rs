use std::{collections::BTreeMap, time::Duration};

use api::{ApiError, is_truthy};
use constitution::Outcome;
use kv::Tx;
use ledger::tables;
use serde_json::{Value, json};

use super::{Decided, Failure, ProposalInfo, ProposalState, open, record, sound};
use crate::{
    ConsortiumError, NodeEffect, ServiceContext, effects,
    scripts::{self, Fault, Request, Scripts},
    state_digests,
};

/// A proposal that is being decided; `info` is not written yet.
pub(super) struct Proposal {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) info: ProposalInfo,
}

/// The votes that the ballots gave, and why others gave none.
#[derive(Clone, Default)]
pub(super) struct Votes {
    pub(super) votes: BTreeMap<String, bool>,
    pub(super) failures: BTreeMap<String, Failure>,
}

impl Votes {
    /// These votes, and a yes of each of `members`.
    pub(super) fn with_yes<'a>(&self, members: impl IntoIterator<Item = &'a String>) -> Self {
        let mut votes = self.clone();
        votes.votes.extend(members.into_iter().map(|member| (member.clone(), true)));
        votes
    }
}

/// The ids of all Open proposals: each may be waiting for the member who has just become active (D20).
///
/// # Errors
/// 500 if a record is damaged.
pub fn waiting(tx: &mut Tx) -> Result<Vec<String>, ApiError> {
    Ok(open::ids(tx)?)
}

/// Resolves a proposal again because `member_id` has become active by a request of `created_at` (D20). `None` if it is no
/// longer Open.
///
/// What it decides is recorded with the acknowledgement that it decided on, so that it can be computed again (D39).
///
/// # Errors
/// 404 `ProposalNotFound`; 500 if the constitution cannot resolve it; 503 if no script host is free.
pub fn reresolve(
    tx: &mut Tx,
    proposal_id: &str,
    member_id: &str,
    created_at: i64,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Option<Decided>, ApiError> {
    let info = ProposalInfo::read(tx, proposal_id)?.ok_or_else(|| super::not_found(proposal_id))?;
    if info.state != ProposalState::Open {
        return Ok(None);
    }
    let acknowledged = state_digests::recorded(tx, member_id)?;
    // Another acknowledgement may have come in since.
    let created_at = acknowledged.as_ref().map_or(created_at, |(_, created_at)| *created_at);
    let request = Request { member_id, created_at, seed: seed(proposal_id)? };
    let proposal = Proposal { text: record::text(tx, proposal_id)?, id: proposal_id.into(), info };
    let decided = settle(tx, proposal, request, None, scripts, context)?;
    if let Some((message, _)) = acknowledged
        && !tx.is_read_only()
    {
        super::put_history(tx, member_id, message);
    }
    Ok(Some(decided))
}

/// `Math.random` of everything that is decided about a proposal starts from its id (D39).
pub(super) fn seed(proposal_id: &str) -> Result<[u8; 32], ApiError> {
    let mut seed = [0; 32];
    hex::decode_to_slice(proposal_id, &mut seed)
        .map_err(|why| ApiError::internal(format!("proposal id {proposal_id}: {why}")))?;
    Ok(seed)
}

/// Counts the ballots, asks the constitution what they mean, and applies the proposal if it is accepted.
///
/// `fresh` is the member whose ballot has just come in.
pub(super) fn settle(
    tx: &mut Tx,
    mut proposal: Proposal,
    request: Request<'_>,
    fresh: Option<&str>,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Decided, ApiError> {
    let votes = count(tx, &mut proposal, request, fresh, scripts)?;
    proposal.info.state = resolve(tx, &proposal, request, &votes, scripts)?;
    let mut effects = Vec::new();
    if proposal.info.state != ProposalState::Open {
        proposal.info.final_votes = Some(votes.votes);
        proposal.info.vote_failures = Some(votes.failures);
    }
    // The script sees the proposal as accepted, with its votes.
    proposal.info.put(tx, &proposal.id);
    if proposal.info.state == ProposalState::Accepted {
        effects = apply(tx, &mut proposal, request, scripts, context)?;
    }
    Ok(Decided { output: proposal.info.answer(&proposal.id), effects })
}

/// Runs the ballots of those who are members (D18), except those that must not run again (D41).
///
/// What a ballot returns is a vote for it if it is true in the sense of JavaScript, as in the reference.
///
/// Half of the budget is for the ballots and each gets an equal part of what the earlier ones left, so no ballot can use
/// up the time of another one or of `resolve`.
pub(super) fn count(
    tx: &mut Tx,
    proposal: &mut Proposal,
    request: Request<'_>,
    fresh: Option<&str>,
    scripts: &mut Scripts<'_>,
) -> Result<Votes, ApiError> {
    let (mut counted, to_run) = split(tx, &proposal.info);
    let reserved = scripts.budget.remaining() / 2;
    let mut waiting = u32::try_from(to_run.len()).unwrap_or(u32::MAX);
    for (member, ballot) in to_run {
        let share = scripts.budget.remaining().saturating_sub(reserved) / waiting.max(1);
        waiting = waiting.saturating_sub(1);
        match vote(tx, proposal, request, &member, ballot, share, scripts) {
            Ok(outcome) => {
                counted.votes.insert(member, is_truthy(&outcome.value));
            }
            Err(Fault::Script(failure)) => {
                counted.failures.insert(member, failure);
            }
            Err(Fault::Limit(failure)) => {
                proposal.info.limited_ballots.insert(member.clone(), failure.clone());
                counted.failures.insert(member, failure);
            }
            Err(Fault::Unusable(why)) if fresh == Some(member.as_str()) => return Err(unusable_ballot(&why)),
            Err(Fault::Unusable(reason)) => {
                counted.failures.insert(member, Failure { reason: format!("The ballot {reason}"), trace: None });
            }
            Err(Fault::Service(error)) => return Err(error),
        }
    }
    Ok(counted)
}

/// The ballots that are to run, and those of members that have failed for good.
fn split(tx: &mut Tx, info: &ProposalInfo) -> (Votes, Vec<(String, String)>) {
    let mut counted = Votes::default();
    let mut to_run = Vec::new();
    for (member, ballot) in &info.ballots {
        if !tx.has(tables::MEMBERS_INFO, member.as_bytes()) {
            continue;
        }
        match info.limited_ballots.get(member) {
            Some(limit) => {
                counted.failures.insert(member.clone(), limit.clone());
            }
            None => to_run.push((member.clone(), ballot.clone())),
        }
    }
    (counted, to_run)
}

fn vote(
    tx: &mut Tx,
    proposal: &Proposal,
    request: Request<'_>,
    member: &str,
    ballot: String,
    share: Duration,
    scripts: &mut Scripts<'_>,
) -> Result<Outcome, Fault> {
    let module = format!("{}[{}].ballots[m[{member}]]", tables::PROPOSALS_INFO, proposal.id);
    let arguments = vec![proposal.text.as_str().into(), proposal.info.proposer_id.as_str().into()];
    scripts.ballot(tx, request, (module, ballot), arguments, share)
}

/// A ballot that cannot be called is the voter's fault (D4).
fn unusable_ballot(why: &str) -> ApiError {
    ApiError::bad_request(
        "InvalidInput",
        format!("The ballot {why}. It must be a JavaScript module that exports vote()."),
    )
}

/// Asks the constitution what the votes mean.
pub(super) fn resolve(
    tx: &mut Tx,
    proposal: &Proposal,
    request: Request<'_>,
    votes: &Votes,
    scripts: &mut Scripts<'_>,
) -> Result<ProposalState, ApiError> {
    let list: Vec<Value> =
        votes.votes.iter().map(|(member, vote)| json!({ "member_id": member, "vote": vote })).collect();
    let arguments = vec![
        proposal.text.as_str().into(),
        proposal.info.proposer_id.as_str().into(),
        list.into(),
        proposal.id.as_str().into(),
    ];
    let outcome = scripts.constitution(tx, request, "resolve", arguments).map_err(unresolved)?;
    match outcome.value.as_str() {
        Some("Open") => Ok(ProposalState::Open),
        Some("Accepted") => Ok(ProposalState::Accepted),
        Some("Rejected") => Ok(ProposalState::Rejected),
        other => {
            let status = other.map_or_else(|| outcome.value.to_string(), str::to_owned);
            Err(ApiError::internal(format!("resolve() returned invalid status value: \"{status}\"\nTrace: N/A")))
        }
    }
}

/// Nothing is decided by a `resolve` that fails.
fn unresolved(fault: Fault) -> ApiError {
    match fault {
        Fault::Script(failure) | Fault::Limit(failure) => {
            let trace = failure.trace.as_deref().unwrap_or("N/A");
            ApiError::internal(format!("Failed to resolve(): {}\nTrace: {trace}", failure.reason))
        }
        Fault::Unusable(why) => ApiError::internal(format!("Failed to resolve(): the constitution {why}")),
        Fault::Service(error) => error,
    }
}

/// Applies an accepted proposal. One that cannot be applied becomes Failed, with its votes kept and nothing of its
/// writes (D19).
fn apply(
    tx: &mut Tx,
    proposal: &mut Proposal,
    request: Request<'_>,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Vec<NodeEffect>, ApiError> {
    let before = tx.writes().clone();
    let failure = match try_apply(tx, proposal, request, scripts, context) {
        Ok(effects) => return Ok(effects),
        Err(fault) => not_applied(fault)?,
    };
    tx.restore_writes(before);
    proposal.info.state = ProposalState::Failed;
    proposal.info.failure =
        Some(Failure { reason: format!("Failed to apply(): {}", failure.reason), trace: failure.trace });
    proposal.info.put(tx, &proposal.id);
    Ok(Vec::new())
}

fn try_apply(
    tx: &mut Tx,
    proposal: &Proposal,
    request: Request<'_>,
    scripts: &mut Scripts<'_>,
    context: &ServiceContext<'_>,
) -> Result<Vec<NodeEffect>, Fault> {
    let arguments = vec![proposal.text.as_str().into(), proposal.id.as_str().into()];
    let outcome = scripts.apply(tx, request, arguments, context)?;
    carry_out(tx, outcome, context)
}

/// Makes what `apply` wants that of the transaction.
pub(super) fn carry_out(tx: &mut Tx, outcome: Outcome, context: &ServiceContext<'_>) -> Result<Vec<NodeEffect>, Fault> {
    let (proposals, needed) = (open::touched(&outcome.writes), sound::touched(&outcome.writes));
    scripts::take_writes(tx, outcome.writes)?;
    open::follow(tx, &proposals).map_err(thrown)?;
    sound::check(tx, &needed).map_err(thrown)?;
    let mut node_effects = Vec::new();
    for effect in outcome.effects {
        node_effects.extend(effects::apply(tx, effect, context).map_err(thrown)?);
    }
    Ok(node_effects)
}

/// Why a proposal cannot be applied; what is not its own fault is an error of the request.
pub(super) fn not_applied(fault: Fault) -> Result<Failure, ApiError> {
    match fault {
        Fault::Service(error) => Err(error),
        Fault::Script(failure) | Fault::Limit(failure) => Ok(failure),
        Fault::Unusable(why) => Ok(Failure { reason: format!("the constitution {why}"), trace: None }),
    }
}

/// What cannot be done for a script, as if it had thrown it.
fn thrown(why: ConsortiumError) -> Fault {
    Fault::Script(Failure { reason: format!("Error: {why}"), trace: None })
}
