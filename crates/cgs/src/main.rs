//! Clean Room Governance Service: the command line. Argument parsing and printing, nothing else.
//!
//! The way of a command: [`args`] parses it, [`context`] opens the profile and its service, one module per noun does it,
//! [`output`] prints it, [`exit`] says how it ended.

mod args;
mod attestation;
mod ca_bundle;
mod completions;
mod context;
mod contract;
mod data;
mod demo;
mod deployment;
mod diff;
mod error;
mod exit;
mod ids;
mod jwt_issuer;
mod ledger;
mod login;
mod member;
mod node;
mod output;
mod people;
mod profile;
mod proposal;
mod receipt;
mod rules;
mod service;
mod user;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use context::Context;
use error::CliError;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::ScriptHost) {
        return constitution::script_host_main();
    }
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(text) = error.to_show() {
                eprintln!("cgs: {}", output::visible(&text));
            }
            error.exit().into()
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let context = Context::new(cli.global)?;
    match cli.command {
        Command::ScriptHost => Ok(()),
        Command::Node(args) if !args.is_online() => node::run(&args, &context),
        Command::Ledger(verb) => ledger::run(&verb, &context),
        Command::Attestation(verb) => attestation::run(&verb, &context),
        Command::Completions(args) => completions::run(&args, Cli::command(), &context),
        Command::Profile(verb) => profile::run(&verb, &context),
        online => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(run_online(online, &context))
        }
    }
}

async fn run_online(command: Command, context: &Context) -> Result<(), CliError> {
    match command {
        Command::Login(args) => login::run(&args, context).await,
        Command::Member(verb) => member::run(&verb, context).await,
        Command::Contract(verb) => contract::run(&verb, context).await,
        Command::Proposal(verb) => proposal::run(&verb, context).await,
        Command::Service(verb) => service::run(&verb, context).await,
        Command::Receipt(verb) => receipt::run(&verb, context).await,
        Command::Node(args) => node::run_online(&args, context).await,
        Command::Deployment(verb) => deployment::run(&verb, context).await,
        Command::User(verb) => user::run(&verb, context).await,
        Command::JwtIssuer(verb) => jwt_issuer::run(&verb, context).await,
        Command::CaBundle(verb) => ca_bundle::run(&verb, context).await,
        Command::Constitution(verb) => rules::run(&verb, context).await,
        Command::Demo(args) => demo::run(&args, context).await,
        Command::ScriptHost
        | Command::Ledger(_)
        | Command::Attestation(_)
        | Command::Completions(_)
        | Command::Profile(_) => Ok(()),
    }
}
