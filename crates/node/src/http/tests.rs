//! Real sockets and sessions against a handler that repeats what it was asked.

mod resumption;
mod sessions;

use std::{net::SocketAddr, time::Duration};

use crypto::{Certificate, Curve, SigningKey, issue};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    sign::{CertifiedKey, SingleCertAndKey},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    config::{AppProtocol, Authority, HttpLimits, RpcInterface, Size},
    tls::{self, Identity},
};

/// Repeats method, target, length of the body and the id of the caller.
struct Echo;

impl Handler for Echo {
    async fn answer(&self, request: Request) -> Response {
        if request.uri.path() == "/slow" {
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        let caller = request.peer.certificate.as_ref().map_or("nobody", |certificate| certificate.id.as_str());
        let text = format!("{} {} {} {caller}", request.method, request.uri.path(), request.body.len());
        respond(api::Output::new(200, api::Body::Text(text)), None)
    }
}

struct Server {
    address: SocketAddr,
    interface: Arc<Interface>,
    service: Certificate,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    identity: Arc<Identity>,
    /// What it shows.
    node: (Certificate, SigningKey),
}

fn settings() -> RpcInterface {
    RpcInterface {
        name: "x".into(),
        address: crate::config::Address { bind: "127.0.0.1:0".into(), published: "127.0.0.1:0".into() },
        protocol: AppProtocol::Http1,
        max_open_sessions_soft: 1000,
        max_open_sessions_hard: 1010,
        http: HttpLimits {
            max_body_size: Size::parse("100KB").unwrap(),
            max_header_size: Size::parse("16KB").unwrap(),
            ..HttpLimits::default()
        },
        authority: Authority::Service,
    }
}

fn validity() -> issue::Validity {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    issue::Validity { from: now - 60, days: 2 }
}

async fn serve_with(settings: RpcInterface, idle: Duration) -> Server {
    let (service, node) = (SigningKey::generate(Curve::P384).unwrap(), SigningKey::generate(Curve::P384).unwrap());
    let root = issue::service_certificate(&service, "CN=CCF Service", validity()).unwrap();
    let names = ["iPAddress:127.0.0.1".to_owned()];
    let leaf = issue::node_certificate(node.public(), "CN=n", &names, validity(), &service, &root).unwrap();
    let identity = Identity::empty();
    identity.replace(&leaf, &node).unwrap();
    let tls = (settings.authority != Authority::Unsecured)
        .then(|| tls::server_config(identity.clone(), &[b"h2", b"http/1.1"]).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, interface) = (listener.local_addr().unwrap(), Arc::new(Interface::new(&settings)));
    let endpoint = Endpoint { interface: interface.clone(), listener, tls, idle_timeout: idle };
    let (stop, stopped) = watch::channel(false);
    let served = tokio::spawn(serve(endpoint, Arc::new(Echo), stopped));
    Server { address, interface, service: root, stop, served, identity, node: (leaf, node) }
}

async fn server() -> Server {
    serve_with(settings(), Duration::from_secs(60)).await
}

struct Client {
    certificate: Certificate,
    key: SigningKey,
}

fn client() -> Client {
    let key = SigningKey::generate(Curve::P256).unwrap();
    let certificate = issue::self_signed(&key, "CN=member", &[], validity()).unwrap();
    Client { certificate, key }
}

impl Server {
    async fn connect(&self, client: Option<&Client>, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_with(self.client_config(client, alpn)).await
    }

    async fn connect_with(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config)).connect("127.0.0.1".try_into().unwrap(), stream).await
    }

    fn client_config(&self, client: Option<&Client>, alpn: &[u8]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.service.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let chain = vec![CertificateDer::from(client.certificate.der().to_vec())];
                let key = PrivateKeyDer::try_from(client.key.to_pkcs8_der().unwrap().to_vec()).unwrap();
                let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key).unwrap();
                // Unlike `with_client_auth_cert` this does not look whether the two belong together.
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
            }
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        config
    }

    /// Waits until the server has counted what a session did, which it does when the session has ended on its side.
    async fn counts(&self, as_wanted: impl Fn(Counts) -> bool) {
        for _ in 0..100 {
            if as_wanted(self.interface.counts()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:?}", self.interface.counts());
    }

    /// Sends bytes on a new session, and reads until the end.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect(None, b"http/1.1").await.unwrap();
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.expect("the session ends");
    String::from_utf8(bytes).unwrap()
}

