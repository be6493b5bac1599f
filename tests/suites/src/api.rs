//! A client of the service, which knows no more than HTTP.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Certificate, Client, Identity, Method};
use serde_json::Value;

use crate::{Member, Result};

/// Fifty hostile ballots of one member are evaluated one after the other, a second each.
const TIMEOUT: Duration = Duration::from_secs(90);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The transaction that the answer stands for.
    pub transaction: Option<String>,
    /// The body as it came.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// With the body in the text, if it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).map_err(|why| format!("{why}: {self:?}").into())
    }

    /// The answer again, if its status is this one.
    ///
    /// # Errors
    /// With status and body in the text, otherwise.
    pub fn expect_status(self, wanted: u16) -> Result<Self> {
        if self.status == wanted {
            return Ok(self);
        }
        Err(format!("status {} instead of {wanted}: {}", self.status, String::from_utf8_lossy(&self.body)).into())
    }
}

/// One caller's connections to one service.
#[derive(Clone)]
pub struct Api {
    base: String,
    client: Client,
}

impl Api {
    /// A client that trusts this service certificate only, and presents the member's certificate if there is one.
    ///
    /// # Errors
    /// Of a file that is missing or no certificate.
    pub fn new(base: &str, service_certificate: &Path, member: Option<&Member>) -> Result<Self> {
        // Several tests of one process install the same provider; only the first one can.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let trusted = Certificate::from_pem(&std::fs::read(service_certificate)?)?;
        let mut builder = Client::builder().tls_certs_only([trusted]).timeout(TIMEOUT).http1_only();
        if let Some(member) = member {
            builder = builder.identity(Identity::from_pem(&member.tls_identity()?)?);
        }
        Ok(Self { base: base.to_owned(), client: builder.build()? })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If no answer came, or not all of it.
    pub async fn send(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Result<Answer> {
        let request = self.client.request(method, format!("{}{path}", self.base)).header("content-type", kind);
        let response = request.body(body).send().await?;
        let status = response.status().as_u16();
        let transaction = response.headers().get("x-ms-ccf-transaction-id").and_then(|value| value.to_str().ok());
        let transaction = transaction.map(str::to_owned);
        Ok(Answer { status, transaction, body: response.bytes().await? })
    }

    /// Reads.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, "application/json", Vec::new()).await
    }

    /// Puts a JSON document.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::PUT, path, "application/json", body.to_string().into_bytes()).await
    }

    /// Posts an empty body, which is how the application is read.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn post(&self, path: &str) -> Result<Answer> {
        self.send(Method::POST, path, "application/json", Vec::new()).await
    }

    /// Posts a signed governance message.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn post_signed(&self, path: &str, message: Vec<u8>) -> Result<Answer> {
        self.send(Method::POST, path, "application/cose", message).await
    }
}
