//! One TLS connection that stays open, which a pooling client does not promise.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Answer, Member, Node, Result};

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// A connection of one caller. When it is closed, requests fail instead of opening another one.
pub struct Session {
    base: String,
    sender: Sender,
}

impl Session {
    /// Connects, and presents the member's certificate if there is one.
    ///
    /// # Errors
    /// If the node does not take the connection, or speaks another protocol.
    pub async fn open(node: &Node, member: Option<&Member>, protocol: Protocol) -> Result<Self> {
        let base = node.url();
        let address = base.trim_start_matches("https://").to_owned();
        let stream = connect(node, &address, member, protocol).await?;
        let io = TokioIo::new(stream);
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            }
        };
        Ok(Self { base, sender })
    }

    /// Sends a request on this connection.
    ///
    /// # Errors
    /// If the connection is closed, or no answer came.
    pub async fn send(&mut self, method: &str, path: &str, kind: &str, body: Vec<u8>) -> Result<Answer> {
        let full = format!("{}{path}", self.base);
        let request = |target: &str| {
            hyper::Request::builder()
                .method(method)
                .uri(target)
                .header("host", self.base.trim_start_matches("https://"))
                .header("content-type", kind)
                .body(Full::new(Bytes::from(body)))
        };
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request(path)?).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request(&full)?).await?
            }
        };
        let status = response.status().as_u16();
        let transaction = response.headers().get("x-ms-ccf-transaction-id").and_then(|value| value.to_str().ok());
        let transaction = transaction.map(str::to_owned);
        Ok(Answer { status, transaction, body: response.into_body().collect().await?.to_bytes() })
    }
}

async fn connect(
    node: &Node,
    address: &str,
    member: Option<&Member>,
    protocol: Protocol,
) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(node.service_certificate())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let builder = builder.with_root_certificates(roots);
    let mut config = match member {
        None => builder.with_no_client_auth(),
        Some(member) => {
            let chain = vec![CertificateDer::from_pem_file(&member.certificate_file)?];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&member.key_file)?)?
        }
    };
    let wanted: &[u8] = if protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![wanted.to_vec()];
    let stream = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect("127.0.0.1".try_into()?, stream).await?;
    let spoken = stream.get_ref().1.alpn_protocol();
    if spoken == Some(wanted) { Ok(stream) } else { Err(format!("not {protocol:?}, but {spoken:?}").into()) }
}
