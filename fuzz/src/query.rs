//! The queries of requests.

use api::Query;
use consortium::api_version::{ApiVersion, check};
use kv::TxId;

const NAMES: [&str; 6] = ["from_seqno", "to_seqno", "api-version", "transaction_id", "a", ""];

/// The bytes as a query, and as a value in one.
///
/// # Panics
/// If a value is not what was sent.
pub fn run(data: &[u8]) {
    let raw = String::from_utf8_lossy(data);
    let query = Query::parse(&raw);
    for name in NAMES {
        let value = query.get(name);
        assert_eq!(value, Query::parse(&raw).get(name), "parsed twice");
        // A byte that is no text becomes a sign of three.
        assert!(value.is_none_or(|value| value.len() <= 3 * data.len() && !value.contains(['&', '='])));
    }
    check_version(&query);
    if let Some(Ok(id)) = query.get("transaction_id").map(str::parse::<TxId>) {
        assert_eq!(id.to_string().parse::<TxId>().expect("it was written by us"), id);
    }
    // Decoding comes before splitting, as in the reference.
    let text: String = raw.chars().filter(|sign| !matches!(sign, '&' | '=')).collect();
    let written = format!("x=1&name={}&y=2", escaped(&text));
    assert_eq!(Query::parse(&written).get("name"), Some(text.as_str()));
}

fn check_version(query: &Query) {
    match check(query, ApiVersion::Preview) {
        Ok(_) => assert!(matches!(query.get("api-version"), Some("2024-07-01" | "2023-06-01-preview"))),
        Err(error) => {
            assert_eq!(error.status, 400);
            let asked = query.get("api-version").map_or(0, str::len);
            assert!(error.message.len() <= 300 + asked, "{} bytes", error.message.len());
        }
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}
