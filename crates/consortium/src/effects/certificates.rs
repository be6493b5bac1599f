use constitution::CertificateRequest;
use crypto::{Certificate, issue::Validity};
use kv::Tx;

use crate::{
    ConsortiumError,
    service::{self, DEFAULT_MAXIMUM_VALIDITY_DAYS},
};

/// Signs certificates with the key of the service, which only a node has. Randomness is in all of them (D39).
pub trait Issuer: Send + Sync {
    /// The certificate that a PEM signing request asks for, endorsed by the service of which `service` is the current
    /// certificate.
    ///
    /// # Errors
    /// For a request that is not signed with its own key, or a certificate of another service.
    fn endorse(&self, request: &str, validity: Validity, service: &Certificate) -> crypto::Result<Certificate>;

    /// Another certificate for key and subject of `service`.
    ///
    /// # Errors
    /// For a certificate of another service.
    fn renew(&self, service: &Certificate, validity: Validity) -> crypto::Result<Certificate>;
}

/// Makes what `apply` asks for, PEM, if the settings of the service allow it: a script of the constitution says so too,
/// but what runs it is not believed.
pub(crate) fn make(tx: &mut Tx, wanted: &CertificateRequest, issuer: &dyn Issuer) -> Result<String, ConsortiumError> {
    let service = service::record(tx)?.cert;
    let service = Certificate::from_pem(&service).map_err(failed)?;
    let limits = service::configuration(tx)?;
    let made = match wanted {
        CertificateRequest::Endorsed { request, valid_from, days } => {
            let most = limits.maximum_node_certificate_validity_days;
            issuer.endorse(request, validity("a node", valid_from, *days, most)?, &service)
        }
        CertificateRequest::Network { valid_from, days } => {
            let most = limits.maximum_service_certificate_validity_days;
            issuer.renew(&service, validity("the service", valid_from, *days, most)?)
        }
    };
    made.map(|certificate| certificate.to_pem()).map_err(failed)
}

fn validity(of: &'static str, from: &str, days: u32, most: Option<u64>) -> Result<Validity, ConsortiumError> {
    let most = most.unwrap_or(DEFAULT_MAXIMUM_VALIDITY_DAYS);
    if u64::from(days) > most {
        return Err(ConsortiumError::Validity { of, days, most });
    }
    Validity::starting(from, days).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(why: crypto::CryptoError) -> ConsortiumError {
    ConsortiumError::Certificate(why.to_string())
}

#[cfg(test)]
mod tests {
    use crypto::{Curve, SigningKey, issue};
    use kv::UNIT_KEY;
    use ledger::tables;

    use super::*;
    use crate::testing::{Consortium, TestIssuer, service_certificate};

    const FROM: &str = "2026-11-24 03:47:50";

    fn network(days: u32) -> CertificateRequest {
        CertificateRequest::Network { valid_from: FROM.into(), days }
    }

    fn endorsed(key: &SigningKey, days: u32) -> CertificateRequest {
        let names = ["dNSName:localhost".to_owned()];
        let request = issue::signing_request(key, "CN=CCF Node", &names).unwrap();
        CertificateRequest::Endorsed { request, valid_from: FROM.into(), days }
    }

    #[test]
    fn nodes_and_the_service_get_certificates() {
        let mut tx = Consortium::active(1).tx();
        let service = Certificate::from_pem(service_certificate()).unwrap();
        let renewed = Certificate::from_pem(&make(&mut tx, &network(10), &TestIssuer).unwrap()).unwrap();
        assert_eq!((renewed.subject(), renewed.public_key()), (service.subject(), service.public_key()));
        let key = SigningKey::generate(Curve::P384).unwrap();
        let node = Certificate::from_pem(&make(&mut tx, &endorsed(&key, 365), &TestIssuer).unwrap()).unwrap();
        node.verify_issued_by(&renewed).unwrap();
        assert_eq!(&node.public_key().unwrap(), key.public());
        assert_eq!(node.not_before(), 1_795_492_070);
        assert_eq!(node.not_after() - node.not_before(), 365 * 86_400 - 1);
    }

    #[test]
    fn no_certificate_outlives_what_was_voted() {
        let mut tx = Consortium::active(1).tx();
        let key = SigningKey::generate(Curve::P384).unwrap();
        let refusal = |tx: &mut Tx, wanted: &CertificateRequest| {
            make(tx, wanted, &TestIssuer).map(|_| ()).map_err(|why| why.to_string())
        };
        let text = "a certificate of a node may be valid for at most 365 days, not for 366";
        assert_eq!(refusal(&mut tx, &endorsed(&key, 366)), Err(text.into()));
        let config = r#"{"maximum_node_certificate_validity_days":7,"maximum_service_certificate_validity_days":400}"#;
        tx.put(tables::SERVICE_CONFIG, UNIT_KEY.to_vec(), config);
        assert_eq!(refusal(&mut tx, &endorsed(&key, 7)), Ok(()));
        assert!(refusal(&mut tx, &endorsed(&key, 8)).is_err());
        assert_eq!(refusal(&mut tx, &network(400)), Ok(()));
        let text = "a certificate of the service may be valid for at most 400 days, not for 401";
        assert_eq!(refusal(&mut tx, &network(401)), Err(text.into()));
    }

    #[test]
    fn requests_that_make_no_sense_are_refused() {
        let mut tx = Consortium::active(1).tx();
        for (request, valid_from) in [("no", FROM), ("no", "now"), (service_certificate(), FROM)] {
            let wanted =
                CertificateRequest::Endorsed { request: request.into(), valid_from: valid_from.into(), days: 1 };
            let error = make(&mut tx, &wanted, &TestIssuer).unwrap_err().to_string();
            assert!(error.starts_with("Failed to make a certificate: "), "{error}");
        }
    }
}
