//! Certificates that the members vote for.

use consortium::Issuer;
use crypto::{
    Certificate, Curve, SigningKey,
    issue::{self, Validity},
};

use crate::vault::Identity;

impl Issuer for Identity {
    fn endorse(&self, request: &str, validity: Validity, service: &Certificate) -> crypto::Result<Certificate> {
        issue::endorse_request(request, validity, &self.service_key, service)
    }

    fn renew(&self, service: &Certificate, validity: Validity) -> crypto::Result<Certificate> {
        issue::renew_service_certificate(&self.service_key, service, validity)
    }
}

/// Makes certificates that look like those of the service and that nobody accepts: the key is thrown away. For trying out
/// what a proposal would do, before anybody has agreed to it.
pub(super) struct StandIn(SigningKey);

impl StandIn {
    pub(super) fn new() -> crypto::Result<Self> {
        SigningKey::generate(Curve::P384).map(Self)
    }
}

impl Issuer for StandIn {
    fn endorse(&self, request: &str, validity: Validity, service: &Certificate) -> crypto::Result<Certificate> {
        issue::endorse_request(request, validity, &self.0, &self.renew(service, validity)?)
    }

    fn renew(&self, service: &Certificate, validity: Validity) -> crypto::Result<Certificate> {
        issue::service_certificate(&self.0, service.subject(), validity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDITY: Validity = Validity { from: 1_700_000_000, days: 2 };

    #[test]
    fn what_a_stand_in_makes_is_worth_nothing() {
        let service = SigningKey::generate(Curve::P384).unwrap();
        let service = issue::service_certificate(&service, "CCF Service", VALIDITY).unwrap();
        let node = SigningKey::generate(Curve::P384).unwrap();
        let request = issue::signing_request(&node, "CN=CCF Node", &[]).unwrap();
        let stand_in = StandIn::new().unwrap();
        let made = stand_in.endorse(&request, VALIDITY, &service).unwrap();
        assert_eq!((made.subject(), &made.public_key().unwrap()), ("CN=CCF Node", node.public()));
        assert!(made.verify_issued_by(&service).is_err());
        let renewed = stand_in.renew(&service, VALIDITY).unwrap();
        assert_eq!(renewed.subject(), service.subject());
        assert_ne!(renewed.public_key(), service.public_key());
    }
}
