//! `/gov`: members, proposals, votes.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Action, Answer, Body, ClientError, Member, Proposal, Result, Service, ServiceInfo};

/// The version of the governance API that is spoken.
pub const API_VERSION: &str = "api-version=2024-07-01";

/// What a member votes. The texts of the first two are those of the usual tools, which recognise votes by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ballot {
    /// Yes.
    Accept,
    /// No.
    Reject,
    /// A script that exports `vote(proposal, proposerId)`.
    Script(String),
}

impl Ballot {
    fn script(&self) -> &str {
        match self {
            Self::Accept => "export function vote (proposal, proposerId) { return true }",
            Self::Reject => "export function vote (proposal, proposerId) { return false }",
            Self::Script(text) => text,
        }
    }

    /// The ballot of a script.
    #[must_use]
    pub fn from_script(text: String) -> Self {
        [Self::Accept, Self::Reject].into_iter().find(|ballot| ballot.script() == text).unwrap_or(Self::Script(text))
    }
}

#[derive(Deserialize)]
struct List<T> {
    value: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateDigest {
    state_digest: String,
}

impl Service {
    async fn gov(&self, path: &str) -> Result<Answer> {
        self.connection().get(&format!("/gov/{path}?{API_VERSION}")).await
    }

    async fn sign_and_post(&self, path: &str, kind: &str, proposal: Option<&str>, payload: &[u8]) -> Result<Answer> {
        let message = self.connection().identity()?.sign(kind, proposal, payload)?;
        self.connection().post(&format!("/gov/{path}?{API_VERSION}"), Body::Cose(message)).await
    }

    /// `GET /gov/service/info`
    ///
    /// # Errors
    /// See [`ClientError`]; the same holds for every call.
    pub async fn service_info(&self) -> Result<ServiceInfo> {
        self.gov("service/info").await?.json("/gov/service/info")
    }

    /// `GET /gov/service/constitution`: the text, exactly as it was voted.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn constitution(&self) -> Result<String> {
        self.gov("service/constitution").await?.text("/gov/service/constitution")
    }

    /// `GET /gov/service/members`, in the order of their ids.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn members(&self) -> Result<Vec<Member>> {
        let list: List<Member> = self.gov("service/members").await?.json("/gov/service/members")?;
        let mut members = list.value;
        members.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(members)
    }

    /// Asks for the digest of the state that a member acknowledges, which the service stores for it.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn update_state_digest(&self) -> Result<String> {
        let path = format!("members/state-digests/{}:update", self.connection().identity()?.id());
        let answer = self.sign_and_post(&path, "state_digest", None, b"").await?;
        Ok(answer.json::<StateDigest>("the state digest")?.state_digest)
    }

    /// Acknowledges a state; an Accepted member becomes Active.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn acknowledge(&self, state_digest: &str) -> Result<()> {
        let path = format!("members/state-digests/{}:ack", self.connection().identity()?.id());
        let payload = json!({ "stateDigest": state_digest }).to_string();
        self.sign_and_post(&path, "ack", None, payload.as_bytes()).await.map(|_| ())
    }

    /// Makes a proposal.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn propose(&self, actions: &[Action]) -> Result<Proposal> {
        self.propose_text(&json!({ "actions": actions }).to_string()).await
    }

    /// Makes a proposal from its text, which stays exactly as it is.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn propose_text(&self, text: &str) -> Result<Proposal> {
        let answer = self.sign_and_post("members/proposals:create", "proposal", None, text.as_bytes()).await?;
        answer.json("the proposal")
    }

    /// All proposals.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn proposals(&self) -> Result<Vec<Proposal>> {
        let list: List<Proposal> = self.gov("members/proposals").await?.json("/gov/members/proposals")?;
        Ok(list.value)
    }

    /// One proposal.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn proposal(&self, id: &str) -> Result<Proposal> {
        self.gov(&format!("members/proposals/{id}")).await?.json("the proposal")
    }

    /// What a proposal would do.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn proposal_actions(&self, id: &str) -> Result<Vec<Action>> {
        #[derive(Deserialize)]
        struct Actions {
            #[serde(default)]
            actions: Vec<Action>,
        }
        let answer = self.gov(&format!("members/proposals/{id}/actions")).await?;
        Ok(answer.json::<Actions>("the actions of the proposal")?.actions)
    }

    /// The ballot of a member; `None` if there is none.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn ballot(&self, proposal: &str, member: &str) -> Result<Option<Ballot>> {
        let path = format!("/gov/members/proposals/{proposal}/ballots/{member}?{API_VERSION}");
        let answer = self.connection().send(Method::GET, &path, Body::Empty).await?;
        match answer.success() {
            Err(ClientError::Refused { code, .. }) if code == "VoteNotFound" => Ok(None),
            answer => Ok(Some(Ballot::from_script(answer?.text("the ballot")?))),
        }
    }

    /// Votes.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn vote(&self, proposal: &str, ballot: &Ballot) -> Result<Proposal> {
        let member = self.connection().identity()?.id();
        let path = format!("members/proposals/{proposal}/ballots/{member}:submit");
        let payload = json!({ "ballot": ballot.script() }).to_string();
        self.sign_and_post(&path, "ballot", Some(proposal), payload.as_bytes()).await?.json("the proposal")
    }

    /// Withdraws a proposal of one's own.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn withdraw(&self, proposal: &str) -> Result<Proposal> {
        let path = format!("members/proposals/{proposal}:withdraw");
        self.sign_and_post(&path, "withdrawal", Some(proposal), b"").await?.json("the proposal")
    }
}

impl Action {
    /// An action of the constitution with its arguments.
    #[must_use]
    pub fn new(name: &str, args: Value) -> Self {
        Self { name: name.to_owned(), args: Some(args) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_are_recognised_by_the_texts_of_the_usual_tools() {
        for ballot in [Ballot::Accept, Ballot::Reject, Ballot::Script("export const vote = () => true".into())] {
            assert_eq!(Ballot::from_script(ballot.script().to_owned()), ballot);
        }
    }
}
