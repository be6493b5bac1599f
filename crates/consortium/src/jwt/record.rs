use base64::{Engine as _, engine::general_purpose::STANDARD};
use kv::Tx;
use ledger::tables;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    KEYS,
    constraint::{admits, admits_discovered},
};
use crate::{ConsortiumError, stored};

/// The record in `jwt.issuers`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Issuer {
    /// Whether its keys are fetched from it.
    #[serde(default)]
    pub auto_refresh: bool,
    /// The certificates that it is known by then.
    #[serde(default)]
    pub ca_cert_bundle_name: Option<String>,
}

/// One key under a key id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// SubjectPublicKeyInfo DER.
    pub public_key: Vec<u8>,
    /// The issuer that it is registered for.
    pub issuer: String,
    /// Whose tokens it signs, as the key itself says.
    pub constraint: Option<String>,
    /// Whose tokens it signs, as the discovery document says; only if the key itself says nothing.
    pub discovered_issuer: Option<String>,
}

impl KeyRecord {
    /// Checks that the key may sign tokens with these claims.
    ///
    /// # Errors
    /// The constraint that they do not satisfy.
    pub fn check_claims(&self, iss: &str, tid: Option<&str>) -> Result<(), &str> {
        match (self.constraint.as_deref(), self.discovered_issuer.as_deref()) {
            (Some(constraint), _) if !admits(constraint, iss, tid) => Err(constraint),
            (None, Some(discovered)) if !admits_discovered(discovered, iss, tid) => Err(discovered),
            _ => Ok(()),
        }
    }
}

/// As stored; members sorted, as the reference writes them.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constraint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    discovered_issuer: Option<String>,
    issuer: String,
    public_key: String,
}

/// The record of an issuer.
///
/// # Errors
/// [`ConsortiumError::Stored`]
pub fn issuer(tx: &mut Tx, name: &str) -> Result<Option<Issuer>, ConsortiumError> {
    stored::json(tx, tables::JWT_ISSUERS, name.as_bytes())
}

/// A bundle of certificates: PEM, stored as a JSON string.
///
/// # Errors
/// [`ConsortiumError::Stored`]
pub fn ca_cert_bundle(tx: &mut Tx, name: &str) -> Result<Option<String>, ConsortiumError> {
    stored::json(tx, tables::TLS_CA_CERT_BUNDLES, name.as_bytes())
}

/// The keys under one key id, from the value of the table.
///
/// # Errors
/// [`ConsortiumError::Stored`]
pub fn key_records(value: &[u8]) -> Result<Vec<KeyRecord>, ConsortiumError> {
    let wrong = |why: String| ConsortiumError::Stored { table: KEYS, why };
    let list: Vec<Stored> = serde_json::from_slice(value).map_err(|why| wrong(why.to_string()))?;
    let read = |Stored { constraint, discovered_issuer, issuer, public_key }| match STANDARD.decode(public_key) {
        Ok(public_key) => Ok(KeyRecord { public_key, issuer, constraint, discovered_issuer }),
        Err(why) => Err(wrong(format!("public_key is not base64: {why}"))),
    };
    list.into_iter().map(read).collect()
}

pub(super) fn to_text(records: &[KeyRecord]) -> String {
    let write = |key: &KeyRecord| Stored {
        constraint: key.constraint.clone(),
        discovered_issuer: key.discovered_issuer.clone(),
        issuer: key.issuer.clone(),
        public_key: STANDARD.encode(&key.public_key),
    };
    json!(records.iter().map(write).collect::<Vec<_>>()).to_string()
}
