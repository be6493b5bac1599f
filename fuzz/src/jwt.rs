//! Bearer tokens.

use std::sync::OnceLock;

use api::Token;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use consortium::jwt::key_records;
use crypto::{Curve, SigningKey};
use node::authn::jwt::{MAX_TOKEN_BYTES, verify};
use serde_json::json;

const NOW: i64 = 1_700_000_000;
const CONSTRAINT: &str = "https://login.microsoftonline.com/{tenantid}/v2.0";

/// The bytes as a token; and their first two lines as header and payload of a token that its issuer has signed, once with
/// a constraint and once without.
///
/// # Panics
/// If a token is taken that must not be.
pub fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(check(text, None).is_none(), "nobody has signed this");
    }
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let (header, payload) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let token = sign(header, payload);
    let free = check(&token, None);
    if let Some(token) = check(&token, Some(CONSTRAINT)) {
        let claim = |name: &str| token.payload.get(name).and_then(|claim| claim.as_str());
        let records = key_records(&record(Some(CONSTRAINT))).expect("a sound record");
        assert_eq!(records[0].check_claims(claim("iss").expect("it was checked"), claim("tid")), Ok(()));
        assert_eq!(free.as_ref(), Some(&token), "a constraint takes nothing more");
    }
}

fn check(text: &str, constraint: Option<&str>) -> Option<Token> {
    match verify(text, &mut |kid| (kid == "k").then(|| record(constraint)), NOW) {
        Ok(token) => {
            assert!(text.len() <= MAX_TOKEN_BYTES);
            assert_eq!(token.header["alg"], "ES256");
            assert!(token.payload["exp"].as_f64().is_some_and(|exp| exp >= NOW as f64));
            assert!(token.payload["iss"].is_string());
            Some(token)
        }
        Err(reason) => {
            assert!(!reason.is_empty() && reason.len() <= 8 * MAX_TOKEN_BYTES, "{}", reason.len());
            None
        }
    }
}

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Curve::P256).expect("a key"))
}

fn record(constraint: Option<&str>) -> Bytes {
    let mut record = json!({"issuer": "https://i", "public_key": STANDARD.encode(key().public().spki_der())});
    if let Some(constraint) = constraint {
        record["constraint"] = constraint.into();
    }
    json!([record]).to_string().into()
}

fn sign(header: &[u8], payload: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key().sign(signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
