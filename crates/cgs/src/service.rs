//! `cgs service`

mod info;
mod open;
pub(crate) mod set;
pub(crate) mod verify;

use client::Action;

use crate::{
    context::Context,
    error::CliError,
    proposal::{self, Proposing},
};

/// What can be done with the service as a whole.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show what the service is and in which state
    Info,
    Verify(verify::Args),
    /// Propose to open the service, or vote for the proposal that somebody made
    Open,
    #[command(subcommand)]
    Set(set::Setting),
    /// Propose a new ledger secret for everything private from then on, and new recovery shares
    #[command(after_help = "Example:\n  cgs service rekey --vote")]
    Rekey(Proposing),
    /// Propose new recovery shares; the old ones become useless
    #[command(after_help = "Example:\n  cgs service refresh-shares --vote")]
    RefreshShares(Proposing),
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::Info => context.online(async |session| info::run(session, context).await).await,
        Verb::Verify(args) => context.online(async |session| verify::run(args, session, context).await).await,
        Verb::Open => context.online(async |session| open::run(session, context).await).await,
        Verb::Set(setting) => set::run(setting, context).await,
        Verb::Rekey(proposing) => trigger("trigger_ledger_rekey", *proposing, context).await,
        Verb::RefreshShares(proposing) => trigger("trigger_recovery_shares_refresh", *proposing, context).await,
    }
}

/// These actions take no arguments.
async fn trigger(name: &str, proposing: Proposing, context: &Context) -> Result<(), CliError> {
    proposal::propose(context, Action { name: name.into(), args: None }, proposing).await
}
