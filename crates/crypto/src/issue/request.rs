use rcgen::{CertificateSigningRequestParams, DistinguishedName, SanType};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

use crate::{CryptoError, PublicKey, Result, pem_text};

const TAG: &str = "CERTIFICATE REQUEST";

/// What a certificate signing request (RFC 2986) may ask for. Whoever made it holds the key.
pub(super) struct SigningRequest {
    pub(super) key: PublicKey,
    pub(super) name: DistinguishedName,
    pub(super) names: Vec<SanType>,
}

impl SigningRequest {
    /// Reads a request and checks that it is signed with its own key.
    pub(super) fn from_pem(text: &str) -> Result<Self> {
        let block = pem_text::first(text).map_err(refused)?;
        if block.tag() != TAG {
            return Err(refused(format!("PEM block is a {:?}, not a {TAG:?}", block.tag())));
        }
        let key = key(block.contents())?;
        // This checks the signature.
        let asked = CertificateSigningRequestParams::from_der(&block.contents().into()).map_err(refused)?;
        Ok(Self { key, name: asked.params.distinguished_name, names: asked.params.subject_alt_names })
    }
}

/// The key as the request has it: which curve it is on must not depend on how the request was signed.
fn key(der: &[u8]) -> Result<PublicKey> {
    let (rest, request) = X509CertificationRequest::from_der(der).map_err(refused)?;
    if !rest.is_empty() {
        return Err(refused("bytes behind the request"));
    }
    PublicKey::from_spki_der(request.certification_request_info.subject_pki.raw)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn refused(why: impl ToString) -> CryptoError {
    CryptoError::Certificate(format!("certificate signing request: {}", why.to_string()))
}
