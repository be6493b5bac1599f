//! `cgs user`: users with a certificate.

use std::path::PathBuf;

use client::{Action, User};
use serde_json::{Map, json};

use crate::{
    context::Context,
    data,
    error::CliError,
    ids,
    output::{Table, short},
    proposal::{self, Proposing},
};

/// What can be done with users.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show all users with a certificate
    List,
    Add(AddArgs),
    Remove(RemoveArgs),
    SetData(SetDataArgs),
}

/// Propose a user: whoever proves the key of this certificate may use the application
///
///   cgs user add analyst_cert.pem --data analyst.json --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AddArgs {
    /// The certificate of the user, PEM
    cert: PathBuf,
    /// What to note about the user: a JSON object
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose that a user is one no longer
///
///   cgs user remove 4f2a91 --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RemoveArgs {
    /// The id of the user, or the beginning of it
    id: String,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose what is noted about a user, in place of what is noted now
///
///   cgs user set-data 4f2a91 --data analyst.json --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SetDataArgs {
    /// The id of the user, or the beginning of it
    id: String,
    /// A JSON object
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::List => list(context).await,
        Verb::Add(args) => {
            let mut arguments = Map::new();
            arguments.insert("cert".into(), data::certificate(&args.cert)?.to_pem().into());
            if let Some(file) = &args.data {
                arguments.insert("user_data".into(), data::object(file)?.into());
            }
            proposal::propose(context, Action::new("set_user", arguments.into()), args.proposing).await
        }
        Verb::Remove(args) => {
            change(context, &args.id, args.proposing, |id| Action::new("remove_user", json!({ "user_id": id }))).await
        }
        Verb::SetData(args) => {
            let data = data::object(&args.data)?;
            let action = |id: &str| Action::new("set_user_data", json!({ "user_id": id, "user_data": data }));
            change(context, &args.id, args.proposing, action).await
        }
    }
}

async fn change(
    context: &Context,
    who: &str,
    proposing: Proposing,
    action: impl FnOnce(&str) -> Action,
) -> Result<(), CliError> {
    context
        .online(async |session| {
            let users = session.service.users().await?;
            let id = ids::find("user", "cgs user list", users.iter().map(|user| user.id.as_str()), who)?;
            proposal::make(session, context, &[action(id)], proposing).await
        })
        .await
}

async fn list(context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let users = session.service.users().await?;
            Ok(context.output.show(&users, || table(&users))?)
        })
        .await
}

fn table(users: &[User]) -> String {
    if users.is_empty() {
        return "there are no users with a certificate; propose one: cgs user add CERT".into();
    }
    let mut table = Table::new(["USER", "CERTIFICATE", "DATA"]);
    for user in users {
        let subject = crypto::Certificate::from_pem(&user.certificate).map(|one| one.subject().to_owned());
        let data = if user.data().is_null() { "-".into() } else { user.data().to_string() };
        table.row([short(&user.id).into(), subject.unwrap_or_else(|_| "-".into()), data]);
    }
    table.to_string()
}
