//! `cgs member`

mod activate;
mod add;
mod change;
mod invite;
mod keygen;
mod list;

pub(crate) use keygen::{Made, make};

use clap::Subcommand;

use crate::{context::Context, error::CliError};

/// What can be done with members.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Keygen(keygen::Args),
    /// Show all members and their roles
    List,
    Show(list::ShowArgs),
    Add(add::Args),
    Remove(change::RemoveArgs),
    SetData(change::SetDataArgs),
    Invite(invite::Args),
    Activate(activate::Args),
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::Keygen(args) => keygen::run(args, context),
        Verb::List => list::run(context).await,
        Verb::Show(args) => list::show(args, context).await,
        Verb::Add(args) => add::run(args, context).await,
        Verb::Remove(args) => change::remove(args, context).await,
        Verb::SetData(args) => change::set_data(args, context).await,
        Verb::Invite(args) => invite::run(args, context).await,
        Verb::Activate(args) => activate::run(args, context).await,
    }
}
