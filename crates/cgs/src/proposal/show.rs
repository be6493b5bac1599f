use client::{Action, Ballot, ClientError, Effect, Proposal};
use serde_json::{Value, json};

use super::effect;
use crate::{
    context::{Context, Session},
    error::CliError,
    output::{Table, one_line, set_in, short},
    people::People,
};

/// What there is to show.
struct Shown<'a> {
    proposal: &'a Proposal,
    actions: Vec<Action>,
    votes: Vec<(String, Option<String>)>,
    /// What it would do, or why that cannot be told; `None` if it is resolved.
    effect: Option<Result<Effect, String>>,
}

pub(super) async fn run(proposal: &Proposal, session: &Session, context: &Context) -> Result<(), CliError> {
    let people = People::new(session.service.members().await?);
    let actions = session.service.proposal_actions(&proposal.id).await?;
    let mut votes = Vec::new();
    for member in people.iter().filter(|member| member.is_active()) {
        votes.push((member.id.clone(), vote(session, proposal, &member.id).await?));
    }
    let effect = if proposal.is_open() { Some(foresee(session, proposal).await?) } else { None };
    let shown = Shown { proposal, actions, votes, effect };
    Ok(context.output.show(&shown.value(), || shown.text(&people, session.me()))?)
}

async fn vote(session: &Session, proposal: &Proposal, member: &str) -> Result<Option<String>, CliError> {
    if let Some(decided) = proposal.final_votes.as_ref().and_then(|votes| votes.get(member)) {
        return Ok(Some(if *decided { "yes" } else { "no" }.to_owned()));
    }
    let ballot = session.service.ballot(&proposal.id, member).await?;
    Ok(ballot.map(|ballot| match ballot {
        Ballot::Accept => "yes".to_owned(),
        Ballot::Reject => "no".to_owned(),
        Ballot::Script(script) => format!("script: {script}"),
    }))
}

/// A service that does not foresee must not keep anybody from reading what it is about.
async fn foresee(session: &Session, proposal: &Proposal) -> Result<Result<Effect, String>, CliError> {
    match session.service.effect(&proposal.id).await {
        Ok(effect) => Ok(Ok(effect)),
        Err(ClientError::Refused { status: 401, .. }) => Ok(Err("the service foresees for members only".into())),
        Err(refused @ ClientError::Refused { .. }) => Ok(Err(refused.to_string())),
        Err(other) => Err(other.into()),
    }
}

impl Shown<'_> {
    fn value(&self) -> Value {
        let votes: Vec<_> = self.votes.iter().map(|(id, vote)| json!({ "memberId": id, "vote": vote })).collect();
        let mut value = json!({ "proposal": self.proposal, "actions": self.actions, "votes": votes });
        if let (Some(effect), Some(members)) = (&self.effect, value.as_object_mut()) {
            match effect {
                Ok(effect) => members.insert("effect".into(), json!(effect)),
                Err(why) => members.insert("effectUnknown".into(), why.as_str().into()),
            };
        }
        value
    }

    fn text(&self, people: &People, me: Option<&str>) -> String {
        let mut text = format!("{}\nSigned by the proposer:\n", self.head(people));
        for action in &self.actions {
            let args = action.args.as_ref().map(|args| serde_json::to_string_pretty(args).unwrap_or_default());
            text += &format!("\n{} {}\n", one_line(&action.name), args.unwrap_or_default());
        }
        match &self.effect {
            None => {}
            Some(Ok(effect)) => text += &format!("\n{}", effect::text(effect, people, me)),
            Some(Err(why)) => text += &format!("\nWhat it would do is not known: {}\n", set_in(why, 2)),
        }
        if self.proposal.is_open() {
            text += &format!("\nvote: cgs proposal vote {} --accept | --reject\n", short(&self.proposal.id));
        }
        text
    }

    fn head(&self, people: &People) -> Table {
        let mut head = Table::pairs();
        head.pair("proposal", &self.proposal.id);
        head.pair("by", people.name(&self.proposal.proposer_id));
        head.pair("state", &self.proposal.state);
        if let Some(failure) = &self.proposal.failure {
            head.pair("failure", failure);
        }
        for (member, vote) in &self.votes {
            head.pair(people.name(member), vote.as_deref().unwrap_or("has not voted"));
        }
        head
    }
}
