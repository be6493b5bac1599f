//! Bearer tokens: signed by an issuer that the consortium trusts, within their times, about the issuer's own subjects.
//!
//! What is refused here that the reference takes: a token of more than 16 KiB, a header or payload that names a member
//! twice, a header with `crit`, an algorithm that is not the one of the key.

mod parsed;

use api::Token;
use bytes::Bytes;
use consortium::jwt::{KeyRecord, is_entra, key_records};
use crypto::ForeignKey;
use http::{HeaderMap, header};
use ledger::tables;
pub use parsed::MAX_TOKEN_BYTES;
use parsed::Parsed;

use super::Registry;

/// The token of a request, if it is a good one; otherwise why not, in the words of CCF.
pub(super) fn check(headers: &HeaderMap, registry: &mut impl Registry, now: i64) -> Result<Token, String> {
    let token = bearer(headers)?;
    verify(token, &mut |kid| registry.get(tables::JWT_PUBLIC_SIGNING_KEYS_METADATA, kid.as_bytes()), now)
}

fn bearer(headers: &HeaderMap) -> Result<&str, String> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next().ok_or("Missing authorization header")?;
    if values.next().is_some() {
        return Err("There is more than one authorization header".into());
    }
    let token = first.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    token.ok_or_else(|| "Authorization header does not have Bearer scheme".into())
}

/// Verifies a token (RFC 7519, compact form). `keys` gives the value of the table of keys for a key id; `now` is in seconds
/// since 1970.
///
/// # Errors
/// Why the token is refused, in the words of CCF where it has some. If several issuers use the same key id, the reason of
/// the last one.
pub fn verify(token: &str, keys: &mut dyn FnMut(&str) -> Option<Bytes>, now: i64) -> Result<Token, String> {
    let parsed = Parsed::of(token)?;
    let records = keys(&parsed.kid).and_then(|value| key_records(&value).ok()).unwrap_or_default();
    let mut reason = format!("JWT signing key not found for kid {}", parsed.kid);
    for record in records {
        match check_with(&record, &parsed, now) {
            Ok(()) => {
                let of_entra = is_entra(&record.issuer) && is_entra(&parsed.iss);
                let Parsed { header, payload, .. } = parsed;
                return Ok(Token { key_issuer: record.issuer, of_entra, header, payload });
            }
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

fn check_with(record: &KeyRecord, token: &Parsed<'_>, now: i64) -> Result<(), String> {
    let key = ForeignKey::from_spki_der(&record.public_key);
    let verified = key.and_then(|key| key.verify(token.algorithm, token.signed.as_bytes(), &token.signature));
    verified.map_err(|_| "Signature verification failed")?;
    check_times(token, now)?;
    let checked = record.check_claims(&token.iss, token.tid.as_deref());
    checked.map_err(|constraint| format!("Kid {} failed issuer constraint validation {constraint}", token.kid))
}

fn check_times(token: &Parsed<'_>, now: i64) -> Result<(), String> {
    if let Some(nbf) = token.nbf.filter(|nbf| now < *nbf) {
        return Err(format!("Current time {now} is before token's Not Before (nbf) claim optional({nbf})"));
    }
    if now > token.exp {
        return Err(format!("Current time {now} is after token's Expiration Time (exp) claim {}", token.exp));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
