//! Walks the table: by questions to the rules for every proposer, and by the way of the service, with proposal, ballots and
//! what is carried out, for an operator and in turn for one of the others.

use serde_json::Value;

use crate::{
    people::people,
    phases::{phases, switch_on},
    questions::{Question, Votes, ask},
    service::{Proposed, Service, in_parallel},
    table::{No, PROPOSERS, Row, Who, fill, rows},
};

/// Some votes, and what is to become of the proposal.
struct Case {
    when: &'static str,
    votes: Votes,
    expected: &'static str,
}

impl Case {
    fn new(when: &'static str, votes: Votes, expected: &'static str) -> Self {
        Self { when, votes, expected }
    }
}

/// One row in one phase.
struct Place<'a> {
    row: &'a Row,
    actions: Value,
    phase: usize,
    service: Service,
}

/// Every row in every phase by every proposer.
pub(crate) fn d32_everybody_has_the_powers_of_the_table() {
    phases();
    let rows = rows();
    let places: Vec<(usize, usize)> = (0..rows.len()).flat_map(|row| (0..4).map(move |phase| (row, phase))).collect();
    let mut findings = in_parallel(&places, |(row, phase)| {
        let place = Place {
            row: &rows[*row],
            actions: fill(&rows[*row].actions, &people().values),
            phase: *phase,
            service: switch_on(&phases()[*phase], &rows[*row].options),
        };
        place.check((row + phase) % 20)
    });
    findings.sort();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

impl Place<'_> {
    /// The findings about this place. `turn` says who else goes the way of the service, if anybody.
    fn check(&self, turn: usize) -> Vec<String> {
        let mut findings = self.answers();
        for (column, proposer) in PROPOSERS.into_iter().enumerate() {
            let who = self.row.who[column][self.phase];
            let checked = match who {
                Who::MayNotPropose | Who::NoSuchProposer => {
                    expect(!self.service.may_propose(proposer, &self.actions), || "may propose".into())
                }
                _ if column == 0 || turn == 4 * column => self.walk(proposer, who),
                _ => Ok(()),
            };
            findings.extend(checked.err().map(|why| self.finding(proposer, who, &why)));
        }
        findings
    }

    fn finding(&self, proposer: &str, who: Who, why: &str) -> String {
        format!("{} [{proposer}, phase {}]: {who:?}, but {why}", self.row.name, self.phase + 1)
    }

    /// What the rules answer to each proposer with each set of votes, where that is not what the table says.
    fn answers(&self) -> Vec<String> {
        let proposers = PROPOSERS.iter().enumerate().map(|(column, name)| (*name, self.row.who[column][self.phase]));
        let each: Vec<_> = proposers.map(|(name, who)| (name, who, self.cases(who))).collect();
        let question = |(proposer, _, cases): &(&'static str, Who, Vec<Case>)| Question {
            actions: &self.actions,
            proposer,
            votes: cases.iter().map(|case| case.votes.clone()).collect(),
            id: None,
        };
        let questions: Vec<Question<'_>> = each.iter().map(question).collect();
        let mut findings = Vec::new();
        for ((proposer, who, cases), answers) in each.iter().zip(ask(&self.service.state, &questions)) {
            for (case, answer) in cases.iter().zip(answers).filter(|(case, answer)| !answer.starts_with(case.expected))
            {
                findings.push(self.finding(proposer, *who, &format!("{}: {}", case.when, first_line(&answer))));
            }
        }
        findings
    }

    /// The votes to try, and what is to become of the proposal.
    fn cases(&self, who: Who) -> Vec<Case> {
        let (uncounted, counted) = (self.service.uncounted(), self.service.active(&["alice", "bob"]));
        let yes =
            |counted: &[&'static str]| -> Votes { uncounted.iter().chain(counted).map(|name| (*name, true)).collect() };
        let all_but_one = yes(&counted[..counted.len().saturating_sub(1)]);
        let against = if self.row.no == No::Ends { "Rejected" } else { "Open" };
        let enough = match who {
            Who::All => !counted.is_empty(),
            _ => counted.len() == 2,
        };
        match who {
            Who::Nobody => vec![Case::new("without votes", Vec::new(), "Accepted")],
            Who::Rejected => vec![
                Case::new("without votes", Vec::new(), "Rejected"),
                Case::new("with all votes", yes(&counted), "Rejected"),
            ],
            Who::Refused => vec![Case::new("when proposed", Vec::new(), "Refused")],
            Who::All | Who::AllAndTheInvited => vec![
                Case::new("without votes", Vec::new(), "Open"),
                Case::new("with a vote against it", vec![("boss", false)], against),
                Case::new("with one vote missing", all_but_one, "Open"),
                Case::new("with all votes", yes(&counted), if enough { "Accepted" } else { "Open" }),
            ],
            Who::MayNotPropose | Who::NoSuchProposer => Vec::new(),
        }
    }

    /// The way of the service.
    fn walk(&self, proposer: &str, who: Who) -> Result<(), String> {
        let mut service = self.service.clone();
        match (service.propose(proposer, &self.actions), who) {
            (Err(error), Who::Refused) => {
                let refused = (error.status, error.code) == (400, "ProposalFailedToValidate");
                expect(refused, || format!("refused otherwise: {error}"))
            }
            (Err(error), _) => Err(format!("refused: {}", first_line(&error.message))),
            (Ok(proposed), Who::Nobody) => self.check_accepted(&proposed),
            (Ok(proposed), Who::Rejected) => expect_state(&proposed, "Rejected"),
            (Ok(proposed), Who::All) => self.walk_all(&mut service, &proposed, false),
            (Ok(proposed), Who::AllAndTheInvited) => self.walk_all(&mut service, &proposed, true),
            (Ok(proposed), _) => Err(format!("{proposed:?}")),
        }
    }

    /// Accepted and carried out, or accepted and not possible where the table says so.
    fn check_accepted(&self, proposed: &Proposed) -> Result<(), String> {
        let state = if self.row.fails.contains(&self.phase) { "Failed" } else { "Accepted" };
        expect_state(proposed, state)
    }

    fn walk_all(&self, service: &mut Service, proposed: &Proposed, invited_too: bool) -> Result<(), String> {
        expect_state(proposed, "Open")?;
        if self.phase == 0 {
            let voters = service.uncounted();
            expect_state(&service.vote_all(&voters, true, &proposed.id), "Open")?;
            activate(service, "alice")?;
        }
        let counted = service.active(&["alice", "bob"]);
        let (last, others) = counted.split_last().ok_or("nobody is counted")?;
        let voters = [&service.uncounted()[..], others].concat();
        service.note_votes(&voters, true, &proposed.id);
        let mut decided = service.accept(last, &proposed.id);
        if invited_too && counted.len() < 2 {
            expect_state(&decided, "Open")?;
            activate(service, "bob")?;
            decided = service.accept("bob", &proposed.id);
        }
        self.check_accepted(&decided)
    }
}

/// Somebody becomes Active who has not voted: that accepts nothing.
fn activate(service: &mut Service, name: &str) -> Result<(), String> {
    let settled = service.activate(name);
    let early = settled.iter().find(|proposed| proposed.state != "Open");
    expect(early.is_none(), || format!("decided as {name} became active, who has not voted: {early:?}"))
}

fn expect_state(proposed: &Proposed, state: &str) -> Result<(), String> {
    let failure = first_line(&proposed.failure);
    expect(proposed.state == state, || format!("{} instead of {state} {failure}", proposed.state))
}

fn expect(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
