//! What members do, at random.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use suites::action;

use crate::{
    Result,
    actions::arguments,
    ballots::YES,
    world::{Open, World},
};

/// Proposals that are open at the same time before some are withdrawn.
const MANY_OPEN: usize = 10;

impl World {
    /// Some more decisions.
    pub async fn go_on(&mut self, decisions: usize) -> Result<()> {
        let until = self.told.decisions + decisions;
        while self.told.decisions < until {
            self.step().await?;
        }
        Ok(())
    }

    /// Votes until the service is open: not every constitution is easily convinced.
    pub async fn open(&mut self) -> Result<()> {
        let threshold = action("set_recovery_threshold", &json!({"recovery_threshold": 1}));
        for _ in 0..20 {
            let opening = json!({"next_service_identity": self.service_certificate});
            self.pass(&[threshold.clone(), action("transition_service_to_open", &opening)]).await?;
            if self.is_open {
                return Ok(());
            }
            self.go_on(1).await?;
        }
        Err("nobody could open the service".into())
    }

    /// Votes until another constitution is accepted.
    pub async fn change_the_rules(&mut self) -> Result<()> {
        for _ in 0..20 {
            let constitution = json!({"constitution": self.another_constitution()});
            self.pass(&[action("set_constitution", &constitution)]).await?;
            if self.told.accepted.contains("set_constitution") {
                return Ok(());
            }
            self.go_on(1).await?;
        }
        Err("nobody could change the constitution".into())
    }

    async fn step(&mut self) -> Result<()> {
        match self.dice.below(100) {
            0..50 => self.propose_something().await?,
            50..71 => self.vote_somehow().await?,
            71..75 => self.wait_for_a_newcomer().await?,
            75..78 => self.withdraw_something().await?,
            78..84 => self.vote_again().await?,
            84..92 => self.activate_somebody().await?,
            _ => self.push_something().await?,
        }
        if self.open.len() > MANY_OPEN {
            self.withdraw_something().await?;
        }
        self.look_around().await
    }

    // ---- What members do ----

    async fn propose_something(&mut self) -> Result<()> {
        let Some(proposer) = self.active_member() else { return self.activate_somebody().await };
        let count = *self.dice.pick(&[1, 1, 1, 1, 2, 3]);
        let names: Vec<String> = (0..count).map(|_| self.names.draw(&mut self.dice)).collect();
        let pushed = self.dice.chance(70);
        if let Some(id) = self.propose(&proposer, &names).await?
            && pushed
        {
            self.push(&id).await?;
        }
        Ok(())
    }

    /// Proposes actions with arguments of chance; the id if it is open.
    pub async fn propose(&mut self, proposer: &str, names: &[String]) -> Result<Option<String>> {
        let mut actions = Vec::new();
        for name in names {
            let arguments = arguments(self, name)?;
            actions.push(action(name, &arguments));
        }
        self.propose_actions(proposer, &actions).await
    }

    async fn propose_actions(&mut self, proposer: &str, actions: &[Value]) -> Result<Option<String>> {
        let names: Vec<String> = actions.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect();
        let payload = json!({"actions": actions}).to_string();
        let answer = self.request(proposer, "proposal", None, &payload).await?;
        let Some(state) = self.took(answer)? else { return Ok(None) };
        self.told.proposed.extend(names.iter().cloned());
        let contracts = actions.iter().filter(|one| one["name"] == "set_contract");
        let contracts = contracts.filter_map(|one| one["args"]["contractId"].as_str().map(str::to_owned)).collect();
        let id = state["proposalId"].as_str().unwrap_or_default().to_owned();
        self.open.push(Open {
            id: id.clone(),
            proposer: proposer.to_owned(),
            ballots: BTreeMap::new(),
            names: names.to_vec(),
            contracts,
        });
        self.follow(&state);
        Ok(self.open.iter().any(|open| open.id == id).then_some(id))
    }

    /// Everybody who is active votes for a proposal until it is decided.
    pub async fn push(&mut self, id: &str) -> Result<()> {
        for member in self.active_members() {
            if !self.open.iter().any(|open| open.id == id) {
                break;
            }
            let ballot = if self.dice.chance(4) { self.ballots.draw(&mut self.dice) } else { YES.to_owned() };
            self.vote(id, &member, &ballot).await?;
        }
        Ok(())
    }

    /// One proposal is taken back, and another one is rejected although one of its ballots fails.
    pub async fn disagree(&mut self) -> Result<()> {
        let founders = self.founders();
        let document = arguments(self, "set_member_document")?;
        let document = [action("set_member_document", &document)];
        if let Some(id) = self.propose_actions(&founders[0], &document).await? {
            self.withdraw(&id, &founders[0]).await?;
        }
        if let Some(id) = self.propose_actions(&founders[0], &document).await? {
            self.vote(&id, &founders[1], "export function vote() { throw new Error('undecided') }").await?;
            self.vote(&id, &founders[2], "export function vote() { return false }").await?;
        }
        Ok(())
    }

