use client::{Action, Ballot, Proposal};
use serde_json::{Value, json};

use crate::{
    context::{Context, Session},
    error::CliError,
    output::short,
    people::People,
};

/// A proposal after a step, and whose votes it waits for.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) proposal: Proposal,
    pub(crate) waiting_for: Vec<String>,
}

/// How a proposal is made.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Proposing {
    /// Vote for the proposal at once
    #[arg(long)]
    vote: bool,
}

/// Proposes one action to the service of the profile.
pub(crate) async fn propose(context: &Context, action: Action, proposing: Proposing) -> Result<(), CliError> {
    context.online(async |session| make(session, context, &[action], proposing).await).await
}

/// Makes a proposal, votes for it if wished, and prints what became of it.
pub(crate) async fn make(
    session: &Session,
    context: &Context,
    actions: &[Action],
    proposing: Proposing,
) -> Result<(), CliError> {
    let made = session.service.propose(actions).await?;
    proposing.go_on(session, made).await?.print(context)
}

impl Proposing {
    /// Votes for a proposal that was just made, if wished.
    pub(crate) async fn go_on(self, session: &Session, made: Proposal) -> Result<Outcome, CliError> {
        let wanted = self.vote && made.is_open();
        let after = if wanted { session.service.vote(&made.id, &Ballot::Accept).await? } else { made };
        settle(session, after).await
    }
}

/// Finds out whose votes an open proposal waits for.
pub(crate) async fn settle(session: &Session, proposal: Proposal) -> Result<Outcome, CliError> {
    let mut waiting_for = Vec::new();
    if proposal.is_open() {
        let people = People::new(session.service.members().await?);
        for member in people.iter().filter(|member| member.is_counted() && member.is_active()) {
            if session.service.ballot(&proposal.id, &member.id).await?.is_none() {
                waiting_for.push(people.name(&member.id).to_owned());
            }
        }
    }
    Ok(Outcome { proposal, waiting_for })
}

impl Outcome {
    pub(crate) fn print(&self, context: &Context) -> Result<(), CliError> {
        Ok(context.output.show(&self.value(), || self.text())?)
    }

    pub(crate) fn value(&self) -> Value {
        json!({ "proposal": self.proposal, "waitingFor": self.waiting_for })
    }

    pub(crate) fn text(&self) -> String {
        let id = &self.proposal.id;
        let mut text = format!("proposal {id} is {}", self.proposal.state);
        if self.proposal.is_open() {
            text += &match self.waiting_for.as_slice() {
                [] => {
                    "; nobody's vote is missing, so the rules ask for something else (see `cgs proposal show`)".into()
                }
                names => format!("; it waits for the vote of {}", names.join(", ")),
            };
            text += &format!("\nthey vote with: cgs proposal vote {} --accept", short(id));
        }
        if let Some(failure) = &self.proposal.failure {
            text += &format!("\nwhy: {failure}");
        }
        for (member, failure) in self.proposal.vote_failures.iter().flatten() {
            text += &format!("\nthe ballot of {} failed: {failure}", short(member));
        }
        text
    }
}
