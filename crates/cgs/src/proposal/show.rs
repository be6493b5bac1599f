use client::{Action, Ballot, Proposal};
use serde_json::json;

use crate::{
    context::{Context, Session},
    error::CliError,
    output::{Table, short},
    people::People,
};

pub(super) async fn run(proposal: &Proposal, session: &Session, context: &Context) -> Result<(), CliError> {
    let people = People::new(session.service.members().await?);
    let actions = session.service.proposal_actions(&proposal.id).await?;
    let mut votes = Vec::new();
    for member in people.iter().filter(|member| member.is_active()) {
        votes.push((member.id.clone(), vote(session, proposal, &member.id).await?));
    }
    let value = json!({
        "proposal": proposal,
        "actions": actions,
        "votes": votes.iter().map(|(id, vote)| json!({ "memberId": id, "vote": vote })).collect::<Vec<_>>(),
    });
    Ok(context.output.show(&value, || text(proposal, &actions, &votes, &people))?)
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

fn text(proposal: &Proposal, actions: &[Action], votes: &[(String, Option<String>)], people: &People) -> String {
    let mut head = Table::pairs();
    head.pair("proposal", &proposal.id);
    head.pair("by", people.name(&proposal.proposer_id));
    head.pair("state", &proposal.state);
    if let Some(failure) = &proposal.failure {
        head.pair("failure", failure);
    }
    for (member, vote) in votes {
        head.pair(people.name(member), vote.as_deref().unwrap_or("has not voted"));
    }
    let mut text = head.to_string();
    for action in actions {
        let args = action.args.as_ref().map(|args| serde_json::to_string_pretty(args).unwrap_or_default());
        text += &format!("\n{} {}\n", action.name, args.unwrap_or_default());
    }
    if proposal.is_open() {
        text += &format!("\nvote: cgs proposal vote {} --accept | --reject\n", short(&proposal.id));
    }
    text
}
