//! Issuers of tokens, and the keys that they sign with.
//!
//! The table of keys maps a key id to a list, since two issuers may use the same id:
//! `[{"constraint":"…","issuer":"…","public_key":"…"}]`, with the base64 of a SubjectPublicKeyInfo, and the constraint only
//! where the key has one (CCF's format). A key without one that was fetched from its issuer has `discovered_issuer` instead,
//! which CCF does not know and ignores. All keys of an issuer are replaced at once.

mod constraint;
mod jwk;
mod record;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use kv::Tx;
use ledger::tables;
use serde_json::Value;

pub use constraint::{is_entra, is_published_by, may_constrain};
pub use jwk::{MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_KEY_ID_BYTES, MAX_KEYS, MAX_NUMBER_BYTES, MAX_URL_BYTES};
pub use record::{Issuer, KeyRecord, ca_cert_bundle, issuer, key_records};

use crate::{ConsortiumError, stored};

const KEYS: &str = tables::JWT_PUBLIC_SIGNING_KEYS_METADATA;

/// Replaces all keys of an issuer by those of a JWK set (RFC 7517). Writes only what changes.
///
/// A key is taken from `n` and `e`, or `crv`, `x` and `y`, or the first certificate of `x5c`, which must agree. A key that
/// is not for signatures (`use`) or of a kind that no token is signed with is left out.
///
/// # Errors
/// [`ConsortiumError::Jwks`] for a set without keys, or with one that cannot be read, is too large, or claims tokens of
/// another domain than the issuer's; [`ConsortiumError::Stored`] if the table is damaged. Nothing is written then.
pub fn set_keys(tx: &mut Tx, issuer: &str, jwks: &Value) -> Result<(), ConsortiumError> {
    set_keys_from(tx, issuer, jwks, None)
}

/// `discovered` is the issuer that the discovery document names, if the keys come from one.
fn set_keys_from(tx: &mut Tx, issuer: &str, jwks: &Value, discovered: Option<&str>) -> Result<(), ConsortiumError> {
    let keys = jwk::read_set(issuer, jwks, discovered)
        .map_err(|why| ConsortiumError::Jwks { issuer: issuer.to_owned(), why })?;
    replace(tx, issuer, keys)
}

/// Removes all keys of an issuer.
///
/// # Errors
/// [`ConsortiumError::Stored`] if the table is damaged.
pub fn remove_keys(tx: &mut Tx, issuer: &str) -> Result<(), ConsortiumError> {
    replace(tx, issuer, BTreeMap::new())
}

/// Sets the keys that an issuer published itself, if the consortium still wants that: the issuer must be voted with
/// `auto_refresh`, and with the bundle that the connection was checked with, by name and content (D32). Tells whether it is.
///
/// `discovered` is the issuer that the discovery document names: tokens must name it too. The reference means to check that
/// and does not. It is no constraint as a key itself can have: that would forbid `tid`, which every registered user needs.
///
/// # Errors
/// As [`set_keys`].
pub fn refresh_keys(
    tx: &mut Tx,
    name: &str,
    checked_with: &Bundle,
    jwks: &Value,
    discovered: &str,
) -> Result<bool, ConsortiumError> {
    if Bundle::of(tx, name)?.as_ref() != Some(checked_with) {
        return Ok(false);
    }
    set_keys_from(tx, name, jwks, Some(discovered)).map(|()| true)
}

/// The certificates that the connection to an issuer is checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Its name.
    pub name: String,
    /// PEM.
    pub text: String,
}

impl Bundle {
    /// The bundle of an issuer; `None` unless its keys are to be fetched from it.
    ///
    /// # Errors
    /// [`ConsortiumError::Stored`] if a table is damaged, or names a bundle that does not exist.
    pub fn of(tx: &mut Tx, name: &str) -> Result<Option<Self>, ConsortiumError> {
        let Some(issuer) = issuer(tx, name)?.filter(|issuer| issuer.auto_refresh) else { return Ok(None) };
        let missing = |why: String| ConsortiumError::Stored { table: tables::JWT_ISSUERS, why };
        let bundle = issuer.ca_cert_bundle_name;
        let bundle = bundle.ok_or_else(|| missing(format!("issuer {name} has no ca_cert_bundle_name")))?;
        let text = ca_cert_bundle(tx, &bundle)?;
        let text =
            text.ok_or_else(|| missing(format!("issuer {name} names a bundle {bundle:?}, which does not exist")))?;
        Ok(Some(Self { name: bundle, text }))
    }
}

fn replace(tx: &mut Tx, issuer: &str, mut keys: BTreeMap<String, KeyRecord>) -> Result<(), ConsortiumError> {
    let mut changed = Vec::new();
    for (kid, value) in tx.entries(KEYS) {
        let before = key_records(&value)?;
        let mut own = keys.remove(&stored::lossy(&kid));
        // In place, so that a set that did not change writes nothing.
        let kept = before.iter().cloned().filter_map(|key| if key.issuer == issuer { own.take() } else { Some(key) });
        let mut after: Vec<_> = kept.collect();
        after.extend(own);
        if after != before {
            changed.push((kid, after));
        }
    }
    changed.extend(keys.into_iter().map(|(kid, key)| (kid.into_bytes().into(), vec![key])));
    for (kid, records) in changed {
        match records.as_slice() {
            [] => tx.remove(KEYS, kid),
            records => tx.put(KEYS, kid, record::to_text(records)),
        }
    }
    Ok(())
}
