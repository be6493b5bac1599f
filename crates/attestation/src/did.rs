//! did:x509: a name for whoever a certificate authority says has certain properties.
//!
//! `did:x509:0:sha256:<fingerprint>::<policy>:<value>[::<policy>:<value>…]`: a chain of certificates resolves it if one
//! of the authorities in the chain has that fingerprint (base64url of SHA-256 over its DER) and the first certificate
//! satisfies every policy. Source: the did:x509 method specification, version 0, of its authors at Microsoft. Of the hash
//! functions that it allows, the one that is used is read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Certificate, sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName};

use crate::{Check, Rejection, Result, issuing};

/// Most bytes of a name.
const MOST_BYTES: usize = 2048;
/// The issuer of the identity token that a Fulcio certificate was given for.
const FULCIO_ISSUER: &str = "1.3.6.1.4.1.57264.1.1";

/// Checks that `chain` (the first certificate is the named one's) resolves `did`. The signatures in the chain and who may
/// issue what are checked elsewhere, dates are not.
///
/// # Errors
/// [`Check::UvmIssuer`]
pub fn resolve(did: &str, chain: &[Certificate]) -> Result<()> {
    let odd = |found: String| Rejection::new(Check::UvmIssuer, "a did:x509 that the certificates resolve", found);
    if did.len() > MOST_BYTES {
        return Err(odd(format!("a name of {} bytes, which is more than {MOST_BYTES}", did.len())));
    }
    let (authority, policies) = parse(did).ok_or_else(|| odd(did.to_owned()))?;
    let (leaf, authorities) = chain.split_first().ok_or_else(|| odd("no certificate".into()))?;
    let is_named = |one: &&Certificate| URL_SAFE_NO_PAD.encode(sha256(one.der())) == authority;
    if !authorities.iter().filter(is_named).any(issuing::is_authority) {
        return Err(odd(format!("no authority with the fingerprint {authority}")));
    }
    let leaf = issuing::parse(leaf).map_err(odd)?;
    let broken = policies.into_iter().find(|policy| !satisfies(&leaf, policy).unwrap_or(false));
    broken.map_or(Ok(()), |policy| Err(odd(format!("a certificate that does not satisfy {policy}"))))
}

/// The fingerprint and the policies, at least one.
fn parse(did: &str) -> Option<(&str, Vec<&str>)> {
    let mut parts = did.split("::");
    let authority = parts.next()?.strip_prefix("did:x509:0:sha256:")?;
    let policies: Vec<&str> = parts.collect();
    (!policies.is_empty()).then_some((authority, policies))
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

/// `key:value` pairs, all of which the subject must have. Keys are short names or object identifiers, each at most once,
/// in the policy and in the certificate.
fn has_subject(leaf: &X509Certificate<'_>, pairs: &str) -> Option<bool> {
    let parts: Vec<&str> = pairs.split(':').collect();
    let mut named: Vec<&str> = Vec::new();
    let mut all = true;
    for pair in parts.chunks(2) {
        let [key, value] = pair else { return None };
        let (oid, value) = (attribute(key), percent_decode(value)?);
        if named.contains(&oid) {
            return None;
        }
        named.push(oid);
        let mut attributes = leaf.subject().iter_attributes().filter(|one| one.attr_type().to_id_string() == oid);
        let first = attributes.next().and_then(|one| one.as_str().ok());
        all &= first == Some(value.as_str()) && attributes.next().is_none();
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

/// The extension's value is the text itself, without an ASN.1 type around it.
fn has_fulcio_issuer(leaf: &X509Certificate<'_>, value: &str) -> Option<bool> {
    let wanted = format!("https://{}", percent_decode(value)?);
    let mut issuers = leaf.extensions().iter().filter(|one| one.oid.to_id_string() == FULCIO_ISSUER);
    Some(issuers.any(|one| one.value == wanted.as_bytes()))
}

/// RFC 3986, section 2.1: what is not a letter, a digit, `-`, `.` or `_` must be encoded, so that a name is written in
/// one way. `None` for anything else, for nothing, and for what is not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_byte([bytes.next()?, bytes.next()?])?,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => byte,
            _ => return None,
        });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.is_empty())
}

fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let mut byte = [0];
    hex::decode_to_slice(digits, &mut byte).ok()?;
    let [byte] = byte;
    Some(byte)
}
