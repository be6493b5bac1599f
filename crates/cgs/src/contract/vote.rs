use client::{Action, ContractState};
use serde_json::json;

use super::{ProposeArgs, VoteArgs};
use crate::{
    context::{Context, Session},
    error::CliError,
    output::short,
    proposal,
};

pub(super) async fn propose(args: &ProposeArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let id = &args.id;
    let contract = session.service.contract_json(id).await?;
    let text = |name: &str| contract.get(name).and_then(serde_json::Value::as_str).unwrap_or_default();
    match text("state") {
        "Draft" => {}
        "Proposed" => {
            let proposal = short(text("proposalId"));
            return Err(CliError::usage(format!(
                "{id} is proposed already, by {proposal}: cgs contract vote {id} --accept"
            )));
        }
        state => return Err(CliError::usage(format!("{id} is {state} and does not change any more"))),
    }
    if let Some(wanted) = args.version.as_deref().filter(|wanted| *wanted != text("version")) {
        return Err(CliError::Conflict(format!(
            "{id} has version {} now, not {wanted}: read it again with `cgs contract show {id}`",
            text("version")
        )));
    }
    let action = Action::new("set_contract", json!({ "contractId": id, "contract": contract }));
    proposal::make(session, context, &[action], args.proposing).await
}

pub(super) async fn vote(args: &VoteArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let id = &args.id;
    let contract = session.service.contract(id).await?;
    if contract.state != ContractState::Proposed {
        return Err(CliError::usage(format!("{id} is {}, so there is nothing to vote on", contract.state)));
    }
    if let Some(wanted) = args.proposal.as_deref().filter(|wanted| !contract.proposal_id.starts_with(*wanted)) {
        return Err(CliError::Conflict(format!(
            "{id} is proposed by {} now, not by {wanted}: read it again with `cgs contract show {id}`",
            contract.proposal_id
        )));
    }
    let after = session.service.vote(&contract.proposal_id, &args.choice.ballot()).await?;
    proposal::settle(session, after).await?.print(context)
}
