//! D31 (e), D22: what a client makes of each answer to the question for the pinned receipt.

#![allow(clippy::unwrap_used, reason = "a panic is the failure report of a test")]

use std::{collections::HashMap, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use client::{ClientError, PinPolicy, Profile, Profiles, Receipt, Service};
use crypto::{
    Certificate, Curve, SigningKey,
    issue::{Validity, node_certificate, service_certificate},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const NETWORK: &str = r#"{"service_status":"Open","service_certificate":""}"#;

/// The keys of a service with one node.
struct Keys {
    service: Certificate,
    node: Certificate,
    node_key: SigningKey,
}

impl Keys {
    fn generate() -> Self {
        let validity = Validity { from: client::now() - 60, days: 1 };
        let key = SigningKey::generate(Curve::P384).unwrap();
        let service = service_certificate(&key, "CCF Service", validity).unwrap();
        let node_key = SigningKey::generate(Curve::P384).unwrap();
        let names = ["iPAddress:127.0.0.1".to_owned()];
        let node = node_certificate(node_key.public(), "CCF Node", &names, validity, &key, &service).unwrap();
        Self { service, node, node_key }
    }

    /// The receipt of a signature transaction over this root.
    fn receipt(&self, root: u8) -> Receipt {
        let root = [root; 32];
        Receipt {
            cert: self.node.to_pem(),
            leaf: Some(hex::encode(root)),
            leaf_components: None,
            node_id: self.node_key.public().id(),
            proof: Vec::new(),
            service_endorsements: Vec::new(),
            signature: STANDARD.encode(self.node_key.sign_digest_der(&root).unwrap()),
        }
    }
}

/// What a server answers: path to status line, further headers, body.
type Answers = HashMap<String, (&'static str, &'static str, String)>;

/// Serves answers over TLS; returns the address.
async fn serve(keys: &Keys, answers: Answers) -> String {
    let chain = vec![CertificateDer::from(keys.node.der().to_vec())];
    let key = PrivateKeyDer::Pkcs8(keys.node_key.to_pkcs8_der().unwrap().to_vec().into());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answers) = (acceptor.clone(), answers.clone());
            tokio::spawn(async move { answer(acceptor.accept(stream).await.ok()?, &answers).await });
        }
    });
    format!("https://{address}")
}

async fn answer<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S, answers: &Answers) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let request = String::from_utf8(request).ok()?;
    let path = request.split(' ').nth(1)?;
    let none = ("500 X", "", String::new());
    let (status, headers, body) = answers.get(path).unwrap_or(&none);
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}connection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

fn receipt_path(tx_id: &str) -> String {
    format!("/node/receipt?transaction_id={tx_id}")
}

fn json(receipt: &Receipt) -> String {
    serde_json::json!(receipt).to_string()
}

fn profiles(directory: &Path, url: &str, service: &Certificate) -> Profiles {
    let profiles = Profiles::in_directory(directory.to_path_buf());
    let profile = Profile {
        url: url.to_owned(),
        service_certificate: service.to_pem(),
        member_certificate_file: None,
        member_key_file: None,
    };
    profiles.save("me", &profile).unwrap();
    profiles
}

/// A directory with a profile that was pinned to 2.5 by a server that knows this transaction only.
async fn pinned(keys: &Keys) -> (tempfile::TempDir, Receipt) {
    let receipt = keys.receipt(1);
    let directory = tempfile::tempdir().unwrap();
    let answers = Answers::from([
        ("/node/network".into(), ("200 OK", "x-ms-ccf-transaction-id: 2.5\r\n", NETWORK.into())),
        (receipt_path("2.5"), ("200 OK", "", json(&receipt))),
    ]);
    let url = serve(keys, answers).await;
    let service =
        Service::open(&profiles(directory.path(), &url, &keys.service), "me", PinPolicy::Enforce).await.unwrap();
    service.network().await.unwrap();
    service.keep_pin().await.unwrap();
    assert!(directory.path().join("me/pin.json").exists());
    (directory, receipt)
}

/// Opens the pinned service again, which gives this answer for the receipt now.
async fn reopen(
    keys: &Keys,
    directory: &Path,
    answer: (&'static str, &'static str, String),
) -> Result<(), ClientError> {
    let url = serve(keys, Answers::from([(receipt_path("2.5"), answer)])).await;
    Service::open(&profiles(directory, &url, &keys.service), "me", PinPolicy::Enforce).await.map(|_| ())
}

