//! Against a real TLS server on this machine.

use crypto::{Certificate, Curve, SigningKey, issue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::tls;

/// An authority, and a server with a certificate of it for `localhost`.
struct Server {
    authority: Certificate,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Server {
    async fn new() -> Self {
        let (ca, key) = (SigningKey::generate(Curve::P256).unwrap(), SigningKey::generate(Curve::P256).unwrap());
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let validity = issue::Validity { from: now - 60, days: 1 };
        let authority = issue::service_certificate(&ca, "CN=authority", validity).unwrap();
        let names = ["dNSName:localhost".to_owned()];
        let leaf = issue::node_certificate(key.public(), "CN=idp", &names, validity, &ca, &authority).unwrap();
        let identity = tls::Identity::empty();
        identity.replace(&leaf, &key).unwrap();
        let acceptor = TlsAcceptor::from(tls::server_config(identity, &[b"http/1.1"]).unwrap());
        Self { authority, listener: TcpListener::bind("127.0.0.1:0").await.unwrap(), acceptor }
    }

    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/doc?a=b", self.listener.local_addr().unwrap().port())
    }

    /// Answers one request with this head, and this many bytes of body; returns the request.
    async fn answer(&self, head: &str, body: &[u8]) -> String {
        let (stream, _) = self.listener.accept().await.unwrap();
        let Ok(mut stream) = self.acceptor.accept(stream).await else { return String::new() };
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap();
        // A client that has seen enough hangs up.
        let _ = stream.write_all(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes()).await;
        let _ = stream.write_all(body).await;
        let _ = stream.shutdown().await;
        String::from_utf8_lossy(&request[..length]).into_owned()
    }

    async fn fetch(&self, url: &str, head: &str, body: &[u8]) -> (Result<Value, String>, String) {
        let fetcher = Fetcher::trusting(&bundle(&self.authority.to_pem())).unwrap();
        tokio::join!(fetcher.get(url, Chosen::ByMembers), self.answer(head, body))
    }

    async fn refused(&self, head: &str, body: &[u8]) -> String {
        let url = self.url("localhost");
        let error = self.fetch(&url, head, body).await.0.unwrap_err();
        error.strip_prefix(&format!("{url}: ")).unwrap_or(&error).to_owned()
    }
}

fn bundle(text: &str) -> Bundle {
    Bundle { name: "b".into(), text: text.into() }
}

#[tokio::test]
async fn json_is_fetched_from_whom_the_bundle_knows() {
    let server = Server::new().await;
    let (document, request) = server.fetch(&server.url("localhost"), "200 OK", br#"{"a":1}"#).await;
    assert_eq!(document.unwrap(), serde_json::json!({"a": 1}));
    assert!(request.starts_with("GET /doc?a=b HTTP/1.1\r\nhost: localhost:"), "{request}");
}

#[tokio::test]
async fn nobody_else_is_asked() {
    let server = Server::new().await;
    let other = Server::new().await.authority.to_pem();
    let fetcher = Fetcher::trusting(&bundle(&other)).unwrap();
    let url = server.url("localhost");
    let (error, request) = tokio::join!(fetcher.get(&url, Chosen::ByMembers), server.answer("200 OK", b"{}"));
    let error = error.unwrap_err();
    assert!(error.starts_with(&format!("{url}: TLS: invalid peer certificate")), "{error}");
    assert_eq!(request, "");
    let (error, request) = server.fetch(&server.url("127.0.0.1"), "200 OK", b"{}").await;
    let error = error.unwrap_err();
    assert!(error.contains("TLS: invalid peer certificate: certificate not valid for name"), "{error}");
    assert_eq!(request, "");
}

#[tokio::test]
async fn an_issuer_that_points_inside_is_not_followed() {
    let server = Server::new().await;
    let fetcher = Fetcher::trusting(&bundle(&server.authority.to_pem())).unwrap();
    let url = server.url("localhost");
    let error = fetcher.get(&url, Chosen::ByIssuer).await.unwrap_err();
    assert!(error.contains("where no keys are fetched from"), "{error}");
    let knocked = timeout(Duration::from_millis(50), server.listener.accept()).await;
    assert!(knocked.is_err(), "nobody knocks");
    assert!(same_host("https://IDP.example.com/x", "https://idp.example.com:8443/keys").unwrap());
    assert!(!same_host("https://idp.example.com/x", "https://idp.example.com.evil.example/keys").unwrap());
}

#[tokio::test]
async fn answers_have_limits() {
    let server = Server::new().await;
    let moved = server.refused("302 Found\r\nlocation: https://localhost/", b"").await;
    assert_eq!(moved, "answered 302 Found; redirects are not followed");
    assert_eq!(server.refused("404 Not Found", b"{}").await, "answered 404 Not Found");
    assert_eq!(server.refused("200 OK", &[b' '; MAX_BODY + 1]).await, "the answer has more than 1048576 bytes");
    let head = format!("200 OK\r\nx: {}", "x".repeat(4 * MAX_HEAD));
    assert!(!server.refused(&head, b"{}").await.is_empty());
    assert!(server.refused("200 OK", b"<html>").await.starts_with("the answer is not JSON"));
    let twice = server.refused("200 OK", br#"{"jwks_uri":"a","jwks_uri":"b"}"#).await;
    assert!(twice.contains("duplicate member"), "{twice}");
    let cut = server.refused("200 OK\r\ncontent-length: 10", b"{}").await;
    assert!(!cut.is_empty());
}

#[tokio::test]
async fn answers_take_a_limited_time() {
    let server = Server::new().await;
    let mut fetcher = Fetcher::trusting(&bundle(&server.authority.to_pem())).unwrap();
    fetcher.limit = Duration::from_millis(100);
    let url = server.url("localhost");
    let error = fetcher.get(&url, Chosen::ByMembers).await.unwrap_err();
    assert_eq!(error, format!("{url}: no complete answer within 100ms"), "it never accepted");
    let drip = async {
        let (stream, _) = server.listener.accept().await.unwrap();
        let mut stream = server.acceptor.accept(stream).await.unwrap();
        while stream.write_all(b"HTTP/1.1 200 OK\r\nx: y\r\n").await.is_ok() && stream.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // The first connection is still in the queue of the listener.
    drop(server.listener.accept().await);
    tokio::select! {
        fetched = fetcher.get(&url, Chosen::ByMembers) => assert!(fetched.is_err()),
        () = drip => panic!("the client hung up without an answer"),
    }
}

#[test]
fn only_https_urls_are_places() {
    let place = Place::of("https://[::1]:8443/a?b=c").unwrap();
    assert_eq!((place.host.as_str(), place.port), ("::1", 8443));
    let request = place.request().unwrap();
    assert_eq!(request.uri().to_string(), "/a?b=c");
    assert_eq!(request.headers()["host"], "[::1]:8443");
    assert_eq!(Place::of("https://idp.example.com").unwrap().port, 443);
    for url in ["http://a/", "a", "/a", "https://", "https://u@a/", "https://a b/", "https://a..b/", "ftp://a", ""] {
        assert!(Place::of(url).is_err(), "{url}");
    }
}

#[test]
fn a_bundle_has_certificates() {
    for text in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = Fetcher::trusting(&bundle(text)).map(|_| ()).unwrap_err();
        assert!(error.starts_with(r#"the certificates "b" cannot be used"#), "{error}");
    }
}
