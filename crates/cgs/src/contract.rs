//! `cgs contract`

mod draft;
mod read;
mod vote;

use std::path::PathBuf;

use client::ContractState;

use crate::{
    context::Context,
    data::Source,
    error::CliError,
    proposal::{Choice, Proposing},
};

/// What can be done with contracts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show all contracts
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<State>,
    },
    /// Show one contract
    Show {
        /// The contract
        id: String,
        /// Write only its data to a file, to be edited and given to `cgs contract update`
        #[arg(long, short, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    Create(CreateArgs),
    Update(UpdateArgs),
    Propose(ProposeArgs),
    Vote(VoteArgs),
    /// Show how a file differs from the contract as it stands
    Diff {
        /// The contract
        id: String,
        #[command(flatten)]
        source: Source,
    },
}

/// A state to ask for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum State {
    /// Written, not agreed.
    Draft,
    /// Being voted on.
    Proposed,
    /// Agreed.
    Accepted,
}

impl From<State> for ContractState {
    fn from(state: State) -> Self {
        match state {
            State::Draft => Self::Draft,
            State::Proposed => Self::Proposed,
            State::Accepted => Self::Accepted,
        }
    }
}

/// Write a new draft
///
///   cgs contract create trial --file trial.json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CreateArgs {
    /// The name of the contract
    id: String,
    #[command(flatten)]
    source: Source,
}

/// Change a draft that was read before
///
/// Everybody may change a draft. So that nobody's change is lost, say which version yours
/// is based on: if somebody changed the draft meanwhile, the service refuses (exit code 5)
/// and the difference is shown.
///
///   cgs contract show trial --file trial.json     # prints the version, say 2.31
///   cgs contract update trial --file trial.json --version 2.31
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct UpdateArgs {
    /// The contract
    id: String,
    #[command(flatten)]
    source: Source,
    /// The version that the change is based on
    #[arg(long = "version", id = "base", value_name = "VERSION")]
    version: String,
}

/// Propose a draft as it stands
///
///   cgs contract propose trial --version 2.35 --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ProposeArgs {
    /// The contract
    id: String,
    /// Only if it still has this version
    #[arg(long = "version", id = "base", value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    proposing: Proposing,
}

/// Vote on a proposed contract
///
///   cgs contract show trial
///   cgs contract vote trial --accept
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VoteArgs {
    /// The contract
    id: String,
    #[command(flatten)]
    choice: Choice,
    /// Only if it is proposed by this proposal
    #[arg(long, value_name = "ID")]
    proposal: Option<String>,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| match verb {
            Verb::List { state } => read::list(state.map(Into::into), session, context).await,
            Verb::Show { id, file } => read::show(id, file.as_deref(), session, context).await,
            Verb::Diff { id, source } => read::diff(id, source, session, context).await,
            Verb::Create(args) => draft::create(args, session, context).await,
            Verb::Update(args) => draft::update(args, session, context).await,
            Verb::Propose(args) => vote::propose(args, session, context).await,
            Verb::Vote(args) => vote::vote(args, session, context).await,
        })
        .await
}
