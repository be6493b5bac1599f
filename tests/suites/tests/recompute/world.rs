//! A consortium that decides at random.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use suites::{API_VERSION, Answer, Api, Dice, KeyFolder, Member, Node};

use crate::{Result, ballots, deck::Deck, rules};

/// When the first request is made; each is some seconds after the one before.
const BEGINNING: i64 = 1_700_000_000;
/// How often a request is sent again to a node that is too busy, and after how long.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);
/// Members beside the founders.
const MOST_NEWCOMERS: usize = 4;

/// Everything about one history.
pub struct World {
    pub dice: Dice,
    pub service_certificate: String,
    pub is_open: bool,
    pub node_id: String,
    pub keys: KeyFolder,
    pub api: Api,
    pub clock: i64,
    pub shipped: String,
    pub rules: usize,
    /// Whoever was ever a member, or about to be, by id.
    pub known: BTreeMap<String, Member>,
    pub founders: Vec<String>,
    pub statuses: BTreeMap<String, String>,
    pub open: Vec<Open>,
    /// Contracts that were accepted.
    pub contracts: Vec<String>,
    pub names: Deck<String>,
    pub ballots: Deck<String>,
    pub told: Told,
}

/// A proposal that is open.
pub struct Open {
    pub id: String,
    pub proposer: String,
    pub ballots: BTreeMap<String, String>,
    pub names: Vec<String>,
    pub contracts: Vec<String>,
}

/// What happened.
#[derive(Default)]
pub struct Told {
    /// Requests that decided something, or at least were taken.
    pub decisions: usize,
    pub refused: usize,
    pub states: BTreeMap<String, usize>,
    pub proposed: BTreeSet<String>,
    pub accepted: BTreeSet<String>,
    pub actions: Vec<String>,
}

impl World {
    /// A service with three members, not yet active.
    pub async fn found(dice: Dice, keys: KeyFolder, node: &Node) -> Result<Self> {
        let api = node.api(None)?;
        let shipped = api.get(&format!("/gov/service/constitution?{API_VERSION}")).await?.body;
        let shipped = String::from_utf8(shipped.to_vec())?;
        let nodes = api.get(&format!("/gov/service/nodes?{API_VERSION}")).await?.json()?;
        let known: BTreeMap<_, _> = keys.members()?.into_iter().map(|member| (member.id.clone(), member)).collect();
        let actions = names_of_actions(&shipped);
        let mut world = Self {
            dice,
            service_certificate: String::new(),
            is_open: false,
            node_id: nodes["value"][0]["nodeId"].as_str().unwrap_or_default().to_owned(),
            keys,
            api,
            clock: BEGINNING,
            shipped,
            rules: 0,
            founders: known.keys().cloned().collect(),
            known,
            statuses: BTreeMap::new(),
            open: Vec::new(),
            contracts: Vec::new(),
            names: Deck::new(actions.clone()),
            ballots: Deck::new(ballots::all()),
            told: Told { actions, ..Told::default() },
        };
        world.look_around().await?;
        Ok(world)
    }

    /// Talks to the node again after a restart.
    pub fn reconnect(&mut self, node: &Node) -> Result<()> {
        self.api = node.api(None)?;
        Ok(())
    }

