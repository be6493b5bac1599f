//! `/app`: contracts.

use http::Method;
use kv::TxId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{AppVersion, Body, ClientError, Contract, ContractState, Deployment, HistoricalState, Result, Service};

/// Most pages of a history that are followed.
const MAX_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Entry {
    id: String,
}

#[derive(Deserialize)]
struct Entries {
    value: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    value: Vec<HistoricalState>,
    #[serde(default)]
    next_link: Option<String>,
}

impl Service {
    /// `GET /app/version`: what the application is (D2).
    ///
    /// # Errors
    /// See [`ClientError`]; the same holds for every call.
    pub async fn application(&self) -> Result<AppVersion> {
        self.connection().get("/app/version").await?.json("/app/version")
    }

    /// The ids of the contracts in a state; of drafts and accepted ones for `None`. In order.
    ///
    /// # Errors
    /// As [`Self::application`].
    pub async fn contracts(&self, state: Option<ContractState>) -> Result<Vec<String>> {
        let query = state.map(|state| format!("?state={state}")).unwrap_or_default();
        let list: Entries = self.connection().get(&format!("/app/contracts{query}")).await?.json("/app/contracts")?;
        let mut ids: Vec<String> = list.value.into_iter().map(|entry| entry.id).collect();
        ids.sort();
        Ok(ids)
    }

    /// A contract as it is: accepted, proposed or a draft.
    ///
    /// # Errors
    /// As [`Self::application`].
    pub async fn contract(&self, id: &str) -> Result<Contract> {
        self.contract_json(id)
            .await
            .and_then(|value| serde_json::from_value(value).map_err(|why| ClientError::malformed("the contract", why)))
    }

    /// The same as the service writes it, which is what a proposal carries.
    ///
    /// # Errors
    /// As [`Self::application`].
    pub async fn contract_json(&self, id: &str) -> Result<Value> {
        self.connection().post(&path(id)?, Body::Empty).await?.json("the contract")
    }

    /// Writes a draft: a new one without `version`, else over the version that was read. Returns the new version.
    ///
    /// # Errors
    /// As [`Self::application`]: 409 if there is one already, 412 if it has another version.
    pub async fn put_contract(&self, id: &str, data: &Value, version: Option<&str>) -> Result<TxId> {
        let mut body = json!({ "data": data });
        if let (Some(version), Some(body)) = (version, body.as_object_mut()) {
            body.insert("version".into(), version.into());
        }
        let answer = self.connection().send(Method::PUT, &path(id)?, Body::Json(body)).await?.success()?;
        answer.tx_id.ok_or_else(|| ClientError::malformed("the answer to the draft", "it names no transaction"))
    }

    /// What is to be deployed for a contract, as voted.
    ///
    /// # Errors
    /// As [`Self::application`].
    pub async fn deployment_spec(&self, contract: &str) -> Result<Deployment> {
        let path = path(contract)? + "/deploymentspec";
        self.connection().post(&path, Body::Empty).await?.json("the deployment spec")
    }

    /// What is known of the deployment of a contract, as voted.
    ///
    /// # Errors
    /// As [`Self::application`].
    pub async fn deployment_info(&self, contract: &str) -> Result<Deployment> {
        let path = path(contract)? + "/deploymentinfo";
        self.connection().post(&path, Body::Empty).await?.json("the deployment info")
    }

    /// Each state that a proposal was ever in, oldest first.
    ///
    /// # Errors
    /// As [`Self::application`]; [`ClientError::NotYet`] while the index is being rebuilt.
    pub async fn proposal_history(&self, id: &str) -> Result<Vec<HistoricalState>> {
        let what = format!("the history of proposal {id}");
        let mut states = Vec::new();
        let mut next = Some(format!("/app/proposals/{id}/historical"));
        for _ in 0..MAX_PAGES {
            let Some(path) = next else { return Ok(states) };
            let page: Page = self.patiently(&path, &what).await?.json("the history of the proposal")?;
            states.extend(page.value);
            next = page.next_link;
        }
        Err(ClientError::malformed("the history of the proposal", "it has too many pages"))
    }
}

/// The path of a contract. Ids are not decoded by the service, so only what needs no encoding is an id here.
fn path(id: &str) -> Result<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if id.is_empty() || id.len() > 128 || id.starts_with('.') || !id.chars().all(allowed) {
        return Err(ClientError::Name { what: "contract", name: id.chars().take(128).collect() });
    }
    Ok(format!("/app/contracts/{id}"))
}
