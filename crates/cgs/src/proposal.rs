//! `cgs proposal`

mod create;
mod effect;
mod inbox;
mod outcome;
mod show;

pub(crate) use outcome::{Proposing, make, propose, settle};

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
    Show(ShowArgs),
    Vote(VoteArgs),
    /// Take back a proposal of mine
    Withdraw(One),
    Create(create::Args),
}

/// Which proposal.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The id, or the beginning of it
    id: String,
}

/// Show one proposal: its text, who has voted, and what it would do
///
/// First comes what the proposer signed, action by action. For an open proposal the
/// service then works out what would happen if it were accepted now: which records would
/// change and how, what the service would do besides, and whose agreement is missing. The
/// service could lie about that, the signed text it cannot change: where they differ,
/// believe the text.
///
///   cgs proposal show 4f2a91
///   cgs proposal show 4f2a91 --output json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    one: One,
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

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| match verb {
            Verb::List => inbox::run(session, context).await,
            Verb::Show(args) => show::run(&find(session, &args.one.id).await?, session, context).await,
            Verb::Vote(args) => vote(args, session, context).await,
            Verb::Withdraw(one) => withdraw(one, session, context).await,
            Verb::Create(args) => create::run(args, session, context).await,
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
