//! `cgs service`

mod info;
mod open;
pub(crate) mod verify;

use crate::{context::Context, error::CliError};

/// What can be done with the service as a whole.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show what the service is and in which state
    Info,
    Verify(verify::Args),
    /// Propose to open the service, or vote for the proposal that somebody made
    Open,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| match verb {
            Verb::Info => info::run(session, context).await,
            Verb::Verify(args) => verify::run(args, session, context).await,
            Verb::Open => open::run(session, context).await,
        })
        .await
}
