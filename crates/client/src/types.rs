use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET /node/network`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Network {
    /// `Opening`, `Open`, `Recovering` or `WaitingForRecoveryShares`.
    pub service_status: String,
    /// PEM.
    pub service_certificate: String,
    /// The view.
    #[serde(default)]
    pub current_view: Option<u64>,
    /// How often the service was recovered.
    #[serde(default)]
    pub recovery_count: Option<u64>,
}

/// `GET /node/state`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeState {
    /// The node.
    pub node_id: String,
    /// For example `PartOfNetwork`.
    pub state: String,
    /// How the node resumes (D31).
    #[serde(default)]
    pub resume: Option<Resume>,
}

/// How a node comes back after a restart, as `/node/state` tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// `auto`, `witnessed` or `recovery`.
    pub mode: String,
    /// What the node says that this does not promise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// `GET /node/quotes/self`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Quote {
    /// `Insecure_Virtual`, `AMD_SEV_SNP_v1` or `OE_SGX_v1`.
    pub format: String,
    /// Hex.
    #[serde(default)]
    pub measurement: Option<String>,
    /// The node whose key the evidence is about.
    pub node_id: String,
    /// The evidence, base64.
    #[serde(default)]
    pub raw: String,
}

/// `GET /app/version` (D2)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppVersion {
    /// The name of the application.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Hex SHA-256 of the executable, as the node says. Only evidence can prove it.
    #[serde(alias = "buildDigest", alias = "build_digest")]
    pub build: String,
}

/// `GET /gov/service/info`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// PEM.
    pub certificate: String,
    /// The settings.
    pub configuration: ServiceConfiguration,
    /// The transaction that founded the service.
    #[serde(default)]
    pub creation_transaction_id: Option<String>,
    /// How often it was recovered.
    #[serde(default)]
    pub recovery_count: u64,
    /// What the operator noted.
    #[serde(default)]
    pub service_data: Value,
    /// `Opening`, `Open`, …
    pub status: String,
}

/// Settings of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceConfiguration {
    /// How many recovery shares give the ledger secret.
    pub recovery_threshold: u64,
    /// Days.
    #[serde(default)]
    pub maximum_node_certificate_validity_days: Option<u64>,
    /// Days.
    #[serde(default)]
    pub maximum_service_certificate_validity_days: Option<u64>,
    /// How many recent proposals are remembered, so that none is taken twice.
    #[serde(default)]
    pub recent_cose_proposals_window_size: Option<u64>,
}

/// A member as the service shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// SHA-256 of the certificate, hex.
    #[serde(rename = "memberId")]
    pub id: String,
    /// PEM.
    pub certificate: String,
    /// What the consortium noted about the member.
    #[serde(default)]
    pub member_data: Value,
    /// PEM; where recovery shares are encrypted to.
    #[serde(default)]
    pub public_encryption_key: Option<String>,
    /// `NonParticipant`, `Participant` or `Owner`.
    pub recovery_role: String,
    /// `Accepted` or `Active`.
    pub status: String,
}

impl Member {
    /// The name that the consortium gave: `identifier` or `name` of the member's data.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        ["identifier", "name"].into_iter().find_map(|key| self.member_data.get(key)?.as_str())
    }

    /// Whether a flag of the member's data is set, in the sense of JavaScript.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        match self.member_data.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(set)) => *set,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(_) | Value::Object(_)) => true,
        }
    }

    /// Whether the member has a role of the application, for example `cgsOperator`.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.member_data.get("cgsRoles").and_then(|roles| roles.get(role)).and_then(Value::as_str) == Some("true")
    }

    /// Whether its vote counts towards acceptance (the constitution that ships with the service).
    #[must_use]
    pub fn is_counted(&self) -> bool {
        !["isOperator", "isRecoveryOperator"].into_iter().any(|flag| self.flag(flag))
            && !["cgsOperator", "contractOperator"].into_iter().any(|role| self.has_role(role))
    }

    /// Whether it has accepted its invitation.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == "Active"
    }
}

/// A member for tests; `data` names it, gives it roles, or is null.
#[cfg(test)]
pub(crate) fn member(id: &str, status: &str, data: Value) -> Member {
    let member = serde_json::json!({
        "memberId": id, "certificate": "", "memberData": data, "recoveryRole": "NonParticipant", "status": status,
    });
    serde_json::from_value(member).unwrap()
}

/// One action of a proposal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// The name that the constitution knows.
    pub name: String,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
}

/// A proposal as the service shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Hex.
    #[serde(rename = "proposalId")]
    pub id: String,
    /// `Open`, `Accepted`, `Rejected`, `Withdrawn`, `Failed` or `Dropped`.
    #[serde(rename = "proposalState")]
    pub state: String,
    /// Who made it.
    pub proposer_id: String,
    /// How many have voted.
    #[serde(default)]
    pub ballot_count: u64,
    /// What was decided by whom, once it is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_votes: Option<BTreeMap<String, bool>>,
    /// Ballots that failed, by member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote_failures: Option<BTreeMap<String, Value>>,
    /// Why applying it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Value>,
}

impl Proposal {
    /// Whether it can be voted on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == "Open"
    }
}

/// A state that a proposal was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoricalState {
    /// Where in the ledger.
    pub seqno: u64,
    /// As [`Proposal::state`].
    pub proposal_state: String,
}

/// Where a contract is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContractState {
    /// Written by anybody, agreed by nobody.
    Draft,
    /// Being voted on.
    Proposed,
    /// Agreed; it does not change any more.
    Accepted,
}

impl fmt::Display for ContractState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Draft => "Draft",
            Self::Proposed => "Proposed",
            Self::Accepted => "Accepted",
        })
    }
}

/// A contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contract {
    /// The name that its authors gave.
    pub id: String,
    /// Where it is in its life.
    pub state: ContractState,
    /// The transaction that wrote it.
    #[serde(default)]
    pub version: String,
    /// What is agreed.
    pub data: Value,
    /// The proposal, if there is one.
    #[serde(default)]
    pub proposal_id: String,
    /// Who voted how, once it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_votes: Option<Vec<Vote>>,
}

/// What is voted about the deployment of a contract: its specification, or what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// What was voted; an empty object if nothing was.
    #[serde(default)]
    pub data: Value,
    /// Open proposals of something else.
    #[serde(default)]
    pub proposal_ids: Vec<String>,
}

/// One vote on a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vote {
    /// Who.
    pub member_id: String,
    /// Yes or no.
    pub vote: bool,
}
