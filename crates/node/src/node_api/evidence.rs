use ::ledger::tables;
use api::Input;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{json, network, not_found, of_state, reading};
use crate::{inside::Inside, reply::Answered};

/// `GET /node/quotes`
pub(crate) fn quotes(inside: &Inside, _: &Input) -> Answered {
    all(inside, "quotes")
}

/// `GET /node/attestations`
pub(crate) fn attestations(inside: &Inside, _: &Input) -> Answered {
    all(inside, "attestations")
}

/// `GET /node/quotes/self` and `GET /node/attestations/self`
pub(crate) fn quote_self(inside: &Inside, _: &Input) -> Answered {
    let (tx, id) = (reading(inside), &inside.service.node().node_id);
    let stored = tx.base().get(tables::NODES_INFO, id.as_bytes());
    let record = stored.and_then(|stored| serde_json::from_slice::<Value>(&stored.value).ok());
    let record = record.ok_or_else(|| not_found("Could not find node quote."))?;
    of_state(json(&describe(id, &record)), &tx)
}

fn all(inside: &Inside, name: &str) -> Answered {
    let tx = reading(inside);
    let trusted = network::records(tx.base()).filter(|(_, record, _)| network::status(record) == "Trusted");
    let quotes: Vec<Value> = trusted.map(|(id, record, _)| describe(&id, &record)).collect();
    of_state(json(&json!({ name: quotes })), &tx)
}

/// The evidence in the record of a node, under the names of this endpoint.
fn describe(id: &str, record: &Value) -> Value {
    let info = record.get("quote_info").cloned().unwrap_or_default();
    let field = |name: &str| info.get(name).cloned().unwrap_or_default();
    let mut quote = Map::new();
    quote.insert("endorsements".into(), field("endorsements"));
    quote.insert("format".into(), field("format"));
    quote.insert("measurement".into(), measurement(&info).unwrap_or_default().into());
    quote.insert("node_id".into(), id.into());
    quote.insert("raw".into(), field("quote"));
    if let Some(endorsements) = info.get("uvm_endorsements") {
        quote.insert("uvm_endorsements".into(), endorsements.clone());
    }
    Value::Object(quote)
}

/// Hex of what was measured, read from the evidence itself.
fn measurement(info: &Value) -> Option<String> {
    let raw = STANDARD.decode(info.get("quote")?.as_str()?).ok()?;
    match info.get("format")?.as_str()? {
        "Insecure_Virtual" => {
            let evidence: Value = serde_json::from_slice(&raw).ok()?;
            Some(hex::encode(evidence.get("measurement")?.as_str()?))
        }
        // SEV-SNP ABI, attestation report: MEASUREMENT, 48 bytes at 0x90.
        "AMD_SEV_SNP_v1" => raw.get(0x90..0x90 + 48).map(hex::encode),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_read_from_the_evidence() {
        let info = |format: &str, raw: &[u8]| json!({"format": format, "quote": STANDARD.encode(raw)});
        let virtual_evidence = json!({"measurement": "ab"}).to_string();
        assert_eq!(measurement(&info("Insecure_Virtual", virtual_evidence.as_bytes())), Some("6162".into()));
        let mut report = vec![0; 0x4a0];
        report[0x90] = 7;
        assert!(measurement(&info("AMD_SEV_SNP_v1", &report)).unwrap().starts_with("0700"));
        assert_eq!(measurement(&info("AMD_SEV_SNP_v1", b"short")), None);
    }

    #[test]
    fn quotes_have_the_recorded_members() {
        let record = json!({"quote_info": {"endorsements": "", "format": "Insecure_Virtual", "quote": "e30="}});
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&describe("n", &record)), ["endorsements", "format", "measurement", "node_id", "raw"]);
    }
}
