//! What governance says about evidence of joining nodes and about issuers of tokens.

use api::{ApiError, Output};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use kv::Tx;
use ledger::tables;
use serde_json::{Map, Value, json};

use crate::{json::answer, stored};

/// `GET /gov/service/join-policy`
///
/// # Errors
/// 500 if a record is damaged.
pub fn join_policy(tx: &mut Tx) -> Result<Output, ApiError> {
    Ok(answer(&json!({
        "sgx": { "measurements": allowed(tx, tables::NODES_CODE_IDS) },
        "snp": {
            "hostData": map(tx, tables::NODES_SNP_HOST_DATA)?,
            "measurements": allowed(tx, tables::NODES_SNP_MEASUREMENTS),
            "tcbVersions": map(tx, tables::NODES_SNP_TCB_VERSIONS)?,
            "uvmEndorsements": map(tx, tables::NODES_SNP_UVM_ENDORSEMENTS)?,
        },
        "virtual": {
            "hostData": keys(tx, tables::NODES_VIRTUAL_HOST_DATA),
            "measurements": allowed(tx, tables::NODES_VIRTUAL_MEASUREMENTS),
        },
    })))
}

/// `GET /gov/service/jwk`. Keys of every kind are shown (the reference fails with elliptic ones).
///
/// # Errors
/// 500 if a record is damaged.
pub fn jwk(tx: &mut Tx) -> Result<Output, ApiError> {
    let issuers = mapped(tx, tables::JWT_ISSUERS, &describe_issuer)?;
    let keys = mapped(tx, tables::JWT_PUBLIC_SIGNING_KEYS_METADATA, &describe_keys)?;
    let bundles = map(tx, tables::TLS_CA_CERT_BUNDLES)?;
    Ok(answer(&json!({ "caCertBundles": bundles, "issuers": issuers, "keys": keys })))
}

fn keys(tx: &mut Tx, table: &'static str) -> Vec<String> {
    tx.entries(table).iter().map(|(key, _)| stored::lossy(key)).collect()
}

/// The keys of a table whose value says so.
fn allowed(tx: &mut Tx, table: &'static str) -> Vec<String> {
    let entries = tx.entries(table);
    entries.iter().filter(|(_, value)| **value == *br#""AllowedToJoin""#).map(|(key, _)| stored::lossy(key)).collect()
}

fn map(tx: &mut Tx, table: &'static str) -> Result<Map<String, Value>, ApiError> {
    mapped(tx, table, &|value| value)
}

fn mapped(tx: &mut Tx, table: &'static str, describe: &dyn Fn(Value) -> Value) -> Result<Map<String, Value>, ApiError> {
    let describe = |(key, value): (Bytes, Bytes)| Ok((stored::lossy(&key), describe(stored::parse(table, &value)?)));
    tx.entries(table).into_iter().map(describe).collect()
}

fn describe_issuer(stored: Value) -> Value {
    let mut issuer = Map::new();
    issuer.insert("autoRefresh".into(), json!(stored.get("auto_refresh").and_then(Value::as_bool).unwrap_or_default()));
    if let Some(bundle) = stored.get("ca_cert_bundle_name").filter(|bundle| !bundle.is_null()) {
        issuer.insert("caCertBundleName".into(), bundle.clone());
    }
    Value::Object(issuer)
}

fn describe_keys(stored: Value) -> Value {
    let describe = |key: &Value| {
        let mut shown = json!({
            "constraint": key.get("constraint"),
            "issuer": key.get("issuer"),
            "publicKey": key.get("public_key").and_then(Value::as_str).and_then(pem),
        });
        if let (Some(members), Some(issuer)) = (shown.as_object_mut(), key.get("discovered_issuer")) {
            members.insert("discoveredIssuer".into(), issuer.clone());
        }
        shown
    };
    stored.as_array().into_iter().flatten().map(describe).collect()
}

/// PEM of a base64 SubjectPublicKeyInfo.
fn pem(base64: &str) -> Option<String> {
    let block = pem::Pem::new("PUBLIC KEY", STANDARD.decode(base64).ok()?);
    Some(pem::encode_config(&block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Consortium, body};

    #[test]
    fn the_first_node_may_join() {
        let mut tx = Consortium::accepted(1).tx();
        tx.put(tables::NODES_SNP_HOST_DATA, "ab", r#""package policy""#);
        tx.put(tables::NODES_SNP_UVM_ENDORSEMENTS, "did:x", r#"{"feed":{"svn":"100"}}"#);
        tx.put(tables::NODES_SNP_MEASUREMENTS, "cd", r#""Retired""#);
        let policy = body(&join_policy(&mut tx).unwrap());
        assert_eq!(policy["virtual"]["measurements"], json!(["Insecure hard-coded virtual measurement v1"]));
        assert_eq!(policy["virtual"]["hostData"], json!(["aa"]));
        assert_eq!(policy["sgx"], json!({"measurements": []}));
        assert_eq!(policy["snp"]["hostData"], json!({"ab": "package policy"}));
        assert_eq!(policy["snp"]["measurements"], json!([]));
        assert_eq!(policy["snp"]["uvmEndorsements"], json!({"did:x": {"feed": {"svn": "100"}}}));
    }

    #[test]
    fn issuers_keys_and_bundles_are_shown() {
        let mut tx = Consortium::accepted(1).tx();
        let empty = json!({"caCertBundles": {}, "issuers": {}, "keys": {}});
        assert_eq!(body(&jwk(&mut tx).unwrap()), empty);
        tx.put(
            tables::JWT_ISSUERS,
            "https://i",
            r#"{"issuer":"https://i","auto_refresh":true,"ca_cert_bundle_name":"b"}"#,
        );
        let key = crypto::SigningKey::generate(crypto::Curve::P256).unwrap();
        let spki = STANDARD.encode(key.public().spki_der());
        tx.put(
            tables::JWT_PUBLIC_SIGNING_KEYS_METADATA,
            "kid",
            format!(r#"[{{"public_key":"{spki}","issuer":"https://i"}}]"#),
        );
        tx.put(tables::TLS_CA_CERT_BUNDLES, "b", r#""PEM""#);
        let shown = body(&jwk(&mut tx).unwrap());
        assert_eq!(shown["issuers"]["https://i"], json!({"autoRefresh": true, "caCertBundleName": "b"}));
        assert_eq!(shown["caCertBundles"], json!({"b": "PEM"}));
        assert_eq!(
            shown["keys"]["kid"],
            json!([{"constraint": null, "issuer": "https://i", "publicKey": key.public().to_pem()}])
        );
    }
}
