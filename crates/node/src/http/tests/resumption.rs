//! Sessions that are resumed: whose they are, and where they are not.

use rustls::{HandshakeKind, version};

use super::*;

/// What the server answers on a new connection, and how that was agreed on.
async fn ask(server: &Server, config: &ClientConfig) -> (String, HandshakeKind) {
    let mut stream = server.connect_with(config.clone()).await.unwrap();
    let text = one(&mut stream, "GET / HTTP/1.1\r\n\r\n").await;
    let kind = stream.get_ref().1.handshake_kind().unwrap();
    (text.rsplit(' ').next().unwrap().to_owned(), kind)
}

#[tokio::test]
async fn a_resumed_session_is_one_of_the_same_certificate() {
    let (server, client) = (server().await, client());
    let config = server.client_config(Some(&client), b"http/1.1");
    let id = client.certificate.id();
    assert_eq!(ask(&server, &config).await, (id.clone(), HandshakeKind::Full));
    for _ in 0..3 {
        assert_eq!(ask(&server, &config).await, (id.clone(), HandshakeKind::Resumed));
    }
    // One without a certificate stays one of nobody, and has nothing to do with the others.
    let config = server.client_config(None, b"http/1.1");
    assert_eq!(ask(&server, &config).await, ("nobody".to_owned(), HandshakeKind::Full));
    assert_eq!(ask(&server, &config).await, ("nobody".to_owned(), HandshakeKind::Resumed));
}

#[tokio::test]
async fn a_ticket_is_good_once_and_where_it_was_given() {
    let (first, client) = (server().await, client());
    let config = first.client_config(Some(&client), b"http/1.1");
    ask(&first, &config).await;
    // Another process, or another interface: it knows nothing of the ticket, but trusts the same client.
    let other = server().await;
    other.identity.replace(&first.node.0, &first.node.1).unwrap();
    assert_eq!(ask(&other, &config).await, (client.certificate.id(), HandshakeKind::Full));
    // The ticket of the first one is used up, since a client uses each once; the one of the other is worth nothing here.
    assert_eq!(ask(&first, &config).await.1, HandshakeKind::Full);
}

#[tokio::test]
async fn tls_1_2_is_not_resumed() {
    let (server, client) = (server().await, client());
    let mut config = server.client_config(Some(&client), b"http/1.1");
    let provider = config.crypto_provider().clone();
    let old = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&version::TLS12]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(server.service.der().to_vec())).unwrap();
    config = old.with_root_certificates(roots).with_client_cert_resolver(config.client_auth_cert_resolver);
    for _ in 0..3 {
        assert_eq!(ask(&server, &config).await, (client.certificate.id(), HandshakeKind::Full));
    }
}
