//! What the members do to bring a service to life.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{API_VERSION, Answer, Api, KeyFolder, Member, Node, Result};

const OPEN_LIMIT: Duration = Duration::from_secs(20);
const ACCEPT: &str = "export function vote (proposal, proposerId) { return true }";

/// One action of a proposal.
#[must_use]
pub fn action(name: &str, args: &Value) -> Value {
    json!({"name": name, "args": args})
}

/// Three members who agree on everything.
pub struct Consortium {
    /// Who they are.
    pub members: Vec<Member>,
}

impl Consortium {
    /// The members of a key folder.
    ///
    /// # Errors
    /// As [`KeyFolder::members`].
    pub fn of(keys: &KeyFolder) -> Result<Self> {
        Ok(Self { members: keys.members()? })
    }

    /// The first member, who does what needs only one.
    #[must_use]
    pub fn first(&self) -> &Member {
        &self.members[0]
    }

    /// From Accepted to Active: each member signs the state digest. Repeating it does no harm.
    ///
    /// # Errors
    /// If the service refuses, or does not answer.
    pub async fn activate(&self, api: &Api) -> Result<()> {
        for member in &self.members {
            self.acknowledge(api, member).await?;
        }
        Ok(())
    }

    /// One member signs the state digest.
    ///
    /// # Errors
    /// As [`Self::activate`].
    pub async fn acknowledge(&self, api: &Api, member: &Member) -> Result<Answer> {
        let path = format!("/gov/members/state-digests/{}", member.id);
        let request = member.sign("state_digest", None, b"")?;
        let digest = api.post_signed(&format!("{path}:update?{API_VERSION}"), request).await?.expect_status(200)?;
        let request = member.sign("ack", None, &digest.body)?;
        api.post_signed(&format!("{path}:ack?{API_VERSION}"), request).await?.expect_status(204)
    }

    /// Proposes, as the member of this number.
    ///
    /// # Errors
    /// If the service refuses, or does not answer.
    pub async fn propose(&self, api: &Api, member: usize, actions: &[Value]) -> Result<Answer> {
        let payload = json!({"actions": actions}).to_string();
        let request = self.members[member].sign("proposal", None, payload.as_bytes())?;
        api.post_signed(&format!("/gov/members/proposals:create?{API_VERSION}"), request).await?.expect_status(200)
    }

    /// Votes for a proposal, as the member of this number.
    ///
    /// # Errors
    /// As [`Self::propose`].
    pub async fn accept(&self, api: &Api, member: usize, proposal: &str) -> Result<Answer> {
        let member = &self.members[member];
        let payload = json!({"ballot": ACCEPT}).to_string();
        let request = member.sign("ballot", Some(proposal), payload.as_bytes())?;
        let path = format!("/gov/members/proposals/{proposal}/ballots/{}:submit?{API_VERSION}", member.id);
        api.post_signed(&path, request).await?.expect_status(200)
    }

    /// Proposes and votes until the proposal is accepted; returns its identifier.
    ///
    /// # Errors
    /// As [`Self::propose`], and if all votes do not suffice.
    pub async fn pass(&self, api: &Api, actions: &[Value]) -> Result<String> {
        let mut state = self.propose(api, 0, actions).await?.json()?;
        let proposal = state["proposalId"].as_str().ok_or("the answer names no proposal")?.to_owned();
        for number in 0..self.members.len() {
            if state["proposalState"] != "Open" {
                break;
            }
            state = self.accept(api, number, &proposal).await?.json()?;
        }
        if state["proposalState"] == "Accepted" { Ok(proposal) } else { Err(format!("not accepted: {state}").into()) }
    }

    /// Votes to open the service, and waits until the application answers.
    ///
    /// # Errors
    /// As [`Self::pass`], and if it takes too long.
    pub async fn open(&self, node: &Node) -> Result<()> {
        let api = node.api(None)?;
        let certificate = std::fs::read_to_string(node.service_certificate())?;
        let arguments = json!({"next_service_identity": certificate});
        self.pass(&api, &[action("transition_service_to_open", &arguments)]).await?;
        wait_until_open(&api).await
    }

    /// The whole way from a fresh node to an open service.
    ///
    /// # Errors
    /// As [`Self::activate`] and [`Self::open`].
    pub async fn bring_to_life(&self, node: &Node) -> Result<()> {
        self.activate(&node.api(None)?).await?;
        self.open(node).await
    }
}

async fn wait_until_open(api: &Api) -> Result<()> {
    let asked = Instant::now();
    while asked.elapsed() < OPEN_LIMIT {
        if api.get("/node/ready/app").await?.status == 204 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Err(format!("the application does not answer {OPEN_LIMIT:?} after the vote to open").into())
}
