use std::path::PathBuf;

use client::Action;
use serde_json::json;

use crate::{
    context::Context,
    data,
    error::CliError,
    people::People,
    proposal::{self, Proposing},
};

/// Propose that a member is one no longer
///
/// Its ballots count no more from then on. If it held a recovery share, the service draws
/// a new ledger secret, which that share does not open.
///
///   cgs member remove birch --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RemoveArgs {
    /// The member: name, id, or the beginning of an id
    who: String,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose what is noted about a member, in place of what is noted now
///
/// The data hold name and roles, so read them first: `cgs member show birch`.
///
///   cgs member set-data birch --data birch.json --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SetDataArgs {
    /// The member: name, id, or the beginning of an id
    who: String,
    /// A JSON object
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

pub(super) async fn remove(args: &RemoveArgs, context: &Context) -> Result<(), CliError> {
    let action = |id: &str| Action::new("remove_member", json!({ "member_id": id }));
    change(context, &args.who, args.proposing, action).await
}

pub(super) async fn set_data(args: &SetDataArgs, context: &Context) -> Result<(), CliError> {
    let data = data::object(&args.data)?;
    let action = |id: &str| Action::new("set_member_data", json!({ "member_id": id, "member_data": data }));
    change(context, &args.who, args.proposing, action).await
}

async fn change(
    context: &Context,
    who: &str,
    proposing: Proposing,
    action: impl FnOnce(&str) -> Action,
) -> Result<(), CliError> {
    context
        .online(async |session| {
            let people = People::new(session.service.members().await?);
            let action = action(&people.find(who)?.id);
            proposal::make(session, context, &[action], proposing).await
        })
        .await
}
