//! `cgs constitution`: the rules of the consortium.

mod source;

use std::path::PathBuf;

use client::Action;
use serde_json::{Value, json};

use crate::{
    context::{Context, Session},
    diff,
    error::CliError,
    proposal::Proposing,
};

/// What can be done with the constitution.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Show(ShowArgs),
    Diff(DiffArgs),
    Propose(ProposeArgs),
}

/// Show the rules as they were voted
///
///   cgs constitution show
///   cgs constitution show --file constitution.js    # to be edited and proposed
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowArgs {
    /// Write the text to a file instead
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Show how other rules differ from those of the service
///
/// Several files are joined in the order given. A directory is that of the shipped parts,
/// which are joined in their own order.
///
///   cgs constitution diff constitution.js
///   cgs constitution diff constitution/
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct DiffArgs {
    /// A file, several files, or a directory with parts
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Propose other rules
///
/// First they are loaded here, to see that they are a module with the functions validate,
/// resolve and apply. Then the difference and the digest are shown, and the proposal made.
/// Once it is accepted, all other open proposals are dropped.
///
///   cgs constitution propose constitution.js --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ProposeArgs {
    /// A file, several files, or a directory with parts
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    proposing: Proposing,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| match verb {
            Verb::Show(args) => show(args, session, context).await,
            Verb::Diff(args) => difference(args, session, context).await,
            Verb::Propose(args) => propose(args, session, context).await,
        })
        .await
}

/// Hex SHA-256, as `cgs service verify` shows it.
fn digest(text: &str) -> String {
    hex::encode(crypto::sha256(text.as_bytes()))
}

async fn show(args: &ShowArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let text = session.service.constitution().await?;
    let shipped = text == constitution::DEFAULT_CONSTITUTION;
    let Some(file) = &args.file else {
        let value = json!({ "digest": digest(&text), "shipped": shipped, "constitution": text });
        return Ok(context.output.show(&value, || text.clone())?);
    };
    std::fs::write(file, &text).map_err(CliError::file(file))?;
    let value = json!({ "digest": digest(&text), "shipped": shipped, "file": file });
    Ok(context.output.show(&value, || {
        let whose = if shipped { "the shipped ones" } else { "NOT the shipped ones" };
        format!("the rules are in {}; they are {whose}, {}", file.display(), digest(&text))
    })?)
}

async fn difference(args: &DiffArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let new = source::read(&args.paths)?;
    let current = session.service.constitution().await?;
    let difference = between(&current, &new, &args.paths);
    let value = json!({ "equal": current == new, "digest": digest(&new), "diff": difference });
    Ok(context.output.show(&value, || match difference.as_str() {
        "" => format!("no difference: {}", digest(&new)),
        difference => format!("{difference}\ndigest: {}", digest(&new)),
    })?)
}

fn between(current: &str, new: &str, paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    diff::texts("this service", &names.join(" "), current, new)
}

async fn propose(args: &ProposeArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let new = source::read(&args.paths)?;
    source::check(&new)?;
    let current = session.service.constitution().await?;
    if current == new {
        return Err(CliError::usage(format!("these are the rules already, {}: nothing to propose", digest(&new))));
    }
    let difference = between(&current, &new, &args.paths);
    if !context.output.is_json() {
        context.output.show(&(), || format!("{difference}\ndigest: {}\n", digest(&new)))?;
    }
    let made = session.service.propose(&[Action::new("set_constitution", json!({ "constitution": new }))]).await?;
    let outcome = args.proposing.go_on(session, made).await?;
    let mut value = outcome.value();
    if let Some(members) = value.as_object_mut() {
        members.insert("digest".into(), digest(&new).into());
        members.insert("diff".into(), Value::from(difference));
    }
    Ok(context.output.show(&value, || outcome.text())?)
}
