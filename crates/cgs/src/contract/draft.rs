use client::ClientError;
use serde_json::{Value, json};

use super::{CreateArgs, UpdateArgs};
use crate::{
    context::{Context, Session},
    diff,
    error::CliError,
};

pub(super) async fn create(args: &CreateArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let data = args.source.read()?;
    match session.service.put_contract(&args.id, &data, None).await {
        Err(ClientError::Refused { status: 409, .. }) => Err(CliError::Conflict(format!(
            "there is a contract {0} already. Read it with `cgs contract show {0}`, change it with `cgs contract update {0}`",
            args.id
        ))),
        written => print(&args.id, &written?.to_string(), context),
    }
}

pub(super) async fn update(args: &UpdateArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let data = args.source.read()?;
    match session.service.put_contract(&args.id, &data, Some(&args.version)).await {
        Err(ClientError::Refused { status: 412, .. }) => Err(explain_conflict(args, &data, session).await?),
        written => print(&args.id, &written?.to_string(), context),
    }
}

/// What somebody else made of the draft meanwhile, next to what this update would make of it.
async fn explain_conflict(args: &UpdateArgs, mine: &Value, session: &Session) -> Result<CliError, CliError> {
    let (id, base) = (&args.id, &args.version);
    let current = session.service.contract(id).await?;
    let name = format!("{id}, version {}", current.version);
    let difference = diff::documents(&name, &args.source.file.display().to_string(), &current.data, mine)
        .map_err(|why| CliError::usage(why.to_string()))?;
    Ok(CliError::Conflict(format!(
        "{id} was changed since version {base}; nothing was written. What your file would undo or change:\n\n{difference}\n\
         Take over what you want to keep, then: cgs contract update {id} --file {} --version {}",
        args.source.file.display(),
        current.version
    )))
}

fn print(id: &str, version: &str, context: &Context) -> Result<(), CliError> {
    let value = json!({ "id": id, "version": version });
    Ok(context.output.show(&value, || {
        format!("{id} is written, version {version}\nnext: cgs contract propose {id} --version {version}")
    })?)
}
