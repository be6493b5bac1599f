use std::{sync::Arc, time::Duration};

use api::from_unique_json;
use bytes::Bytes;
use consortium::jwt::Bundle;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, client::Resumption, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::reach::{self, Chosen};

/// From the look-up of the name to the last byte of the answer.
const FETCH_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MAX_BODY: usize = 1 << 20;
/// Bytes of the head of an answer.
const MAX_HEAD: usize = 64 << 10;
/// Certificates in a bundle.
const MAX_CERTIFICATES: usize = 512;

/// Fetches JSON over TLS. Redirects are not followed, proxies are not used.
pub(super) struct Fetcher {
    tls: Arc<ClientConfig>,
    limit: Duration,
}

impl Fetcher {
    /// One that trusts these certificates and nothing else.
    pub(super) fn trusting(bundle: &Bundle) -> Result<Self, String> {
        let wrong = |why: String| format!("the certificates {:?} cannot be used: {why}", bundle.name);
        let certificates = crypto::certificates_from_pem(&bundle.text).map_err(|why| wrong(why.to_string()))?;
        if certificates.len() > MAX_CERTIFICATES {
            return Err(wrong(format!("there are {}; there may be {MAX_CERTIFICATES}", certificates.len())));
        }
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            let der = CertificateDer::from(certificate.der().to_vec());
            roots.add(der).map_err(|why| wrong(why.to_string()))?;
        }
        if roots.is_empty() {
            return Err(wrong("there are none".into()));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| wrong(why.to_string()))?;
        let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        tls.resumption = Resumption::disabled();
        Ok(Self { tls: Arc::new(tls), limit: FETCH_LIMIT })
    }

    /// The JSON at an https URL. The reason of a failure names the URL and nothing of what was answered.
    pub(super) async fn get(&self, url: &str, chosen: Chosen) -> Result<Value, String> {
        let place = Place::of(url)?;
        let fetched = match timeout(self.limit, self.exchange(&place, chosen)).await {
            Ok(fetched) => fetched,
            Err(_) => Err(format!("no complete answer within {:?}", self.limit)),
        };
        let body = fetched.map_err(|why| format!("{url}: {why}"))?;
        from_unique_json(&body).map_err(|why| format!("{url}: the answer is not JSON: {why}"))
    }

    async fn exchange(&self, place: &Place, chosen: Chosen) -> Result<Bytes, String> {
        let stream = self.connect(place, chosen).await?;
        let mut client = http1::Builder::new();
        client.max_buf_size(MAX_HEAD);
        let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(innermost)?;
        // Dropped with this future, and the connection with it.
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let response = sender.send_request(place.request()?).await.map_err(innermost)?;
        read(response).await
    }

    async fn connect(&self, place: &Place, chosen: Chosen) -> Result<TlsStream<TcpStream>, String> {
        let found = lookup_host((place.host.as_str(), place.port)).await.map_err(innermost)?;
        let addresses = reach::allowed(&place.host, chosen, found)?;
        let stream = TcpStream::connect(addresses.as_slice()).await.map_err(innermost)?;
        let connector = TlsConnector::from(self.tls.clone());
        connector.connect(place.name.clone(), stream).await.map_err(|why| format!("TLS: {why}"))
    }
}

async fn read(response: Response<Incoming>) -> Result<Bytes, String> {
    match response.status() {
        StatusCode::OK => {}
        status if status.is_redirection() => return Err(format!("answered {status}; redirects are not followed")),
        status => return Err(format!("answered {status}")),
    }
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|why| {
        if why.is::<http_body_util::LengthLimitError>() {
            format!("the answer has more than {MAX_BODY} bytes")
        } else {
            why.to_string()
        }
    })
}

/// Whether two https URLs name the same host.
pub(super) fn same_host(one: &str, other: &str) -> Result<bool, String> {
    Ok(Place::of(one)?.host.eq_ignore_ascii_case(&Place::of(other)?.host))
}

/// Where to connect, whom to expect there, and what to ask for.
struct Place {
    uri: Uri,
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl Place {
    fn of(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{url:?} is not a usable https URL: {why}");
        let uri: Uri = url.parse().map_err(|why: http::uri::InvalidUri| wrong(&why.to_string()))?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("https"));
        let authority = authority.filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or_else(|| wrong("it must start with https://host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(443);
        let name = ServerName::try_from(host.clone()).map_err(|why| wrong(&why.to_string()))?;
        Ok(Self { uri, host, port, name })
    }

    fn request(&self) -> Result<Request<Empty<Bytes>>, String> {
        let path = self.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let host = self.uri.authority().map_or(self.host.as_str(), http::uri::Authority::as_str);
        let request = Request::get(path)
            .header(header::HOST, host)
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        request.body(Empty::new()).map_err(|why| why.to_string())
    }
}

/// The cause behind the causes, which is the one that says something.
fn innermost(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    for _ in 0..16 {
        let Some(cause) = next else { break };
        text = cause.to_string();
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