#[tokio::test]
async fn d31_the_same_receipt_is_good() {
    let keys = Keys::generate();
    let (directory, receipt) = pinned(&keys).await;
    reopen(&keys, directory.path(), ("200 OK", "", json(&receipt))).await.unwrap();
}

#[tokio::test]
async fn d31_another_receipt_is_a_fork_although_the_service_signed_it() {
    let keys = Keys::generate();
    let (directory, _) = pinned(&keys).await;
    let error = reopen(&keys, directory.path(), ("200 OK", "", json(&keys.receipt(2)))).await.unwrap_err();
    assert!(matches!(error, ClientError::Forked { .. }), "{error}");
    assert!(error.to_string().contains("receipt of transaction 2.5, leaf was 0101"), "{error}");
}

#[tokio::test]
async fn d31_a_missing_receipt_is_a_rollback() {
    let keys = Keys::generate();
    let (directory, _) = pinned(&keys).await;
    let body = r#"{"error":{"code":"TransactionPendingOrUnknown","message":"Unknown"}}"#;
    let error = reopen(&keys, directory.path(), ("404 NOT_FOUND", "", body.into())).await.unwrap_err();
    assert!(error.to_string().contains("no receipt of transaction 2.5 any more"), "{error}");
}

#[tokio::test]
async fn d22_not_yet_is_never_a_rollback_and_trouble_is_trouble() {
    let keys = Keys::generate();
    let (directory, _) = pinned(&keys).await;
    let not_yet = ("202 ACCEPTED", "retry-after: 0\r\n", "indexing".into());
    let error = reopen(&keys, directory.path(), not_yet).await.unwrap_err();
    assert!(matches!(error, ClientError::NotYet { .. }), "{error}");
    let error = reopen(&keys, directory.path(), ("503 X", "", String::new())).await.unwrap_err();
    assert!(matches!(error, ClientError::Refused { status: 503, .. }), "{error}");
}

#[tokio::test]
async fn d31_an_override_forgets_the_pin() {
    let keys = Keys::generate();
    let (directory, _) = pinned(&keys).await;
    let url = serve(&keys, Answers::new()).await;
    Service::open(&profiles(directory.path(), &url, &keys.service), "me", PinPolicy::Forget).await.unwrap();
    assert!(!directory.path().join("me/pin.json").exists());
}

#[tokio::test]
async fn d31_a_service_that_forgets_what_it_just_answered_is_caught() {
    let keys = Keys::generate();
    let directory = tempfile::tempdir().unwrap();
    let body = r#"{"error":{"code":"TransactionInvalid","message":"Invalid"}}"#;
    let answers = Answers::from([
        ("/node/network".into(), ("200 OK", "x-ms-ccf-transaction-id: 2.7\r\n", NETWORK.into())),
        (receipt_path("2.7"), ("404 NOT_FOUND", "", body.into())),
    ]);
    let url = serve(&keys, answers).await;
    let service =
        Service::open(&profiles(directory.path(), &url, &keys.service), "me", PinPolicy::Enforce).await.unwrap();
    service.network().await.unwrap();
    let error = service.keep_pin().await.unwrap_err();
    assert!(matches!(error, ClientError::Forked { .. }), "{error}");
}

#[tokio::test]
async fn a_receipt_of_another_service_is_not_taken() {
    let (keys, other) = (Keys::generate(), Keys::generate());
    let (directory, mut receipt) = pinned(&keys).await;
    receipt.cert = other.node.to_pem();
    let error = reopen(&keys, directory.path(), ("200 OK", "", json(&receipt))).await.unwrap_err();
    assert!(matches!(error, ClientError::Receipt { .. }), "{error}");
}

#[tokio::test]
async fn d31_only_the_pinned_certificate_is_trusted() {
    let (keys, other) = (Keys::generate(), Keys::generate());
    let directory = tempfile::tempdir().unwrap();
    let url = serve(&other, Answers::new()).await;
    let profiles = profiles(directory.path(), &url, &keys.service);
    let service = Service::open(&profiles, "me", PinPolicy::Enforce).await.unwrap();
    let error = service.network().await.unwrap_err();
    assert!(matches!(error, ClientError::ServiceChanged { .. }), "{error}");
    let name = url.replace("127.0.0.1", "localhost");
    let connection = client::Connection::new(&name, other.service.clone(), None).unwrap();
    let error = Service::without_pin(connection).network().await.unwrap_err();
    assert!(error.to_string().contains("subject_alt_names"), "{error}");
}
