//! Making certificates: of the service, of its nodes, of members.
//!
//! Their form is CCF's: 16-byte random serials; the service is a CA with path length 1; `not_after` is `not_before` plus
//! the days, minus one second.

mod name;
mod request;
mod validity;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::{Certificate, CryptoError, Curve, PublicKey, Result, SigningKey, random_bytes};
use request::SigningRequest;

pub use validity::Validity;

/// The self-signed certificate of a service, which endorses its nodes.
///
/// # Errors
/// [`CryptoError::Certificate`] for a subject or date that X.509 cannot express.
pub fn service_certificate(key: &SigningKey, common_name: &str, validity: Validity) -> Result<Certificate> {
    of_service(key, distinguished_name(common_name), validity)
}

/// Another self-signed certificate of a service: the same key and subject, another validity.
///
/// # Errors
/// [`CryptoError::Certificate`] if `current` is not for this key, or for a date that X.509 cannot express.
pub fn renew_service_certificate(key: &SigningKey, current: &Certificate, validity: Validity) -> Result<Certificate> {
    check_owner(key, current)?;
    let renewed = of_service(key, name::of_subject(current)?, validity)?;
    if name::raw_subject(&renewed)? == name::raw_subject(current)? {
        return Ok(renewed);
    }
    Err(failed(format!("the subject {} cannot be written again as it is", current.subject())))
}

/// A certificate belongs to a key if it is for it.
fn check_owner(key: &SigningKey, certificate: &Certificate) -> Result<()> {
    if certificate.public_key()? == *key.public() {
        return Ok(());
    }
    Err(CryptoError::Certificate("the certificate of the service is not for the key of the service".into()))
}

