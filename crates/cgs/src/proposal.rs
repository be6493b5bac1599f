//! `cgs proposal`

mod inbox;
mod outcome;
mod show;

pub(crate) use outcome::{make, settle};

use std::path::PathBuf;

use client::{Ballot, Proposal};

use crate::{
    context::{Context, Session},
    data,
    error::CliError,
};

/// What can be done with proposals.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show all proposals; what awaits my vote comes first
    List,
    /// Show one proposal: what it would do, and who has voted
    Show(One),
    Vote(VoteArgs),
    /// Take back a proposal of mine
    Withdraw(One),
    Create(CreateArgs),
}

/// Which proposal.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The id, or the beginning of it
    id: String,
}

/// Vote on a proposal
///
///   cgs proposal show 4f2a91
///   cgs proposal vote 4f2a91 --accept
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VoteArgs {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    vote: Vote,
}

/// Yes, no, or it depends.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Vote {
    /// Vote yes
    #[arg(long)]
    accept: bool,
    /// Vote no
    #[arg(long)]
    reject: bool,
    /// Vote by a script that exports vote(proposal, proposerId)
    #[arg(long, value_name = "FILE")]
    ballot: Option<PathBuf>,
}

/// Yes or no.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Choice {
    /// Vote yes
    #[arg(long)]
    accept: bool,
    /// Vote no
    #[arg(long)]
    reject: bool,
}

impl Vote {
    fn ballot(&self) -> Result<Ballot, CliError> {
        match &self.ballot {
            Some(file) => Ok(Ballot::from_script(data::text(file)?)),
            None => Ok(yes_or_no(self.accept)),
        }
    }
}

impl Choice {
    /// The ballot for it.
    pub(crate) fn ballot(&self) -> Ballot {
        yes_or_no(self.accept && !self.reject)
    }
}

fn yes_or_no(yes: bool) -> Ballot {
    if yes { Ballot::Accept } else { Ballot::Reject }
}

/// Make a proposal from a file
///
/// The file is {"actions": [{"name": ..., "args": {...}}]}; what actions there are, the
/// constitution says.
///
///   cgs proposal create proposal.json --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CreateArgs {
    /// The proposal, JSON; - reads standard input
    file: PathBuf,
    /// Vote for it at once
    #[arg(long)]
    vote: bool,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| match verb {
            Verb::List => inbox::run(session, context).await,
            Verb::Show(one) => show::run(&find(session, &one.id).await?, session, context).await,
            Verb::Vote(args) => vote(args, session, context).await,
            Verb::Withdraw(one) => withdraw(one, session, context).await,
            Verb::Create(args) => create(args, session, context).await,
        })
        .await
}

async fn vote(args: &VoteArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let proposal = find(session, &args.one.id).await?;
    let after = session.service.vote(&proposal.id, &args.vote.ballot()?).await?;
    settle(session, after).await?.print(context)
}

async fn withdraw(one: &One, session: &Session, context: &Context) -> Result<(), CliError> {
    let proposal = find(session, &one.id).await?;
    let after = session.service.withdraw(&proposal.id).await?;
    settle(session, after).await?.print(context)
}

async fn create(args: &CreateArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let text = data::text(&args.file)?;
    serde_json::from_str::<serde_json::Value>(&text)
        .map_err(|why| CliError::usage(format!("{} is not JSON: {why}", args.file.display())))?;
    let made = session.service.propose_text(&text).await?;
    outcome::vote_and_print(session, context, made, args.vote).await
}

/// The proposal that somebody means by an id or its beginning.
pub(crate) async fn find(session: &Session, id: &str) -> Result<Proposal, CliError> {
    let id = id.to_ascii_lowercase();
    if id.len() == 64 {
        return Ok(session.service.proposal(&id).await?);
    }
    if id.len() < 4 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(CliError::usage(format!("{id:?} is not the id of a proposal, or at least four digits of it")));
    }
    let all = session.service.proposals().await?;
    let mut found = all.into_iter().filter(|proposal| proposal.id.starts_with(&id));
    match (found.next(), found.next()) {
        (Some(proposal), None) => Ok(proposal),
        (Some(_), Some(_)) => Err(CliError::usage(format!("{id} begins more than one proposal: write more digits"))),
        (None, _) => {
            Err(CliError::usage(format!("there is no proposal {id}: `cgs proposal list` shows what there is")))
        }
    }
}
