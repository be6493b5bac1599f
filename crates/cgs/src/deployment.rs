//! `cgs deployment`

use std::path::PathBuf;

use client::{Action, ContractState, Deployment};
use serde_json::json;

use crate::{
    context::{Context, Session},
    data,
    error::CliError,
    output::short,
    proposal::{self, Proposing},
};

/// What is voted about the deployment of a contract.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// What is to be deployed for a contract
    #[command(subcommand)]
    Spec(Of),
    /// What is known of the deployment of a contract, for example where it runs
    #[command(subcommand)]
    Info(Of),
}

/// What can be done with either.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Of {
    Propose(ProposeArgs),
    /// Show what is voted, and which proposals are open
    Show {
        /// The contract
        contract: String,
    },
}

/// Propose it for an accepted contract
///
/// The file is any JSON document; it becomes the `data` of what is voted.
///
///   cgs deployment spec propose trial --file template.json --vote
///   cgs deployment info propose trial --file where.json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ProposeArgs {
    /// The contract; it must be accepted
    contract: String,
    /// The document, JSON; - reads standard input
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Spec,
    Info,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    let (kind, of) = match verb {
        Verb::Spec(of) => (Kind::Spec, of),
        Verb::Info(of) => (Kind::Info, of),
    };
    context
        .online(async |session| match of {
            Of::Propose(args) => propose(kind, args, session, context).await,
            Of::Show { contract } => show(kind, contract, session, context).await,
        })
        .await
}

async fn propose(kind: Kind, args: &ProposeArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let data = data::json(&args.file)?;
    let id = &args.contract;
    let contract = session.service.contract(id).await?;
    if contract.state != ContractState::Accepted {
        let next = match contract.state {
            ContractState::Draft => format!("cgs contract propose {id}"),
            _ => format!("cgs contract vote {id} --accept"),
        };
        return Err(CliError::usage(format!(
            "{id} is {}: only what is accepted can be deployed. First: {next}",
            contract.state
        )));
    }
    let action = match kind {
        Kind::Spec => Action::new("set_deployment_spec", json!({ "contractId": id, "spec": { "data": data } })),
        Kind::Info => Action::new("set_deployment_info", json!({ "contractId": id, "info": { "data": data } })),
    };
    proposal::make(session, context, &[action], args.proposing).await
}

async fn show(kind: Kind, contract: &str, session: &Session, context: &Context) -> Result<(), CliError> {
    let deployment = match kind {
        Kind::Spec => session.service.deployment_spec(contract).await?,
        Kind::Info => session.service.deployment_info(contract).await?,
    };
    Ok(context.output.show(&deployment, || text(kind, contract, &deployment))?)
}

fn text(kind: Kind, contract: &str, deployment: &Deployment) -> String {
    let noun = if kind == Kind::Spec { "spec" } else { "info" };
    let mut text = if deployment.data.as_object().is_some_and(serde_json::Map::is_empty) {
        format!(
            "no deployment {noun} of {contract} is voted\nnext: cgs deployment {noun} propose {contract} --file FILE\n"
        )
    } else {
        serde_json::to_string_pretty(&deployment.data).unwrap_or_default() + "\n"
    };
    for id in &deployment.proposal_ids {
        text += &format!("\nproposed: cgs proposal show {}\n", short(id));
    }
    text
}
