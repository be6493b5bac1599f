//! did:x509: a name for whoever a certificate authority says has certain properties.
//!
//! `did:x509:0:sha256:<fingerprint>::<policy>:<value>[::<policy>:<value>…]`: a chain of certificates resolves it if one
//! of the authorities in the chain has that fingerprint (base64url of SHA-256 over its DER) and the first certificate
//! satisfies every policy. Source: the did:x509 method specification, version 0, of its authors at Microsoft.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Certificate, sha256};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer,
};

use crate::{Check, Rejection, Result};

/// Most bytes of a name.
const MOST_BYTES: usize = 2048;
/// The issuer of the identity token that a Fulcio certificate was given for.
const FULCIO_ISSUER: &str = "1.3.6.1.4.1.57264.1.1";

/// Checks that `chain` (the first certificate is the named one's) resolves `did`. The signatures in the chain are
/// checked elsewhere, dates are not.
///
/// # Errors
/// [`Check::UvmIssuer`]
pub fn resolve(did: &str, chain: &[Certificate]) -> Result<()> {
    let odd = |found: String| Rejection::new(Check::UvmIssuer, "a did:x509 that the certificates resolve", found);
    if did.len() > MOST_BYTES {
        return Err(odd(format!("a name of {} bytes, which is more than {MOST_BYTES}", did.len())));
    }
    let mut parts = did.split("::");
    let authority = parts.next().and_then(|head| head.strip_prefix("did:x509:0:sha256:"));
    let authority = authority.ok_or_else(|| odd(did.to_owned()))?;
    let (leaf, authorities) = chain.split_first().ok_or_else(|| odd("no certificate".into()))?;
    if !authorities.iter().any(|one| URL_SAFE_NO_PAD.encode(sha256(one.der())) == authority) {
        return Err(odd(format!("no authority with the fingerprint {authority}")));
    }
    let (_, leaf) = X509Certificate::from_der(leaf.der()).map_err(|why| odd(why.to_string()))?;
    let policies: Vec<&str> = parts.collect();
    if policies.is_empty() {
        return Err(odd("a name without a policy".into()));
    }
    let broken = policies.into_iter().find(|policy| !satisfies(&leaf, policy).unwrap_or(false));
    broken.map_or(Ok(()), |policy| Err(odd(format!("a certificate that does not satisfy {policy}"))))
}

/// `None` for a policy that is not well formed.
fn satisfies(leaf: &X509Certificate<'_>, policy: &str) -> Option<bool> {
    let (name, value) = policy.split_once(':')?;
    match name {
        "eku" => Some(has_extended_key_usage(leaf, value)),
        "subject" => has_subject(leaf, value),
        "san" => has_alternative_name(leaf, value),
        "fulcio-issuer" => has_fulcio_issuer(leaf, value),
        _ => None,
    }
}

fn has_extended_key_usage(leaf: &X509Certificate<'_>, oid: &str) -> bool {
    let Ok(Some(usage)) = leaf.extended_key_usage() else { return false };
    let usage = usage.value;
    let named = [
        (usage.any, "2.5.29.37.0"),
        (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    named.iter().any(|(set, name)| *set && *name == oid) || usage.other.iter().any(|one| one.to_id_string() == oid)
}

/// `key:value` pairs, all of which the subject must have. Keys are short names or object identifiers.
fn has_subject(leaf: &X509Certificate<'_>, pairs: &str) -> Option<bool> {
    let parts: Vec<&str> = pairs.split(':').collect();
    let mut all = !parts.is_empty();
    for pair in parts.chunks(2) {
        let [key, value] = pair else { return None };
        let (oid, value) = (attribute(key), percent_decode(value)?);
        let mut attributes = leaf.subject().iter_attributes().filter(|one| one.attr_type().to_id_string() == oid);
        all &= attributes.any(|one| one.as_str().is_ok_and(|text| text == value));
    }
    Some(all)
}

/// The object identifier of an attribute (RFC 4514, section 3).
fn attribute(key: &str) -> &str {
    match key {
        "CN" => "2.5.4.3",
        "L" => "2.5.4.7",
        "ST" => "2.5.4.8",
        "O" => "2.5.4.10",
        "OU" => "2.5.4.11",
        "C" => "2.5.4.6",
        "STREET" => "2.5.4.9",
        other => other,
    }
}

fn has_alternative_name(leaf: &X509Certificate<'_>, san: &str) -> Option<bool> {
    let (kind, value) = san.split_once(':')?;
    let value = percent_decode(value)?;
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Some(false) };
    let is_wanted = |name: &GeneralName<'_>| match (kind, name) {
        ("email", GeneralName::RFC822Name(found))
        | ("dns", GeneralName::DNSName(found))
        | ("uri", GeneralName::URI(found)) => *found == value,
        _ => false,
    };
    Some(names.value.general_names.iter().any(is_wanted))
}

fn has_fulcio_issuer(leaf: &X509Certificate<'_>, value: &str) -> Option<bool> {
    let wanted = format!("https://{}", percent_decode(value)?);
    let extensions = leaf.extensions().iter();
    let mut raw = extensions.filter(|one| one.oid.to_id_string() == FULCIO_ISSUER);
    Some(raw.any(|one| {
        matches!(one.parsed_extension(), ParsedExtension::UnsupportedExtension { .. }) && one.value == wanted.as_bytes()
    }))
}

/// RFC 3986, section 2.1. `None` for anything that is not well formed or not UTF-8.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let value = match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let mut one = [0];
                hex::decode_to_slice(digits, &mut one).ok()?;
                let [value] = one;
                value
            }
            plain => plain,
        };
        decoded.push(value);
    }
    String::from_utf8(decoded).ok()
}