    pub async fn request(&mut self, member: &str, kind: &str, proposal: Option<&str>, payload: &str) -> Result<Answer> {
        self.clock += i64::try_from(self.dice.below(4))?;
        let message = self.known[member].sign_at(self.clock, kind, proposal, payload.as_bytes())?;
        let proposal = proposal.unwrap_or_default();
        let path = match kind {
            "proposal" => "proposals:create".to_owned(),
            "ballot" => format!("proposals/{proposal}/ballots/{member}:submit"),
            "withdrawal" => format!("proposals/{proposal}:withdraw"),
            "state_digest" => format!("state-digests/{member}:update"),
            _ => format!("state-digests/{member}:ack"),
        };
        let path = format!("/gov/members/{path}?{API_VERSION}");
        // A machine that is too busy for scripts decides nothing, and says so.
        for _ in 0..TRIES {
            let answer = self.api.post_signed(&path, message.clone()).await?;
            if answer.status != 503 {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.api.post_signed(&path, message).await
    }

    /// The state of the proposal, if the request was taken; it may be refused, but the service must not fail.
    pub fn took(&mut self, answer: Answer) -> Result<Option<Value>> {
        match answer.status {
            200 => {
                self.told.decisions += 1;
                Ok(Some(answer.json()?))
            }
            400 | 401 | 403 | 404 => {
                self.told.refused += 1;
                Ok(None)
            }
            _ => answer.expect_status(200).map(|_| None),
        }
    }

    pub fn follow(&mut self, state: &Value) {
        let now = state["proposalState"].as_str().unwrap_or_default();
        *self.told.states.entry(now.to_owned()).or_default() += 1;
        if now == "Open" {
            return;
        }
        let (closed, open) =
            std::mem::take(&mut self.open).into_iter().partition(|one| state["proposalId"] == one.id.as_str());
        self.open = open;
        for one in Vec::<Open>::into_iter(closed).filter(|_| now == "Accepted") {
            self.told.accepted.extend(one.names);
            self.contracts.extend(one.contracts);
        }
    }

    /// Who is a member, which proposals are open, and how the service is.
    pub async fn look_around(&mut self) -> Result<()> {
        let members = self.api.get(&format!("/gov/service/members?{API_VERSION}")).await?.json()?;
        let members = members["value"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.statuses = members.iter().map(|one| (text(&one["memberId"]), text(&one["status"]))).collect();
        let proposals = self.api.get(&format!("/gov/members/proposals?{API_VERSION}")).await?.json()?;
        let proposals = proposals["value"].as_array().cloned().unwrap_or_default();
        let open: BTreeSet<String> =
            proposals.iter().filter(|one| one["proposalState"] == "Open").map(|one| text(&one["proposalId"])).collect();
        self.open.retain(|one| open.contains(&one.id));
        let info = self.api.get(&format!("/gov/service/info?{API_VERSION}")).await?.json()?;
        self.service_certificate = text(&info["certificate"]);
        self.is_open = info["status"] == "Open";
        Ok(())
    }

    // ---- Who and what there is ----

    /// A contract that was accepted, if there is one and it is not a rare occasion.
    pub fn accepted_contract(&mut self) -> String {
        match self.contracts.as_slice() {
            [] => self.new_contract(),
            _ if self.dice.chance(5) => self.new_contract(),
            contracts => self.dice.pick(contracts).clone(),
        }
    }

    /// A contract that is likely not decided yet.
    pub fn new_contract(&mut self) -> String {
        format!("c{}", self.dice.below(60))
    }

    /// The members that the service began with.
    pub fn founders(&self) -> Vec<String> {
        self.by_name(self.founders.clone())
    }

    pub fn with_status(&self, status: &str) -> Vec<String> {
        self.by_name(self.statuses.iter().filter(|(_, one)| *one == status).map(|(id, _)| id.clone()).collect())
    }

    /// In an order that the same seed repeats: ids are of chance.
    pub fn by_name(&self, mut members: Vec<String>) -> Vec<String> {
        members.sort_by_key(|id| self.known.get(id).map(|member| &member.name));
        members
    }

    pub fn active_members(&self) -> Vec<String> {
        self.with_status("Active")
    }

    pub fn active_member(&mut self) -> Option<String> {
        let active = self.active_members();
        (!active.is_empty()).then(|| self.dice.pick(&active).clone())
    }

    pub fn is_active(&self, member: &str) -> bool {
        self.has_status(member, "Active")
    }

    pub fn has_status(&self, member: &str, status: &str) -> bool {
        self.statuses.get(member).is_some_and(|one| one == status)
    }

    pub fn some_open(&mut self) -> Option<(String, String)> {
        if self.open.is_empty() {
            return None;
        }
        let open = self.dice.pick(&self.open);
        Some((open.id.clone(), open.proposer.clone()))
    }

    /// A member other than a founder, or nobody known; the first founder, who could recover the service, only if
    /// `founder_too` and rarely.
    pub fn somebody(&mut self, founder_too: bool) -> String {
        if founder_too && self.dice.chance(5) {
            return self.founders()[0].clone();
        }
        let choices = self.statuses.keys().filter(|id| !self.founders.contains(id)).cloned().collect();
        let choices = self.by_name(choices);
        if choices.is_empty() || self.dice.chance(10) { "cd".repeat(32) } else { self.dice.pick(&choices).clone() }
    }

    /// Data that gives a member a role, or none.
    pub fn roles(&mut self) -> Value {
        let choices = [
            json!({}),
            json!({"isOperator": true}),
            json!({"isRecoveryOperator": true}),
            json!({"cgsRoles": {"cgsOperator": "true"}}),
            json!({"cgsRoles": {"contractOperator": "true"}}),
        ];
        self.dice.pick(&choices).clone()
    }

    /// Arguments for a new member, or for one that was there before.
    pub fn newcomer(&mut self) -> Result<Value> {
        let roles = self.roles();
        self.newcomer_with(&roles)
    }

    pub fn newcomer_with(&mut self, data: &Value) -> Result<Value> {
        let others = self.known.keys().filter(|id| !self.founders.contains(id)).cloned().collect();
        let others = self.by_name(others);
        let again = others.len() >= MOST_NEWCOMERS || (!others.is_empty() && self.dice.chance(20));
        let id = if again { self.dice.pick(&others).clone() } else { self.create(others.len())? };
        let cert = std::fs::read_to_string(&self.known[&id].certificate_file)?;
        let mut arguments = json!({"cert": cert, "member_data": data});
        if self.dice.chance(40) {
            let key = std::fs::read_to_string(self.keys.path().join("member0_enc_pubk.pem"))?;
            arguments["encryption_pub_key"] = key.into();
            arguments["recovery_role"] = (*self.dice.pick(&["Participant", "Owner", "NonParticipant"])).into();
        }
        Ok(arguments)
    }

    fn create(&mut self, number: usize) -> Result<String> {
        let member = Member::create(self.keys.path(), &format!("newcomer{number}"))?;
        let id = member.id.clone();
        self.known.insert(id.clone(), member);
        Ok(id)
    }

    /// One of a few certificates that are no members'.
    pub fn certificate(&mut self, number: u64) -> Result<String> {
        let name = format!("other{number}");
        let file = self.keys.path().join(format!("{name}_cert.pem"));
        if !file.exists() {
            Member::create(self.keys.path(), &name)?;
        }
        Ok(std::fs::read_to_string(file)?)
    }

    pub fn certificate_der(&mut self, number: u64) -> Result<String> {
        let pem = self.certificate(number)?;
        Ok(pem.lines().filter(|line| !line.starts_with('-')).collect())
    }

    pub fn user_id(&mut self, number: u64) -> Result<String> {
        Ok(crypto::Certificate::from_pem(&self.certificate(number)?)?.id())
    }

    /// The shipped constitution every other time, and all others in turn.
    pub fn another_constitution(&mut self) -> String {
        self.rules += 1;
        if self.rules.is_multiple_of(2) { self.shipped.clone() } else { rules::changed(&self.shipped, self.rules / 2) }
    }
}

/// The actions of a constitution, as its list names them.
fn names_of_actions(constitution: &str) -> Vec<String> {
    let list = constitution.split_once("const ACTIONS = new Map([").map_or("", |(_, list)| list);
    let list = list.split_once("]);").map_or("", |(list, _)| list);
    list.split("[\"").skip(1).filter_map(|item| item.split('"').next()).map(str::to_owned).collect()
}
