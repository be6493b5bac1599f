use std::path::Path;

use crypto::{Certificate, CryptoError, SigningKey, cose};

use crate::{ClientError, Result, files, now};

/// A member: the certificate that the consortium knows, and its key.
#[derive(Debug)]
pub struct Identity {
    certificate: Certificate,
    key: SigningKey,
    id: String,
}

impl Identity {
    /// A certificate with its key.
    ///
    /// # Errors
    /// [`CryptoError::Key`] if the key is not that of the certificate.
    pub fn new(certificate: Certificate, key: SigningKey) -> Result<Self> {
        if certificate.public_key()? != *key.public() {
            let why = "it is not the key of this certificate".into();
            return Err(CryptoError::Key { what: "member key", why }.into());
        }
        let id = certificate.id();
        Ok(Self { certificate, key, id })
    }

    /// Reads certificate and key from PEM files.
    ///
    /// # Errors
    /// [`ClientError::File`], or [`ClientError::Content`] that names the file.
    pub fn read(certificate_file: &Path, key_file: &Path) -> Result<Self> {
        let certificate = files::certificate(certificate_file)?;
        let text = crypto::Zeroizing::new(files::text(key_file)?);
        let content = |what, why: String| ClientError::Content { path: key_file.to_path_buf(), what, why };
        let key = SigningKey::from_pem(&text).map_err(|why| content("a member's private key", why.to_string()))?;
        let of = format!("it does not belong to {}", certificate_file.display());
        Self::new(certificate, key).map_err(|_| content("the key of the member's certificate", of))
    }

    /// The member id: SHA-256 of the certificate in hex.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) fn key(&self) -> &SigningKey {
        &self.key
    }

    /// A signed request to the governance API, of now: `kind` is the message type (`proposal`, `ballot`, `ack`, …).
    ///
    /// # Errors
    /// If signing fails.
    pub fn sign(&self, kind: &str, proposal_id: Option<&str>, payload: &[u8]) -> Result<Vec<u8>> {
        Ok(cose::sign_governance(&self.key, &self.id, kind, now(), proposal_id, payload)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::{
        Curve,
        issue::{Validity, self_signed},
    };

    #[test]
    fn a_key_must_be_that_of_its_certificate() {
        let validity = Validity { from: 1_700_000_000, days: 1 };
        let key = SigningKey::generate(Curve::P384).unwrap();
        let certificate = self_signed(&key, "member", &[], validity).unwrap();
        let other = SigningKey::generate(Curve::P384).unwrap();
        assert!(Identity::new(certificate.clone(), other).is_err());
        let identity = Identity::new(certificate.clone(), key).unwrap();
        assert_eq!(identity.id(), certificate.id());
        let message = cose::Sign1::from_bytes(&identity.sign("ballot", Some("p"), b"x").unwrap()).unwrap();
        message.verify(&certificate.public_key().unwrap()).unwrap();
        assert_eq!(message.kid(), Some(certificate.id().as_bytes()));
    }
}
