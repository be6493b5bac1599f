//! Requests with bounds: on time, on size, and on where they lead.

use std::{error::Error as _, sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response};
use rustls::{ClientConfig, crypto::aws_lc_rs};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{EvidenceError, Result};

/// From the look-up of the name to the last byte of the answer. The agents ask the hardware, which takes a while.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// Bytes of an answer; genuine ones have less than 40 KiB.
pub(crate) const MAX_ANSWER: usize = 256 << 10;

/// A client. Redirects are not followed, proxies are not used, and of TLS the authorities of the operating system are
/// trusted: what is fetched is verified by itself.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: Client,
    limit: Duration,
}

impl Http {
    /// A client with a limit of time for each request.
    pub(crate) fn new(limit: Duration) -> Result<Self> {
        let failed = |why: String| EvidenceError::Unreachable { url: "any address".into(), why };
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|why| failed(why.to_string()))?
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(limit)
            .build()
            .map_err(|why| failed(why.to_string()))?;
        Ok(Self { client, limit })
    }

    /// What is at an address.
    pub(crate) async fn get(&self, url: &str, headers: &[(&'static str, &'static str)]) -> Result<Vec<u8>> {
        let request = self.client.request(Method::GET, url);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(url, request).await
    }

    /// The answer to a document.
    pub(crate) async fn post(&self, url: &str, body: &serde_json::Value) -> Result<Vec<u8>> {
        self.send(url, self.client.request(Method::POST, url).json(body)).await
    }

    async fn send(&self, url: &str, request: RequestBuilder) -> Result<Vec<u8>> {
        let mut response = request.send().await.map_err(|why| self.explain(url, &why))?;
        if response.status().as_u16() != 200 {
            return Err(EvidenceError::Refused { url: url.to_owned(), status: response.status().as_u16() });
        }
        self.read(url, &mut response).await
    }

    async fn read(&self, url: &str, response: &mut Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|why| self.explain(url, &why))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(EvidenceError::TooLarge { url: url.to_owned(), limit: MAX_ANSWER });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn explain(&self, url: &str, error: &reqwest::Error) -> EvidenceError {
        let url = url.to_owned();
        if error.is_timeout() {
            return EvidenceError::Slow { url, limit: self.limit };
        }
        let mut why = error.to_string();
        let mut next = error.source();
        // The cause behind the causes is the one that says something.
        for _ in 0..16 {
            let Some(cause) = next else { break };
            why = cause.to_string();
            next = cause.source();
        }
        EvidenceError::Unreachable { url, why }
    }
}