fn of_service(key: &SigningKey, name: DistinguishedName, validity: Validity) -> Result<Certificate> {
    let mut params = params(name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    finish(params.self_signed(&key_pair(key)?))
}

/// A self-signed certificate of a node (before it is endorsed) or a member.
///
/// # Errors
/// As [`service_certificate`].
pub fn self_signed(key: &SigningKey, common_name: &str, names: &[String], validity: Validity) -> Result<Certificate> {
    let mut params = params(distinguished_name(common_name), validity)?;
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
    let (name, names) = (distinguished_name(common_name), subject_alt_names(names)?);
    endorse(node, name, names, validity, service, service_certificate)
}

/// The certificate that a PEM signing request (RFC 2986) asks for: its key, subject and alternative names, endorsed by
/// the service. What else it asks for is not given.
///
/// # Errors
/// [`CryptoError::Certificate`] for a request that cannot be read, is not signed with the key that it is for (P-256 or
/// P-384), or asks for extensions that are unknown; also if `service_certificate` is not for this key.
pub fn endorse_request(
    request: &str,
    validity: Validity,
    service: &SigningKey,
    service_certificate: &Certificate,
) -> Result<Certificate> {
    let SigningRequest { key, name, names } = SigningRequest::from_pem(request)?;
    endorse(&key, name, names, validity, service, service_certificate)
}

fn endorse(
    key: &PublicKey,
    name: DistinguishedName,
    names: Vec<SanType>,
    validity: Validity,
    service: &SigningKey,
    service_certificate: &Certificate,
) -> Result<Certificate> {
    let mut params = params(name, validity)?;
    params.subject_alt_names = names;
    params.is_ca = IsCa::ExplicitNoCa;
    check_owner(service, service_certificate)?;
    let issuer = Issuer::from_ca_cert_der(&service_certificate.der().into(), key_pair(service)?).map_err(failed)?;
    let subject = rcgen::SubjectPublicKeyInfo::from_der(key.spki_der()).map_err(failed)?;
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

fn params(name: DistinguishedName, validity: Validity) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.not_before = OffsetDateTime::from_unix_timestamp(validity.from).map_err(failed)?;
    let length = Duration::days(validity.days.into()) - Duration::seconds(1);
    let end = params.not_before.checked_add(length);
    params.not_after = end.ok_or_else(|| failed(format!("{} days end beyond the year 9999", validity.days)))?;
    let mut serial = random_bytes::<16>()?;
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = name;
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

    #[test]
    fn a_request_gets_its_key_subject_and_names_and_no_more() {
        let service = SigningKey::generate(Curve::P384).unwrap();
        let certificate = service_certificate(&service, "CCF Service", VALIDITY).unwrap();
        let node = SigningKey::generate(Curve::P384).unwrap();
        let names = ["iPAddress:127.0.0.1".to_owned(), "dNSName:localhost".to_owned()];
        let request = signing_request(&node, "CN=CCF Node", &names).unwrap();
        let made = endorse_request(&request, VALIDITY, &service, &certificate).unwrap();
        made.verify_issued_by(&certificate).unwrap();
        assert_eq!((made.subject(), &made.public_key().unwrap()), ("CN=CCF Node", node.public()));
        assert_eq!((made.not_before(), made.not_after()), (VALIDITY.from, VALIDITY.from + 2 * 86_400 - 1));
        let same = node_certificate(node.public(), "CCF Node", &names, VALIDITY, &service, &certificate).unwrap();
        assert_eq!(extensions(&made), extensions(&same));
        assert!(!extensions(&made).contains(&"2.5.29.15".into()), "a node has no keyUsage");
    }

    /// Which extensions there are, by number and in order.
    fn extensions(certificate: &Certificate) -> Vec<String> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
        assert_eq!(parsed.serial.to_bytes_be().len().max(15), parsed.serial.to_bytes_be().len());
        parsed.extensions().iter().map(|extension| extension.oid.to_id_string()).collect()
    }

    #[test]
    fn requests_that_prove_nothing_are_refused() {
        let service = SigningKey::generate(Curve::P384).unwrap();
        let certificate = service_certificate(&service, "CCF Service", VALIDITY).unwrap();
        let request = signing_request(&SigningKey::generate(Curve::P384).unwrap(), "n", &[]).unwrap();
        let refusal = |text: &str| endorse_request(text, VALIDITY, &service, &certificate).unwrap_err().to_string();
        let block = pem::parse(&request).unwrap();
        // A sequence of what is signed, the algorithm, and the signature at the end; lengths take three bytes each.
        let signed = 4..block.contents().len() - 120;
        let signature = block.contents().len() - 90..block.contents().len();
        for at in signed.chain(signature) {
            let mut changed = block.contents().to_vec();
            changed[at] ^= 1;
            refusal(&crate::certificate::encode_pem(&pem::Pem::new("CERTIFICATE REQUEST", changed)));
        }
        let mut longer = block.contents().to_vec();
        longer.push(0);
        let longer = crate::certificate::encode_pem(&pem::Pem::new("CERTIFICATE REQUEST", longer));
        assert!(refusal(&longer).contains("bytes behind the request"));
        assert!(refusal(&certificate.to_pem()).contains("CERTIFICATE"));
        assert!(refusal("no").contains("signing request"));
        let other = SigningKey::generate(Curve::P384).unwrap();
        let error = endorse_request(&request, VALIDITY, &other, &certificate).unwrap_err();
        assert!(error.to_string().contains("not for the key of the service"), "{error}");
    }

    #[test]
    fn a_service_keeps_key_and_subject_when_it_is_renewed() {
        let key = SigningKey::generate(Curve::P384).unwrap();
        let first = service_certificate(&key, "My Service", VALIDITY).unwrap();
        let later = Validity { from: VALIDITY.from + 86_400, days: 30 };
        let renewed = renew_service_certificate(&key, &first, later).unwrap();
        assert_eq!((renewed.subject(), renewed.public_key()), ("CN=My Service", first.public_key()));
        assert_eq!((renewed.not_before(), renewed.not_after()), (later.from, later.from + 30 * 86_400 - 1));
        assert_eq!(extensions(&renewed), extensions(&first));
        let node = SigningKey::generate(Curve::P384).unwrap();
        let node = node_certificate(node.public(), "n", &[], VALIDITY, &key, &first).unwrap();
        node.verify_issued_by(&renewed).unwrap();
        assert!(renew_service_certificate(&SigningKey::generate(Curve::P384).unwrap(), &first, later).is_err());
    }

    #[test]
    fn dates_beyond_the_calendar_are_errors() {
        let key = SigningKey::generate(Curve::P384).unwrap();
        for validity in [Validity { from: 253_402_300_799, days: 2 }, Validity { from: 0, days: u32::MAX }] {
            assert!(service_certificate(&key, "x", validity).unwrap_err().to_string().contains("9999"));
        }
    }
}
