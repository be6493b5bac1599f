//! Who may issue a certificate (RFC 5280, section 6.1), but for dates (D30), revocation and names of policies.

use crypto::Certificate;
use x509_parser::{certificate::X509Certificate, prelude::FromDer, x509::X509Version};

/// Why a certificate is not what its issuer may issue.
type Reason = String;

/// Critical extensions that are processed here or in [`crate::did`]: basic constraints, key usage, extended key usage,
/// subject alternative name.
const PROCESSED: [&str; 4] = ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.17"];

/// Checks that `issuer` may issue `certificate`, with `between` other authorities below it. The signature is not looked
/// at.
pub(crate) fn check_allowed(certificate: &Certificate, issuer: &Certificate, between: usize) -> Result<(), Reason> {
    let (certificate, issuer) = (parse(certificate)?, parse(issuer)?);
    check_extensions(&certificate)?;
    if certificate.issuer().as_raw() != issuer.subject().as_raw() {
        return Err(format!("it is issued by {}, not by {}", certificate.issuer(), issuer.subject()));
    }
    check_authority(&issuer, between)
}

/// Checks that the holder of a certificate may sign with its key.
pub(crate) fn check_signer(certificate: &Certificate) -> Result<(), Reason> {
    let certificate = parse(certificate)?;
    check_extensions(&certificate)?;
    match certificate.key_usage().map_err(|why| why.to_string())? {
        Some(usage) if !usage.value.digital_signature() => Err("its key is not for signatures".into()),
        _ => Ok(()),
    }
}

/// Whether a certificate says that it is an authority.
pub(crate) fn is_authority(certificate: &Certificate) -> bool {
    parse(certificate).is_ok_and(|parsed| parsed.is_ca())
}

/// Whether a certificate names itself as its issuer.
pub(crate) fn is_self_issued(certificate: &Certificate) -> bool {
    parse(certificate).is_ok_and(|parsed| parsed.issuer().as_raw() == parsed.subject().as_raw())
}

/// The certificate with its parts. [`Certificate`] was read with the same parser, so nothing follows it.
pub(crate) fn parse(certificate: &Certificate) -> Result<X509Certificate<'_>, Reason> {
    X509Certificate::from_der(certificate.der()).map(|(_, parsed)| parsed).map_err(|why| why.to_string())
}

fn check_extensions(certificate: &X509Certificate<'_>) -> Result<(), Reason> {
    if certificate.version() != X509Version::V3 {
        return Err("it is not of version 3".into());
    }
    let mut seen: Vec<String> = Vec::new();
    for extension in certificate.extensions() {
        let oid = extension.oid.to_id_string();
        if extension.critical && !PROCESSED.contains(&oid.as_str()) {
            return Err(format!("its critical extension {oid} is none that is known here"));
        }
        if seen.contains(&oid) {
            return Err(format!("it has the extension {oid} twice"));
        }
        seen.push(oid);
    }
    Ok(())
}

fn check_authority(issuer: &X509Certificate<'_>, between: usize) -> Result<(), Reason> {
    check_extensions(issuer)?;
    let constraints = issuer.basic_constraints().map_err(|why| why.to_string())?;
    let constraints = constraints.filter(|found| found.value.ca).ok_or("its issuer is no authority")?;
    if constraints.value.path_len_constraint.is_some_and(|most| between > most as usize) {
        return Err("its issuer allows fewer authorities below it".into());
    }
    match issuer.key_usage().map_err(|why| why.to_string())? {
        Some(usage) if !usage.value.key_cert_sign() => Err("its issuer's key is not for certificates".into()),
        _ => Ok(()),
    }
}
