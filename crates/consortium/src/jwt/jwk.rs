use std::collections::BTreeMap;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use crypto::{Certificate, Curve, ForeignKey};
use serde_json::{Map, Value};

use super::{KeyRecord, constraint::may_constrain};

/// Keys in one set.
pub const MAX_KEYS: usize = 64;
/// Bytes of a key id.
pub const MAX_KEY_ID_BYTES: usize = 256;
/// Characters of a number: `n` of RSA with 8192 bits has 1366.
pub const MAX_NUMBER_BYTES: usize = 1400;
/// Certificates in one `x5c`.
pub const MAX_CERTIFICATES: usize = 16;
/// Characters of a certificate.
pub const MAX_CERTIFICATE_BYTES: usize = 16 << 10;
/// Bytes of an issuer or constraint.
pub const MAX_URL_BYTES: usize = 2048;

/// Characters of the kind of a key.
const MAX_KIND_BYTES: usize = 16;

type Members = Map<String, Value>;

/// The keys of a set by their ids; the reason names the member.
pub(super) fn read_set(
    issuer: &str,
    jwks: &Value,
    discovered: Option<&str>,
) -> Result<BTreeMap<String, KeyRecord>, String> {
    check_length("issuer", issuer, MAX_URL_BYTES)?;
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or("jwks.keys must be an array")?;
    if keys.len() > MAX_KEYS {
        return Err(format!("jwks.keys has {} keys; there may be {MAX_KEYS}", keys.len()));
    }
    let mut set = BTreeMap::new();
    for (index, key) in keys.iter().enumerate() {
        let named = |why: String| format!("jwks.keys[{index}]{why}");
        let key = key.as_object().ok_or_else(|| named(" must be an object".into()))?;
        if !signs_tokens(key).map_err(named)? {
            continue;
        }
        let (kid, record) = read(issuer, key, discovered).map_err(named)?;
        if set.insert(kid, record).is_some() {
            return Err(named(".kid is that of another key".into()));
        }
    }
    if set.is_empty() { Err("jwks.keys has no key that tokens are signed with".into()) } else { Ok(set) }
}

/// Issuers also publish keys to encrypt with, and keys of kinds that do not matter here.
fn signs_tokens(key: &Members) -> Result<bool, String> {
    let kind = required(key, "kty", MAX_KIND_BYTES)?;
    let known_curve = key.get("crv").is_none_or(|curve| curve.as_str().is_some_and(|curve| curve_of(curve).is_some()));
    let for_signatures = key.get("use").is_none_or(|purpose| purpose == "sig");
    Ok(matches!(kind, "RSA" | "EC") && known_curve && for_signatures)
}

fn read(issuer: &str, key: &Members, discovered: Option<&str>) -> Result<(String, KeyRecord), String> {
    let kid = required(key, "kid", MAX_KEY_ID_BYTES)?.to_owned();
    let public_key = public_key(key)?.spki_der().to_vec();
    let constraint = text(key, "issuer", MAX_URL_BYTES)?.map(str::to_owned);
    let discovered_issuer = discovered.filter(|_| constraint.is_none()).map(str::to_owned);
    let named = constraint.as_deref().or(discovered_issuer.as_deref());
    if let Some(constraint) = named.filter(|constraint| !may_constrain(issuer, constraint)) {
        let why = "must have the host of the issuer that it is registered for, or a parent domain";
        return Err(format!(".issuer {constraint:?} {why}"));
    }
    Ok((kid, KeyRecord { public_key, issuer: issuer.to_owned(), constraint, discovered_issuer }))
}

/// The key by its numbers, or else of the first certificate. Where there are both, they must agree: members look at one of
/// them, and tokens are verified with the other.
fn public_key(key: &Members) -> Result<ForeignKey, String> {
    let by_numbers = key_by_numbers(key)?;
    if key.get("x5c").is_none() {
        return by_numbers.ok_or_else(|| " must have n and e, or crv, x and y, or x5c".into());
    }
    let certified = Certificate::from_der(&first_certificate(key)?).and_then(|certificate| certificate.foreign_key());
    let certified = certified.map_err(unusable)?;
    if !(if is_rsa(key)? { certified.is_rsa() } else { certified.as_ecdsa().is_some() }) {
        return Err(".x5c[0] is the certificate of a key of another kind than kty says".into());
    }
    match by_numbers {
        Some(numbers) if numbers != certified => Err(".x5c[0] is the certificate of another key".into()),
        _ => Ok(certified),
    }
}

/// The key by the numbers of its kind. Those of another kind, if there are any, are not those that members look at.
fn key_by_numbers(key: &Members) -> Result<Option<ForeignKey>, String> {
    if is_rsa(key)? {
        let (Some(n), Some(e)) = (number(key, "n")?, number(key, "e")?) else { return Ok(None) };
        return ForeignKey::from_rsa(&n, &e).map(Some).map_err(unusable);
    }
    let curve = text(key, "crv", MAX_KEY_ID_BYTES)?.and_then(curve_of);
    let (Some(curve), Some(x), Some(y)) = (curve, number(key, "x")?, number(key, "y")?) else { return Ok(None) };
    ForeignKey::from_ec(curve, &x, &y).map(Some).map_err(unusable)
}

/// Whether the key is RSA; if not it is elliptic.
fn is_rsa(key: &Members) -> Result<bool, String> {
    required(key, "kty", MAX_KIND_BYTES).map(|kind| kind == "RSA")
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unusable(why: crypto::CryptoError) -> String {
    format!(": {why}")
}

fn curve_of(name: &str) -> Option<Curve> {
    match name {
        "P-256" => Some(Curve::P256),
        "P-384" => Some(Curve::P384),
        "P-521" => Some(Curve::P521),
        _ => None,
    }
}

fn first_certificate(key: &Members) -> Result<Vec<u8>, String> {
    let chain = key.get("x5c").and_then(Value::as_array).filter(|chain| !chain.is_empty());
    let chain = chain.ok_or(".x5c must be an array of certificates")?;
    if chain.len() > MAX_CERTIFICATES {
        return Err(format!(".x5c has {} certificates; there may be {MAX_CERTIFICATES}", chain.len()));
    }
    let first = chain.first().and_then(Value::as_str).ok_or(".x5c[0] must be a string")?;
    check_length(".x5c[0]", first, MAX_CERTIFICATE_BYTES)?;
    STANDARD.decode(first).map_err(|_| ".x5c[0] is not base64".into())
}

/// A big-endian number. Padding is not allowed by the standard, and harmless.
fn number(key: &Members, name: &str) -> Result<Option<Vec<u8>>, String> {
    let Some(text) = text(key, name, MAX_NUMBER_BYTES)? else { return Ok(None) };
    let number = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    number.map(Some).map_err(|_| format!(".{name} is not base64url"))
}

fn required<'a>(key: &'a Members, name: &str, limit: usize) -> Result<&'a str, String> {
    let text = text(key, name, limit)?.filter(|text| !text.is_empty());
    text.ok_or_else(|| format!(".{name} must be a string that is not empty"))
}

fn text<'a>(key: &'a Members, name: &str, limit: usize) -> Result<Option<&'a str>, String> {
    let Some(value) = key.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| format!(".{name} must be a string"))?;
    check_length(&format!(".{name}"), text, limit)?;
    Ok(Some(text))
}

fn check_length(name: &str, text: &str, limit: usize) -> Result<(), String> {
    if text.len() <= limit {
        return Ok(());
    }
    Err(format!("{name} has {} bytes; there may be {limit}", text.len()))
}
