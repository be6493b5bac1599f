use std::path::Path;

use client::{Contract, ContractState};
use serde_json::json;

use crate::{
    context::{Context, Session},
    data::Source,
    diff,
    error::CliError,
    output::{Table, short},
    people::People,
};

pub(super) async fn list(state: Option<ContractState>, session: &Session, context: &Context) -> Result<(), CliError> {
    // Without a state the service lists drafts and accepted contracts, not the proposed ones.
    let states =
        state.map_or_else(|| vec![ContractState::Draft, ContractState::Proposed, ContractState::Accepted], |s| vec![s]);
    let mut found = Vec::new();
    for state in states {
        let ids = session.service.contracts(Some(state)).await?;
        found.extend(ids.into_iter().map(|id| (id, state)));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.dedup_by(|a, b| a.0 == b.0);
    let value: Vec<_> = found.iter().map(|(id, state)| json!({ "id": id, "state": state })).collect();
    Ok(context.output.show(&value, || {
        if found.is_empty() {
            return "there are no contracts; write one: cgs contract create ID --file FILE".into();
        }
        let mut table = Table::new(["CONTRACT", "STATE"]);
        found.into_iter().for_each(|(id, state)| table.row([id, state.to_string()]));
        table.to_string()
    })?)
}

pub(super) async fn show(id: &str, file: Option<&Path>, session: &Session, context: &Context) -> Result<(), CliError> {
    let contract = session.service.contract(id).await?;
    let people = People::new(session.service.members().await?);
    if let Some(file) = file {
        let text = match &contract.data {
            serde_json::Value::String(text) => text.clone(),
            data => serde_json::to_string_pretty(data).unwrap_or_default() + "\n",
        };
        std::fs::write(file, text).map_err(CliError::file(file))?;
    }
    Ok(context.output.show(&contract, || describe(&contract, &people, file))?)
}

fn describe(contract: &Contract, people: &People, file: Option<&Path>) -> String {
    let mut table = Table::pairs();
    table.pair("contract", &contract.id);
    table.pair("state", contract.state);
    table.pair("version", &contract.version);
    if !contract.proposal_id.is_empty() {
        table.pair("proposal", &contract.proposal_id);
    }
    for vote in contract.final_votes.iter().flatten() {
        table.pair(people.name(&vote.member_id), if vote.vote { "yes" } else { "no" });
    }
    let data = match file {
        Some(file) => format!("its data are in {}", file.display()),
        None => serde_json::to_string_pretty(&contract.data).unwrap_or_default(),
    };
    format!("{table}\n{data}\n{}", next(contract))
}

fn next(contract: &Contract) -> String {
    let id = &contract.id;
    match contract.state {
        ContractState::Draft => format!("\nnext: cgs contract propose {id} --version {}", contract.version),
        ContractState::Proposed => {
            format!("\nnext: cgs contract vote {id} --accept | --reject --proposal {}", short(&contract.proposal_id))
        }
        ContractState::Accepted => format!("\nproof: cgs receipt get {} --file receipt.json", contract.version),
    }
}

pub(super) async fn diff(id: &str, source: &Source, session: &Session, context: &Context) -> Result<(), CliError> {
    let contract = session.service.contract(id).await?;
    let new = source.read()?;
    let name = format!("{id} ({}, version {})", contract.state, contract.version);
    let text = diff::documents(&name, &source.file.display().to_string(), &contract.data, &new)
        .map_err(|why| CliError::usage(why.to_string()))?;
    let value = json!({ "equal": text.is_empty(), "version": contract.version, "diff": text });
    Ok(context.output.show(&value, || if text.is_empty() { "no difference".into() } else { text.clone() })?)
}