    /// A contract that all agree on waits for a member who has to confirm the state again, and is accepted when it does
    /// (D20).
    pub async fn wait_for_a_member(&mut self, late: &str) -> Result<()> {
        let contract = arguments(self, "set_contract")?;
        let others: Vec<String> = self.active_members().into_iter().filter(|member| member != late).collect();
        let Some((last, others)) = others.split_last() else { return Ok(()) };
        let waiting = self.propose_actions(last, &[action("set_contract", &contract)]).await?;
        let Some(waiting) = waiting else { return Ok(()) };
        for member in others.iter().map(String::as_str).chain([late]) {
            self.vote(&waiting, member, YES).await?;
        }
        let cert = std::fs::read_to_string(&self.known[late].certificate_file)?;
        self.pass(&[action("set_member", &json!({"cert": cert}))]).await?;
        self.vote(&waiting, last, YES).await?;
        self.acknowledge(late).await
    }

    /// A contract that all agree on waits for somebody who was invited. It is still open when that one is active, or
    /// accepted when somebody votes again after that one was removed.
    pub async fn wait_for_a_newcomer(&mut self) -> Result<()> {
        let newcomer = self.newcomer_with(&json!({}))?;
        let id = crypto::Certificate::from_pem(newcomer["cert"].as_str().unwrap_or_default())?.id();
        self.pass(&[action("set_member", &newcomer)]).await?;
        let contract = arguments(self, "set_contract")?;
        let waiting = self.pass(&[action("set_contract", &contract)]).await?;
        if self.dice.chance(60) {
            for member in self.with_status("Accepted") {
                self.acknowledge(&member).await?;
            }
            return Ok(());
        }
        self.pass(&[action("remove_member", &json!({"member_id": id}))]).await?;
        let voted = self.open.iter().find(|open| waiting.as_ref() == Some(&open.id));
        match voted.and_then(|open| Some((open.id.clone(), open.ballots.iter().next()?))) {
            Some((waiting, (member, ballot))) => {
                let (member, ballot) = (member.clone(), ballot.clone());
                self.vote(&waiting, &member, &ballot).await
            }
            None => Ok(()),
        }
    }

    /// Proposes as anybody, and everybody agrees; the id if it is open even then.
    pub async fn pass(&mut self, actions: &[Value]) -> Result<Option<String>> {
        let Some(proposer) = self.active_member() else { return Ok(None) };
        let Some(id) = self.propose_actions(&proposer, actions).await? else { return Ok(None) };
        for member in self.active_members() {
            if self.open.iter().any(|open| open.id == id) {
                self.vote(&id, &member, YES).await?;
            }
        }
        self.look_around().await?;
        Ok(self.open.iter().any(|open| open.id == id).then_some(id))
    }

    async fn push_something(&mut self) -> Result<()> {
        match self.some_open() {
            Some((id, _)) => self.push(&id).await,
            None => Ok(()),
        }
    }

    async fn vote_somehow(&mut self) -> Result<()> {
        let (Some((id, _)), Some(member)) = (self.some_open(), self.active_member()) else { return Ok(()) };
        let ballot = self.ballots.draw(&mut self.dice);
        self.vote(&id, &member, &ballot).await
    }

    async fn vote_again(&mut self) -> Result<()> {
        let Some((id, _)) = self.some_open() else { return Ok(()) };
        let ballots = self.open.iter().find(|open| open.id == id).map(|open| open.ballots.clone()).unwrap_or_default();
        let earlier = self.by_name(ballots.keys().filter(|member| self.is_active(member)).cloned().collect());
        if earlier.is_empty() {
            return Ok(());
        }
        let member = self.dice.pick(&earlier).clone();
        self.vote(&id, &member, &ballots[&member]).await
    }

    async fn vote(&mut self, id: &str, member: &str, ballot: &str) -> Result<()> {
        let payload = json!({"ballot": ballot}).to_string();
        let answer = self.request(member, "ballot", Some(id), &payload).await?;
        let refused_as_closed =
            answer.status == 400 && String::from_utf8_lossy(&answer.body).contains("ProposalNotOpen");
        if refused_as_closed {
            self.open.retain(|open| open.id != id);
        }
        if let Some(state) = self.took(answer)? {
            let open = self.open.iter_mut().find(|open| open.id == id);
            open.map(|open| open.ballots.entry(member.to_owned()).or_insert_with(|| ballot.to_owned()));
            self.follow(&state);
        }
        Ok(())
    }

    async fn withdraw_something(&mut self) -> Result<()> {
        let Some((id, proposer)) = self.some_open().filter(|(_, proposer)| self.is_active(proposer)) else {
            return Ok(());
        };
        self.withdraw(&id, &proposer).await
    }

    async fn withdraw(&mut self, id: &str, proposer: &str) -> Result<()> {
        let answer = self.request(proposer, "withdrawal", Some(id), "").await?;
        if let Some(state) = self.took(answer)? {
            self.follow(&state);
        }
        Ok(())
    }

    async fn activate_somebody(&mut self) -> Result<()> {
        let waiting: Vec<String> = self.with_status("Accepted");
        if waiting.is_empty() {
            return Ok(());
        }
        let member = self.dice.pick(&waiting).clone();
        self.acknowledge(&member).await
    }

    /// A member signs the state digest.
    pub async fn acknowledge(&mut self, member: &str) -> Result<()> {
        let digest = self.request(member, "state_digest", None, "").await?.expect_status(200)?;
        let digest = String::from_utf8(digest.body.to_vec())?;
        self.request(member, "ack", None, &digest).await?.expect_status(204)?;
        self.look_around().await
    }
}
