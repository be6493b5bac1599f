use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use crypto::Certificate;
use http::{HeaderMap, Method};
use kv::TxId;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ClientError, Identity, Result, tls};

/// Longest answer that is taken.
const MAX_ANSWER: usize = 16 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(60);
const TRANSACTION_ID: &str = "x-ms-ccf-transaction-id";

/// What a request carries.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    Empty,
    /// A JSON document.
    Json(Value),
    /// A signed request to the governance API.
    Cose(Vec<u8>),
}

/// An answer of the service.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The transaction that was written, or whose state was read.
    pub tx_id: Option<TxId>,
    /// Seconds after which to ask again, if the service says so.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as a typed JSON document.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] that names `what` was asked for.
    pub fn json<T: DeserializeOwned>(&self, what: &'static str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|why| ClientError::malformed(what, why))
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] if it is not UTF-8.
    pub fn text(&self, what: &'static str) -> Result<String> {
        String::from_utf8(self.body.to_vec()).map_err(|why| ClientError::malformed(what, why))
    }

    /// The answer again, unless it is a refusal.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for any status from 400.
    pub fn success(self) -> Result<Self> {
        if self.status < 400 { Ok(self) } else { Err(self.refusal()) }
    }

    fn refusal(&self) -> ClientError {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let error = body.as_ref().and_then(|body| body.get("error"));
        let text = |name| error.and_then(|error| error.get(name)).and_then(Value::as_str).map(str::to_owned);
        let raw = || String::from_utf8_lossy(&self.body).chars().take(200).collect();
        let mut message = text("message").unwrap_or_else(raw);
        let details = error.and_then(|error| error.get("details")).and_then(Value::as_array);
        for detail in details.into_iter().flatten().filter_map(|detail| detail.get("message")?.as_str()).take(8) {
            message = format!("{message} {detail}.");
        }
        ClientError::Refused { status: self.status, code: text("code").unwrap_or_else(|| "-".into()), message }
    }
}

/// Connections to one service, as one member or as nobody.
#[derive(Debug)]
pub struct Connection {
    http: reqwest::Client,
    url: String,
    service: Certificate,
    identity: Option<Identity>,
    seen: Mutex<Option<TxId>>,
    peer: Mutex<Option<Vec<u8>>>,
}

impl Connection {
    /// Prepares connections to `https://HOST:PORT`; nothing is sent yet. Only `service` is trusted.
    ///
    /// # Errors
    /// [`ClientError::Url`], or [`ClientError::Crypto`] for a certificate that TLS cannot use.
    pub fn new(url: &str, service: Certificate, identity: Option<Identity>) -> Result<Self> {
        let url = base_url(url)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(&service, identity.as_ref())?)
            .tls_info(true)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()
            .map_err(|why| ClientError::Url { url: url.clone(), why: why.to_string() })?;
        Ok(Self { http, url, service, identity, seen: Mutex::new(None), peer: Mutex::new(None) })
    }

    /// The address of the service, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The pinned certificate of the service.
    #[must_use]
    pub fn service(&self) -> &Certificate {
        &self.service
    }

    /// Who calls.
    ///
    /// # Errors
    /// [`ClientError::NoIdentity`] if nobody does.
    pub fn identity(&self) -> Result<&Identity> {
        self.identity.as_ref().ok_or(ClientError::NoIdentity)
    }

    /// The highest transaction that an answer was about.
    #[must_use]
    pub fn highest_seen(&self) -> Option<TxId> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The TLS certificate of the node that answered last.
    #[must_use]
    pub fn peer(&self) -> Option<Certificate> {
        let peer = self.peer.lock().unwrap_or_else(PoisonError::into_inner);
        Certificate::from_der(peer.as_deref()?).ok()
    }

    fn note_peer(&self, response: &reqwest::Response) {
        let info = response.extensions().get::<reqwest::tls::TlsInfo>();
        if let Some(der) = info.and_then(reqwest::tls::TlsInfo::peer_certificate) {
            let mut peer = self.peer.lock().unwrap_or_else(PoisonError::into_inner);
            *peer = Some(der.to_vec());
        }
    }

    fn note(&self, tx_id: TxId) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = (*seen).max(Some(tx_id));
    }

    /// Sends a request; `path` starts with `/`. Any status is an answer.
    ///
    /// # Errors
    /// No answer, one that is too long, or not the pinned service.
    pub async fn send(&self, method: Method, path: &str, body: Body) -> Result<Answer> {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = match body {
            Body::Empty => request,
            Body::Json(value) => request.header("content-type", "application/json").body(value.to_string()),
            Body::Cose(bytes) => request.header("content-type", "application/cose").body(bytes),
        };
        let response = request.send().await.map_err(|error| tls::explain(&self.url, &error))?;
        self.note_peer(&response);
        let status = response.status().as_u16();
        let tx_id = header(response.headers(), TRANSACTION_ID).and_then(|text| text.parse().ok());
        let retry_after = header(response.headers(), "retry-after").and_then(|text| text.parse().ok());
        let body = self.read(response, path).await?;
        if let Some(tx_id) = tx_id.filter(|_| status < 300) {
            self.note(tx_id);
        }
        Ok(Answer { status, tx_id, retry_after, body })
    }

    async fn read(&self, mut response: reqwest::Response, path: &str) -> Result<Bytes> {
        let mut body = BytesMut::new();
        while let Some(part) = response.chunk().await.map_err(|error| tls::explain(&self.url, &error))? {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(ClientError::TooLong { path: path.to_owned(), limit: MAX_ANSWER });
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    }

    /// Reads; a status from 400 is an error.
    ///
    /// # Errors
    /// As [`Self::send`], and [`ClientError::Refused`].
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, Body::Empty).await?.success()
    }

    /// Posts; a status from 400 is an error.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post(&self, path: &str, body: Body) -> Result<Answer> {
        self.send(Method::POST, path, body).await?.success()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `https://HOST:PORT` from what people write: the scheme may be left out, a slash at the end does no harm.
fn base_url(text: &str) -> Result<String> {
    let refuse = |why: &str| ClientError::Url { url: text.chars().take(200).collect(), why: why.into() };
    let rest = match text.split_once("://") {
        Some(("https", rest)) => rest,
        Some(_) => return Err(refuse("only https is spoken here")),
        None => text,
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let valid = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(valid) {
        return Err(refuse("there must be a host name, and nothing behind the port"));
    }
    Ok(format!("https://{authority}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_people_write_them() {
        for text in ["127.0.0.1:8080", "https://127.0.0.1:8080", "https://127.0.0.1:8080/"] {
            assert_eq!(base_url(text).unwrap(), "https://127.0.0.1:8080");
        }
        assert_eq!(base_url("https://[::1]:1").unwrap(), "https://[::1]:1");
        for bad in ["", "http://host:1", "https://", "https://host/path", "https://user@host", "https://host?x"] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refusal_keeps_code_and_message() {
        let answer = |body: &'static str| Answer { status: 404, tx_id: None, retry_after: None, body: body.into() };
        let error = answer(r#"{"error":{"code":"FrontendNotOpen","message":"Frontend is not open."}}"#).success();
        let error = error.unwrap_err();
        assert_eq!(error.code(), Some("FrontendNotOpen"));
        assert!(error.to_string().contains("cgs service open"), "{error}");
        let error = answer("<html>").success().unwrap_err();
        assert_eq!(error.to_string(), "404 -: <html>");
    }
}
