//! What an open proposal would do, as the service foresees it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{API_VERSION, Result, Service};

/// `GET /gov/members/proposals/{proposalId}/effect`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// Hex.
    pub proposal_id: String,
    /// The state that the proposal would get if all who can still agree did.
    pub would_be: String,
    /// The members whose agreement is missing; `None` if the service does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<Vec<String>>,
    /// What the ballots say so far.
    #[serde(default)]
    pub votes: BTreeMap<String, bool>,
    /// Ballots that fail, by member.
    #[serde(default)]
    pub vote_failures: BTreeMap<String, Value>,
    /// The records that would change.
    #[serde(default)]
    pub writes: Vec<Write>,
    /// What the service would do besides, for example `rekeyLedger`.
    #[serde(default)]
    pub effects: Vec<String>,
    /// Why it could not be applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Value>,
}

/// A record before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// The table.
    pub table: String,
    /// The key: text, or `{"base64": …}`; `None` in a table of one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// The value now; `None` if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<Value>,
    /// The value afterwards; `None` if it would be removed.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Value>,
    /// What the values are: `json`, `text` or `base64`.
    pub format: String,
}

/// A `null` is a value of its own, not the absence of one.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Service {
    /// What an open proposal would do. The caller must be a member.
    ///
    /// # Errors
    /// As [`Self::service_info`]; `ProposalNotOpen` if it is resolved.
    pub async fn effect(&self, proposal: &str) -> Result<Effect> {
        let path = format!("/gov/members/proposals/{proposal}/effect?{API_VERSION}");
        self.connection().get(&path).await?.json("the effect of the proposal")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_not_nothing() {
        let read = |value: Value| serde_json::from_value::<Write>(value).unwrap();
        let both = read(json!({"table": "t", "before": null, "format": "json"}));
        assert_eq!((&both.before, &both.after, &both.key), (&Some(Value::Null), &None, &None));
        assert_eq!(json!(both), json!({"table": "t", "before": null, "format": "json"}));
    }
}
