use client::{Action, Ballot, Proposal};
use serde_json::json;

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

/// Makes a proposal, votes for it if wished, and prints what became of it.
pub(crate) async fn make(session: &Session, context: &Context, actions: &[Action], vote: bool) -> Result<(), CliError> {
    let made = session.service.propose(actions).await?;
    vote_and_print(session, context, made, vote).await
}

pub(super) async fn vote_and_print(
    session: &Session,
    context: &Context,
    made: Proposal,
    vote: bool,
) -> Result<(), CliError> {
    let after = if vote && made.is_open() { session.service.vote(&made.id, &Ballot::Accept).await? } else { made };
    settle(session, after).await?.print(context)
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
        let value = json!({ "proposal": self.proposal, "waitingFor": self.waiting_for });
        Ok(context.output.show(&value, || self.text())?)
    }

    fn text(&self) -> String {
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
