use std::{error::Error, sync::Arc};

use crypto::Certificate;
use rustls::{
    CertificateError, ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use crate::{ClientError, Identity, Result};

/// TLS 1.2 and 1.3 to whoever has a certificate that was issued by `service`, presenting the member's own.
///
/// # Errors
/// [`ClientError::Content`] never; [`ClientError::Crypto`] for a certificate or key that TLS cannot use.
pub(crate) fn config(service: &Certificate, identity: Option<&Identity>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(service.der().to_vec())).map_err(unusable)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots);
    let mut config = match identity {
        Some(identity) => {
            let chain = vec![CertificateDer::from(identity.certificate().der().to_vec())];
            let key = PrivateKeyDer::Pkcs8(identity.key().to_pkcs8_der()?.to_vec().into());
            builder.with_client_auth_cert(chain, key).map_err(unusable)?
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unusable(why: rustls::Error) -> ClientError {
    ClientError::Crypto(crypto::CryptoError::Certificate(why.to_string()))
}

/// What a failed connection means.
pub(crate) fn explain(url: &str, error: &reqwest::Error) -> ClientError {
    let url = url.to_owned();
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(why)) => explain_certificate(url, why),
        Some(why) => ClientError::Unreachable { url, why: format!("TLS: {why}") },
        None => ClientError::Unreachable { url, why: innermost(error) },
    }
}

fn explain_certificate(url: String, error: &CertificateError) -> ClientError {
    let unusable = |why: String| ClientError::TlsCertificate { url: url.clone(), why };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => unusable(
            "it has expired. The operator renews it (set_node_certificate_validity), or this machine's clock is wrong."
                .into(),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            unusable("it is not valid yet. Check the clocks of this machine and of the node.".into())
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => unusable(
            "it is for another host name. Use an address that the node's configuration lists in \
             node_certificate.subject_alt_names."
                .into(),
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            let why = "its TLS certificate was not issued by the service certificate of the profile".into();
            ClientError::ServiceChanged { url, why }
        }
        other => unusable(other.to_string()),
    }
}

/// The error of rustls inside that of the HTTP library. `io::Error` hides what it wraps from `source`, so it is unpacked.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next: Option<&'a (dyn Error + 'static)> = Some(error);
    for _ in 0..16 {
        let current = next?;
        if let Some(found) = current.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| current.source());
    }
    None
}

fn innermost(error: &reqwest::Error) -> String {
    let mut current: &dyn Error = error;
    for _ in 0..16 {
        let Some(source) = current.source() else { break };
        current = source;
    }
    current.to_string()
}
