//! What governance has on record beside members and proposals: users, nodes, issuers of tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{API_VERSION, Result, Service};

/// A user with a certificate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// SHA-256 of the certificate, hex.
    #[serde(rename = "userId")]
    pub id: String,
    /// PEM.
    pub certificate: String,
    /// The record: `{"user_data": …}`, or null.
    #[serde(default)]
    pub user_data: Value,
}

impl User {
    /// What the consortium noted about the user.
    #[must_use]
    pub fn data(&self) -> &Value {
        self.user_data.get("user_data").unwrap_or(&Value::Null)
    }
}

/// A node as governance knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRecord {
    /// Hex.
    #[serde(rename = "nodeId")]
    pub id: String,
    /// `Pending`, `Trusted` or `Retired`.
    pub status: String,
    /// What the consortium noted about the node.
    #[serde(default)]
    pub node_data: Value,
    /// PEM, issued by the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The evidence; `format` is in any.
    #[serde(default)]
    pub quote_info: Value,
    /// Name to where it is published.
    #[serde(default)]
    pub rpc_interfaces: Value,
}

/// `GET /gov/service/jwk`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenIssuers {
    /// By URL or name.
    #[serde(default)]
    pub issuers: BTreeMap<String, TokenIssuer>,
    /// Key id to those that have a key of this id.
    #[serde(default)]
    pub keys: BTreeMap<String, Vec<TokenKey>>,
    /// Name to PEM.
    #[serde(default)]
    pub ca_cert_bundles: BTreeMap<String, String>,
}

/// Who issues tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenIssuer {
    /// Whether the service fetches its keys.
    #[serde(default)]
    pub auto_refresh: bool,
    /// The certificates by which its server is recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_cert_bundle_name: Option<String>,
}

/// A key that signs tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenKey {
    /// Who signs with it.
    #[serde(default)]
    pub issuer: Option<String>,
    /// What the `iss` of a token must be, where that is restricted.
    #[serde(default)]
    pub constraint: Option<String>,
    /// PEM.
    #[serde(default)]
    pub public_key: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    value: Vec<T>,
}

impl Service {
    async fn record<T: DeserializeOwned>(&self, what: &'static str) -> Result<T> {
        self.connection().get(&format!("{what}?{API_VERSION}")).await?.json(what)
    }

    /// `GET /gov/service/users`, in the order of their ids.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn users(&self) -> Result<Vec<User>> {
        let mut list: List<User> = self.record("/gov/service/users").await?;
        list.value.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(list.value)
    }

    /// `GET /gov/service/nodes`, in the order of their ids.
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn nodes(&self) -> Result<Vec<NodeRecord>> {
        let mut list: List<NodeRecord> = self.record("/gov/service/nodes").await?;
        list.value.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(list.value)
    }

    /// `GET /gov/service/jwk`
    ///
    /// # Errors
    /// As [`Self::service_info`].
    pub async fn token_issuers(&self) -> Result<TokenIssuers> {
        self.record("/gov/service/jwk").await
    }
}
