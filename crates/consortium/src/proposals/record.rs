use std::collections::BTreeMap;

use api::{ApiError, Output};
use kv::Tx;
use ledger::tables;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::open;
use crate::{ConsortiumError, json::answer, stored};

/// Where a proposal is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProposalState {
    /// May be voted on and withdrawn.
    Open,
    /// Agreed on and applied.
    Accepted,
    /// Taken back by its proposer.
    Withdrawn,
    /// Refused.
    Rejected,
    /// Agreed on, but it could not be applied (D19).
    Failed,
    /// Overtaken by another one.
    Dropped,
}

impl ProposalState {
    /// The name as it stands in the middle of a sentence.
    pub(super) fn lower(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Why a script failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exception or the limit.
    pub reason: String,
    /// Where it happened, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// The record in `proposals_info`; members in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalInfo {
    /// Member id to the text of its ballot.
    #[serde(default)]
    pub ballots: BTreeMap<String, String>,
    /// Why it failed, in state Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Member id to vote, once it is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_votes: Option<BTreeMap<String, bool>>,
    /// Ballots that hit a limit, with that limit: they count as failed and are never run again (D41). The reference has
    /// no such member.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limited_ballots: BTreeMap<String, Failure>,
    /// Who proposed it.
    pub proposer_id: String,
    /// Where it is in its life.
    pub state: ProposalState,
    /// Member id to why its ballot gave no vote, once it is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_failures: Option<BTreeMap<String, Failure>>,
}

impl ProposalInfo {
    pub(super) fn open(proposer_id: &str) -> Self {
        Self {
            ballots: BTreeMap::new(),
            failure: None,
            final_votes: None,
            limited_ballots: BTreeMap::new(),
            proposer_id: proposer_id.into(),
            state: ProposalState::Open,
            vote_failures: None,
        }
    }

    /// The record of a proposal.
    ///
    /// # Errors
    /// [`ConsortiumError::Stored`]
    pub fn read(tx: &mut Tx, proposal_id: &str) -> Result<Option<Self>, ConsortiumError> {
        stored::json(tx, tables::PROPOSALS_INFO, proposal_id.as_bytes())
    }

    /// Writes the record, unless the transaction would only write what is there already, and keeps the index of Open
    /// proposals true.
    pub(super) fn put(&self, tx: &mut Tx, proposal_id: &str) {
        let text = json!(self).to_string();
        if tx.get(tables::PROPOSALS_INFO, proposal_id.as_bytes()).is_none_or(|stored| *stored != *text.as_bytes()) {
            tx.put(tables::PROPOSALS_INFO, proposal_id.as_bytes().to_vec(), text);
        }
        open::index(tx, proposal_id.as_bytes(), Some(self.state));
    }

    /// The proposal as the API shows it.
    pub(super) fn describe(&self, proposal_id: &str) -> Value {
        let mut shown = Map::new();
        shown.insert("ballotCount".into(), self.ballots.len().into());
        shown.extend(self.failure.as_ref().map(|failure| ("failure".to_owned(), json!(failure))));
        shown.extend(self.final_votes.as_ref().map(|votes| ("finalVotes".to_owned(), json!(votes))));
        shown.insert("proposalId".into(), proposal_id.into());
        shown.insert("proposalState".into(), json!(self.state));
        shown.insert("proposerId".into(), self.proposer_id.as_str().into());
        shown.extend(self.vote_failures.as_ref().map(|failures| ("voteFailures".to_owned(), json!(failures))));
        Value::Object(shown)
    }

    pub(super) fn answer(&self, proposal_id: &str) -> Output {
        answer(&self.describe(proposal_id))
    }
}

/// The text of a proposal.
pub(super) fn text(tx: &mut Tx, proposal_id: &str) -> Result<String, ApiError> {
    stored::text(tx, tables::PROPOSALS, proposal_id.as_bytes()).ok_or_else(|| super::not_found(proposal_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_written_as_in_the_reference() {
        let mut info = ProposalInfo::open("m0");
        info.ballots.insert("m1".into(), "js".into());
        assert_eq!(json!(info).to_string(), r#"{"ballots":{"m1":"js"},"proposer_id":"m0","state":"Open"}"#);
        info.state = ProposalState::Accepted;
        info.final_votes = Some(BTreeMap::from([("m1".into(), true)]));
        info.vote_failures = Some(BTreeMap::new());
        assert_eq!(
            json!(info).to_string(),
            r#"{"ballots":{"m1":"js"},"final_votes":{"m1":true},"proposer_id":"m0","state":"Accepted","vote_failures":{}}"#
        );
        assert_eq!(serde_json::from_value::<ProposalInfo>(json!(info)).unwrap(), info);
    }

    #[test]
    fn a_record_that_a_script_wrote_is_read() {
        let text = r#"{"state":"Dropped","proposer_id":"m0","ballots":{},"final_votes":{}}"#;
        assert_eq!(serde_json::from_str::<ProposalInfo>(text).unwrap().state, ProposalState::Dropped);
    }
}
