use client::{Action, Ballot, Proposal};
use serde_json::json;

use crate::{
    context::{Context, Session},
    error::CliError,
    output::{Table, short},
    people::People,
};

/// Most resolved proposals whose content is looked up for the list.
const MAX_LOOKED_UP: usize = 100;

/// A proposal in the list.
struct Row {
    proposal: Proposal,
    actions: Vec<Action>,
    mine: Option<Ballot>,
    awaits_me: bool,
}

pub(super) async fn run(session: &Session, context: &Context) -> Result<(), CliError> {
    let people = People::new(session.service.members().await?);
    let mut proposals = session.service.proposals().await?;
    proposals.sort_by(|a, b| (!a.is_open(), &a.id).cmp(&(!b.is_open(), &b.id)));
    let mut rows = Vec::new();
    for proposal in proposals {
        rows.push(look_up(session, &people, proposal, rows.len()).await?);
    }
    rows.sort_by_key(|row| (!row.awaits_me, !row.proposal.is_open()));
    let value: Vec<_> = rows
        .iter()
        .map(|row| json!({ "proposal": row.proposal, "actions": row.actions, "awaitsMyVote": row.awaits_me }))
        .collect();
    Ok(context.output.show(&value, || text(&rows, &people))?)
}

async fn look_up(session: &Session, people: &People, proposal: Proposal, number: usize) -> Result<Row, CliError> {
    let wanted = proposal.is_open() || number < MAX_LOOKED_UP;
    let actions = if wanted { session.service.proposal_actions(&proposal.id).await? } else { Vec::new() };
    let me = session.me().filter(|_| proposal.is_open());
    let mine = match me {
        Some(me) => session.service.ballot(&proposal.id, me).await?,
        None => None,
    };
    let may_vote = me.is_some_and(|me| people.iter().any(|member| member.id == me && member.is_active()));
    let awaits_me = may_vote && mine.is_none();
    Ok(Row { proposal, actions, mine, awaits_me })
}

fn text(rows: &[Row], people: &People) -> String {
    if rows.is_empty() {
        return "there are no proposals".into();
    }
    let mut table = Table::new(["PROPOSAL", "WHAT", "BY", "STATE", "VOTES", "I"]);
    for row in rows {
        table.row([
            short(&row.proposal.id).into(),
            summary(&row.actions),
            people.name(&row.proposal.proposer_id).into(),
            row.proposal.state.clone(),
            row.proposal.ballot_count.to_string(),
            stance(row).into(),
        ]);
    }
    let waiting = rows.iter().filter(|row| row.awaits_me).count();
    match rows.iter().find(|row| row.awaits_me) {
        Some(first) => {
            let id = short(&first.proposal.id);
            format!(
                "{table}\n{waiting} await my vote. Read first: cgs proposal show {id}\nthen:  cgs proposal vote {id} --accept | --reject"
            )
        }
        None => table.to_string(),
    }
}

fn stance(row: &Row) -> &'static str {
    match &row.mine {
        Some(Ballot::Accept) => "voted yes",
        Some(Ballot::Reject) => "voted no",
        Some(_) => "voted by script",
        None if row.awaits_me => "MUST VOTE",
        None => "",
    }
}

/// What a proposal would do, in a few words.
fn summary(actions: &[Action]) -> String {
    let words = actions.iter().map(|action| {
        let args = action.args.as_ref();
        let about = ["contractId", "documentId", "member_id", "option"]
            .into_iter()
            .find_map(|key| args?.get(key)?.as_str())
            .or_else(|| args?.get("member_data")?.get("identifier")?.as_str());
        about.map_or_else(|| action.name.clone(), |about| format!("{} {}", action.name, short_about(about)))
    });
    let mut text = words.take(3).collect::<Vec<_>>().join(", ");
    if actions.len() > 3 {
        text += &format!(" and {} more", actions.len() - 3);
    }
    text
}

fn short_about(about: &str) -> &str {
    if about.len() == 64 { short(about) } else { about.get(..40).unwrap_or(about) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_told_in_a_few_words() {
        let action = |name: &str, args| Action::new(name, args);
        let contract = action("set_contract", json!({"contractId": "trial", "contract": {}}));
        let member = action("set_member", json!({"cert": "…", "member_data": {"identifier": "ada"}}));
        let open = action("transition_service_to_open", json!({}));
        assert_eq!(summary(std::slice::from_ref(&contract)), "set_contract trial");
        assert_eq!(
            summary(&[member, open, contract.clone(), contract]),
            "set_member ada, transition_service_to_open, set_contract trial and 1 more"
        );
    }
}
