//! TLS of the front door: 1.2 and 1.3, the node's certificate alone, any well-formed client certificate or none.
//!
//! A client certificate proves a key, not a person: possession is checked here, who it belongs to is looked up for each
//! request. A session of TLS 1.3 may be resumed within the hour in which its key was proven (see [`Sessions`]); it is then
//! one of the same certificate. Nothing is taken before a handshake has ended (no 0-RTT), so nothing can be replayed.

mod sessions;

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use crypto::{Certificate, SigningKey};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs},
    server::{
        ClientHello, ParsedCertificate, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use sessions::Sessions;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The key cannot be used, or does not belong to the certificate.
    #[error("the node's key and certificate cannot be used for TLS: {0}")]
    Identity(String),
    /// The provider lacks what is needed.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] Error),
}

/// The certificate that the node shows; it can be replaced while connections are open. Without one, handshakes fail.
#[derive(Debug, Default)]
pub struct Identity {
    current: ArcSwapOption<CertifiedKey>,
}

impl Identity {
    /// An identity without a certificate.
    #[must_use]
    pub fn empty() -> Arc<Self> {
        Arc::default()
    }

    /// The certificate that is shown, DER.
    #[cfg(test)]
    pub(crate) fn shown(&self) -> Option<Vec<u8>> {
        self.current.load().as_ref().and_then(|key| Some(key.cert.first()?.to_vec()))
    }

    /// Shows this certificate to new connections.
    ///
    /// # Errors
    /// [`TlsError::Identity`] if the key is not the one of the certificate.
    pub fn replace(&self, certificate: &Certificate, key: &SigningKey) -> Result<(), TlsError> {
        let wrong = |why: &dyn ToString| TlsError::Identity(why.to_string());
        let der = key.to_pkcs8_der().map_err(|why| wrong(&why))?;
        let der = PrivateKeyDer::try_from(der.as_slice()).map_err(|why| wrong(&why))?;
        let key = aws_lc_rs::sign::any_ecdsa_type(&der).map_err(|why| wrong(&why))?;
        let certified = CertifiedKey::new(vec![CertificateDer::from(certificate.der().to_vec())], key);
        certified.keys_match().map_err(|why| wrong(&why))?;
        self.current.store(Some(Arc::new(certified)));
        Ok(())
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}

/// What a server says in the handshake. `protocols` are offered by ALPN, the preferred one first.
///
/// # Errors
/// [`TlsError::Setup`]
pub fn server_config(identity: Arc<Identity>, protocols: &[&[u8]]) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyClient::new(&provider));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config.session_storage = Arc::new(Sessions::default());
    // A ticket is good once, and each session that is resumed brings the next one.
    config.send_tls13_tickets = 1;
    config.max_early_data_size = 0;
    Ok(Arc::new(config))
}

/// Asks for a client certificate, takes any that can be parsed whoever issued it, and has the key proven.
#[derive(Debug)]
struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    fn new(provider: &CryptoProvider) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        ParsedCertificate::try_from(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is remembered of a client certificate: not who it belongs to, since that may change between two requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// SHA-256 of the DER, hex: the id of the member or user, if there is one.
    pub id: String,
    /// Start of validity, in seconds since 1970.
    pub not_before: i64,
    /// End of validity, in seconds since 1970.
    pub not_after: i64,
    /// The certificate itself.
    pub der: Vec<u8>,
}

impl ClientCertificate {
    /// What is remembered of this certificate.
    ///
    /// # Errors
    /// [`crypto::CryptoError::Certificate`] if it cannot be read.
    pub fn from_der(der: &[u8]) -> crypto::Result<Self> {
        let certificate = Certificate::from_der(der)?;
        Ok(Self {
            id: certificate.id(),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            der: der.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crypto::{Curve, issue};

    use super::*;

    #[test]
    fn a_key_must_belong_to_its_certificate() {
        let key = SigningKey::generate(Curve::P384).unwrap();
        let validity = issue::Validity { from: 1_700_000_000, days: 1 };
        let certificate = issue::self_signed(&key, "CN=x", &[], validity).unwrap();
        let identity = Identity::empty();
        identity.replace(&certificate, &key).unwrap();
        let other = SigningKey::generate(Curve::P384).unwrap();
        assert!(matches!(identity.replace(&certificate, &other), Err(TlsError::Identity(_))));
        let known = ClientCertificate::from_der(certificate.der()).unwrap();
        assert_eq!((known.id, known.not_before), (certificate.id(), 1_700_000_000));
    }
}
