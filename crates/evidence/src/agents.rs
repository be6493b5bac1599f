//! Agents that run beside a clean room and ask the hardware for it (clients 2.2).

use std::time::Duration;

use attestation::{Document, Platform, report_data_of};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::sha256;
use serde_json::{Value, json};
use unique_json::from_unique_json;

use crate::{
    EvidenceError, Obtaining, Result, Source,
    http::{self, Http},
};

/// The text whose digest is the nonce of quotes, as the reference has it.
const NONCE: &[u8] = b"azure-cleanroom";

/// The agent of a container: `POST /attest/combined`.
#[derive(Debug, Clone)]
pub struct SkrAgent(Agent);

/// The agent of a virtual machine: `POST /snp/attest`.
#[derive(Debug, Clone)]
pub struct CvmAgent(Agent);

/// Where an agent listens, and how it is asked.
#[derive(Debug, Clone)]
struct Agent {
    http: Http,
    url: String,
}

impl SkrAgent {
    /// Where the agent listens if nobody says otherwise.
    pub const DEFAULT_URL: &str = "http://localhost:8284";

    /// An agent at an address without a path. It has 30 seconds for an answer.
    ///
    /// # Errors
    /// [`EvidenceError::Unreachable`] if no client can be made.
    pub fn at(url: &str) -> Result<Self> {
        Self::within(url, http::LIMIT)
    }

    /// As [`Self::at`], with another limit.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn within(url: &str, limit: Duration) -> Result<Self> {
        Agent::new(url, "/attest/combined", limit).map(Self)
    }
}

impl CvmAgent {
    /// Where the agent listens if nobody says otherwise.
    pub const DEFAULT_URL: &str = "http://localhost:8900";

    /// An agent at an address without a path. It has 30 seconds for an answer.
    ///
    /// # Errors
    /// [`EvidenceError::Unreachable`] if no client can be made.
    pub fn at(url: &str) -> Result<Self> {
        Self::within(url, http::LIMIT)
    }

    /// As [`Self::at`], with another limit.
    ///
    /// # Errors
    /// As [`Self::at`].
    pub fn within(url: &str, limit: Duration) -> Result<Self> {
        Agent::new(url, "/snp/attest", limit).map(Self)
    }
}

impl Source for SkrAgent {
    /// The agent itself hashes the key into the report.
    fn evidence<'a>(&'a self, public_key_pem: &'a [u8]) -> Obtaining<'a> {
        let request = json!({"runtime_data": STANDARD.encode(public_key_pem)});
        Box::pin(async move { self.0.ask(Platform::SnpCaci, &request).await })
    }
}

impl Source for CvmAgent {
    fn evidence<'a>(&'a self, public_key_pem: &'a [u8]) -> Obtaining<'a> {
        let request = json!({
            "nonce": STANDARD.encode(sha256(NONCE)),
            "reportData": STANDARD.encode(report_data_of(public_key_pem)),
        });
        Box::pin(async move { self.0.ask(Platform::SnpCvm, &request).await })
    }
}

impl Agent {
    fn new(url: &str, path: &str, limit: Duration) -> Result<Self> {
        Ok(Self { http: Http::new(limit)?, url: format!("{}{path}", url.trim_end_matches('/')) })
    }

    async fn ask(&self, platform: Platform, request: &Value) -> Result<Document> {
        let answer = self.http.post(&self.url, request).await?;
        let json = from_unique_json(&answer).map_err(|why| EvidenceError::malformed(&self.url, why))?;
        Document::of_platform(platform, json).map_err(|why| EvidenceError::malformed(&self.url, why))
    }
}
