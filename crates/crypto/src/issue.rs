//! Making certificates: of the service, of its nodes, of members.
//!
//! Their form is CCF's: 16-byte random serials; the service is a CA with path length 1; `not_after` is `not_before` plus
//! the days, minus one second.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::{Certificate, CryptoError, Curve, PublicKey, Result, SigningKey, random_bytes};

/// From when and for how long a certificate is valid.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    /// Start, in seconds since 1970.
    pub from: i64,
    /// Number of days.
    pub days: u32,
}

/// The self-signed certificate of a service, which endorses its nodes.
///
/// # Errors
/// [`CryptoError::Certificate`] for a subject or date that X.509 cannot express.
pub fn service_certificate(key: &SigningKey, common_name: &str, validity: Validity) -> Result<Certificate> {
    let mut params = params(common_name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    finish(params.self_signed(&key_pair(key)?))
}

/// A self-signed certificate of a node (before it is endorsed) or a member.
///
/// # Errors
/// As [`service_certificate`].
pub fn self_signed(key: &SigningKey, common_name: &str, names: &[String], validity: Validity) -> Result<Certificate> {
    let mut params = params(common_name, validity)?;
    params.subject_alt_names = subject_alt_names(names)?;
    params.is_ca = IsCa::ExplicitNoCa;
    finish(params.self_signed(&key_pair(key)?))
}

/// The certificate of a node's key, endorsed by the service. `names` are like `iPAddress:127.0.0.1` or
/// `dNSName:localhost`.
///
/// # Errors
/// As [`service_certificate`].
pub fn node_certificate(
    node: &PublicKey,
    common_name: &str,
    names: &[String],
    validity: Validity,
    service: &SigningKey,
    service_certificate: &Certificate,
) -> Result<Certificate> {
    let mut params = params(common_name, validity)?;
    params.subject_alt_names = subject_alt_names(names)?;
    params.is_ca = IsCa::ExplicitNoCa;
    let issuer = Issuer::from_ca_cert_der(&service_certificate.der().into(), key_pair(service)?).map_err(failed)?;
    let subject = rcgen::SubjectPublicKeyInfo::from_der(node.spki_der()).map_err(failed)?;
    finish(params.signed_by(&subject, &issuer))
}

/// A certificate signing request (RFC 2986) for a node key, PEM.
///
/// # Errors
/// As [`service_certificate`].
pub fn signing_request(key: &SigningKey, common_name: &str, names: &[String]) -> Result<String> {
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name(common_name);
    params.subject_alt_names = subject_alt_names(names)?;
    params.serialize_request(&key_pair(key)?).and_then(|request| request.pem()).map_err(failed).map(lf)
}

fn params(common_name: &str, validity: Validity) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    let from = OffsetDateTime::from_unix_timestamp(validity.from).map_err(failed)?;
    params.not_before = from;
    params.not_after = from + Duration::days(validity.days.into()) - Duration::seconds(1);
    let mut serial = random_bytes::<16>()?;
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = distinguished_name(common_name);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn distinguished_name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name.strip_prefix("CN=").unwrap_or(common_name));
    name
}

fn subject_alt_names(names: &[String]) -> Result<Vec<SanType>> {
    let parse = |name: &String| match name.split_once(':') {
        Some(("iPAddress", ip)) => ip.parse().map(SanType::IpAddress).map_err(failed),
        Some(("dNSName", dns)) => dns.try_into().map(SanType::DnsName).map_err(failed),
        _ => Err(CryptoError::Certificate(format!(
            "{name:?} is not a subject alternative name: write iPAddress:… or dNSName:…"
        ))),
    };
    names.iter().map(parse).collect()
}

fn key_pair(key: &SigningKey) -> Result<KeyPair> {
    let algorithm = match key.curve() {
        Curve::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        Curve::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        Curve::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
    };
    KeyPair::from_pkcs8_der_and_sign_algo(&key.to_pkcs8_der()?.as_slice().into(), algorithm).map_err(failed)
}

fn finish(made: std::result::Result<rcgen::Certificate, rcgen::Error>) -> Result<Certificate> {
    Certificate::from_der(made.map_err(failed)?.der())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn failed(why: impl ToString) -> CryptoError {
    CryptoError::Certificate(why.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map wants")]
fn lf(text: String) -> String {
    text.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDITY: Validity = Validity { from: 1_700_000_000, days: 2 };

    #[test]
    fn a_node_is_endorsed_by_its_service_only() {
        let service = SigningKey::generate(Curve::P384).unwrap();
        let certificate = service_certificate(&service, "CCF Service", VALIDITY).unwrap();
        assert_eq!(certificate.subject(), "CN=CCF Service");
        assert_eq!(certificate.not_after() - certificate.not_before(), 2 * 86_400 - 1);
        certificate.verify_issued_by(&certificate).unwrap();
        let node = SigningKey::generate(Curve::P384).unwrap();
        let names = ["iPAddress:127.0.0.1".to_owned(), "dNSName:localhost".to_owned()];
        let endorsed =
            node_certificate(node.public(), "CN=CCF Node", &names, VALIDITY, &service, &certificate).unwrap();
        endorsed.verify_issued_by(&certificate).unwrap();
        assert_eq!(&endorsed.public_key().unwrap(), node.public());
        let own = self_signed(&node, "CCF Node", &names, VALIDITY).unwrap();
        assert_eq!(own.verify_issued_by(&certificate), Err(CryptoError::Signature));
        assert_eq!(Certificate::from_pem(&endorsed.to_pem()).unwrap(), endorsed);
    }

    #[test]
    fn names_must_say_what_they_are() {
        let key = SigningKey::generate(Curve::P256).unwrap();
        let error = self_signed(&key, "x", &["localhost".into()], VALIDITY).unwrap_err();
        assert!(error.to_string().contains("dNSName:"), "{error}");
        assert!(signing_request(&key, "CN=n", &[]).unwrap().starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    }
}