/// Reads one answer with a body of known length.
async fn one(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() >= length.parse().unwrap() {
                return text;
            }
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "closed after {text:?}");
    }
}

#[tokio::test]
async fn an_answer_has_lower_case_headers_in_order_and_no_others() {
    let server = server().await;
    let text = server.exchange(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(
        text,
        "HTTP/1.1 200 OK\r\ncontent-length: 17\r\ncontent-type: text/plain\r\n\r\nGET /a 0 nobody"
            .replace("17", &"GET /a 0 nobody".len().to_string())
    );
}

#[tokio::test]
async fn possession_of_a_client_certificate_is_proven() {
    let (server, client) = (server().await, client());
    let mut stream = server.connect(Some(&client), b"http/1.1").await.unwrap();
    let text = one(&mut stream, "GET /a HTTP/1.1\r\n\r\n").await;
    assert!(text.ends_with(&format!("GET /a 0 {}", client.certificate.id())), "{text}");
    // The same certificate with another key.
    let thief = Client { certificate: client.certificate, key: SigningKey::generate(Curve::P256).unwrap() };
    let outcome = match server.connect(Some(&thief), b"http/1.1").await {
        Err(error) => Err(error),
        Ok(mut stream) => stream.read_u8().await,
    };
    assert!(outcome.is_err());
}

#[tokio::test]
async fn the_certificate_of_the_node_can_be_replaced_while_it_runs() {
    let server = server().await;
    let mut before = server.connect(None, b"http/1.1").await.unwrap();
    let key = SigningKey::generate(Curve::P384).unwrap();
    server.identity.replace(&issue::self_signed(&key, "CN=new", &[], validity()).unwrap(), &key).unwrap();
    assert!(server.connect(None, b"http/1.1").await.is_err(), "the new certificate is not of the service");
    one(&mut before, "GET /still HTTP/1.1\r\n\r\n").await;
}

#[tokio::test]
async fn http2_is_spoken_to_those_who_prefer_it() {
    let (server, client) = (server().await, client());
    let stream = server.connect(Some(&client), b"h2").await.unwrap();
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = |bytes: usize| {
        let body = Full::new(Bytes::from(vec![b'x'; bytes]));
        http::Request::put("https://127.0.0.1/b").body(body).unwrap()
    };
    let response = send.send_request(request(5)).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, format!("PUT /b 5 {}", client.certificate.id()));
    let response = send.send_request(request(200 << 10)).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(send.send_request(request(6)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn pipelined_requests_and_http_1_0_are_answered() {
    let server = server().await;
    let text = server.exchange(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n").await;
    assert!(text.contains("GET /1 0") && text.ends_with("GET /2 0 nobody"), "{text}");
    let text = server.exchange(b"GET /old HTTP/1.0\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.0 200 OK") && text.ends_with("GET /old 0 nobody"), "{text}");
}

#[tokio::test]
async fn chunks_and_expectations_are_understood() {
    let server = server().await;
    let chunked = b"PUT /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n6\r\n{\"data\r\n4\r\n\":1}\r\n0\r\n\r\n";
    assert!(server.exchange(chunked).await.ends_with("PUT /c 10 nobody"));
    let mut stream = server.connect(None, b"http/1.1").await.unwrap();
    let head = "PUT /e HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(one(&mut stream, "abc").await.ends_with("PUT /e 3 nobody"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_while_it_is_sent() {
    let server = server().await;
    let expected = "{\"error\":{\"code\":\"RequestBodyTooLarge\",\"message\":\"HTTP request body is too large (max size \
                    allowed: 100KB)\"}}";
    let whole = format!("PUT /a HTTP/1.1\r\ncontent-length: 3000000\r\n\r\n{}", "x".repeat(3_000_000));
    let text = server.exchange(whole.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 413 PAYLOAD_TOO_LARGE\r\nconnection: close\r\n"), "{text}");
    assert!(text.ends_with(expected), "{text}");
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    let chunked = format!("PUT /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(4));
    let text = server.exchange(chunked.as_bytes()).await;
    assert!(text.ends_with(expected), "{text}");
    // A client that asks first is told before it sends anything.
    let asks = b"PUT /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 200000\r\n\r\n";
    let text = server.exchange(asks).await;
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
    assert_eq!(server.interface.counts().body_too_large, 3);
}

/// Whoever sends bodies slowly, and many at once, takes the room of other large bodies but not the memory of the node.
#[tokio::test]
async fn bodies_that_are_arriving_have_bounded_room() {
    let server = server().await;
    let others = server.interface.room.take((256 << 20) - (150 << 10)).unwrap();
    let mut slow = server.connect(None, b"http/1.1").await.unwrap();
    let begun = format!("PUT /slow HTTP/1.1\r\ncontent-length: 100000\r\n\r\n{}", "x".repeat(50_000));
    slow.write_all(begun.as_bytes()).await.unwrap();
    while server.interface.room.take(100 << 10).is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let put = |bytes: usize| format!("PUT /a HTTP/1.1\r\ncontent-length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
    let text = server.exchange(put(100_000).as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 503 SERVICE_UNAVAILABLE\r\nconnection: close\r\n"), "{text}");
    assert!(text.contains("retry-after: 1\r\n") && text.contains("Too many request bodies"), "{text}");
    assert!(server.exchange(put(10_000).as_bytes()).await.ends_with("PUT /a 10000 nobody"));
    assert_eq!(server.interface.counts().no_room, 1);
    drop(others);
    assert!(server.exchange(put(100_000).as_bytes()).await.ends_with("PUT /a 100000 nobody"));
    assert!(one(&mut slow, &"x".repeat(50_000)).await.ends_with("PUT /slow 100000 nobody"));
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused_by_name() {
    let server = server().await;
    let large = format!("GET / HTTP/1.1\r\nx-large: {}\r\n\r\n", "a".repeat(20_000));
    let text = server.exchange(large.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 431 REQUEST_HEADER_FIELDS_TOO_LARGE\r\n"), "{text}");
    assert!(text.ends_with(
        "{\"error\":{\"code\":\"RequestHeaderTooLarge\",\"message\":\"Header value for 'x-large' is too large (max size \
         allowed: 16KB)\"}}"
    ));
    let many: String = (0..300).map(|number| format!("x-h{number}: 1\r\n")).collect();
    let text = server.exchange(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes()).await;
    assert!(text.ends_with("\"message\":\"Too many headers (max number allowed: 256)\"}}"), "{text}");
    let endless: String = (0..2000).map(|number| format!("x-h{number}: {}\r\n", "a".repeat(100))).collect();
    let text = server.exchange(format!("GET / HTTP/1.1\r\n{endless}\r\n").as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    server.counts(|counts| counts.header_too_large == 3).await;
    let target = format!("GET /?{} HTTP/1.1\r\n\r\n", "a".repeat(20_000));
    assert!(server.exchange(target.as_bytes()).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn what_is_not_http_is_told_so() {
    let server = server().await;
    for garbage in ["hello world\r\n\r\n", "get /node/commit HTTP/1.1\r\n\r\n"] {
        let text = server.exchange(garbage.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 400 BAD_REQUEST\r\n"), "{text}");
        assert!(text.contains("content-type: text/plain\r\n\r\nUnable to parse data as a HTTP request."), "{text}");
        assert!(text.ends_with(garbage), "{text}");
    }
    for bad in ["GET / HTTP/9.9\r\n\r\n", "PUT / HTTP/1.1\r\ncontent-length: abc\r\n\r\n"] {
        let text = server.exchange(bad.as_bytes()).await;
        assert!(text.starts_with("HTTP/1.1 400 "), "{bad}{text}");
    }
    server.counts(|counts| counts.parsing == 4).await;
}

#[tokio::test]
async fn an_interface_without_tls_speaks_both_protocols() {
    let server =
        serve_with(RpcInterface { authority: Authority::Unsecured, ..settings() }, Duration::from_secs(60)).await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    assert!(one(&mut plain, "GET /p HTTP/1.1\r\n\r\n").await.ends_with("GET /p 0 nobody"));
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("http://127.0.0.1/h").body(Full::new(Bytes::new())).unwrap();
    assert_eq!(send.send_request(request).await.unwrap().status(), 200);
}
