use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Caci, Cvm, Document, Virtual, odd};
use crate::Result;

/// Most bytes that evidence binds.
const MOST_BOUND: usize = 64;

/// The field names of the wire, and those of canned files.
#[derive(Deserialize)]
struct Container {
    #[serde(alias = "attestation")]
    evidence: String,
    #[serde(alias = "platformCertificates")]
    endorsements: String,
    #[serde(default, alias = "uvmEndorsements")]
    uvm_endorsements: Option<String>,
    #[serde(default, alias = "endorsedTcb")]
    endorsed_tcb: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Machine {
    evidence: MachineEvidence,
    nonce: String,
    platform_certificates: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MachineEvidence {
    tpm_quote: String,
    hcl_report: String,
    #[serde(default)]
    snp_report: Option<String>,
    #[serde(default)]
    aik_cert: Option<String>,
    pcrs: BTreeMap<String, String>,
}

/// `raw` of a quote of CCF's kind `Insecure_Virtual` (ccf-substrate 5.2).
#[derive(Deserialize)]
struct Unprotected {
    measurement: String,
    host_data: String,
    report_data: String,
}

/// Evidence of whatever platform its members show.
pub(super) fn read(json: Value) -> Result<Document> {
    let Value::Object(mut object) = json else { return Err(odd("JSON that is no object")) };
    if let Some(report) = object.remove("report") {
        return canned(report);
    }
    let json = Value::Object(object);
    match json {
        Value::Object(ref object) if object.contains_key("host_data") => unprotected(json).map(Document::Virtual),
        Value::Object(ref object) if has_object(object, "evidence") => machine(json).map(Document::Cvm),
        _ => container(json).map(Document::Caci),
    }
}

fn has_object(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name).is_some_and(Value::is_object)
}

/// The member `report` of a canned file.
fn canned(report: Value) -> Result<Document> {
    let Value::Object(mut parts) = report else { return Err(odd("a report that is no object")) };
    match (parts.remove("snpCACI"), parts.remove("snpCvm")) {
        (Some(part), None) => container(part).map(Document::Caci),
        (None, Some(part)) => machine(part).map(Document::Cvm),
        _ => Err(odd("a report with neither or both of snpCACI and snpCvm")),
    }
}

pub(super) fn container(json: Value) -> Result<Caci> {
    let shape: Container = typed(json)?;
    let chain = decode("endorsements", &shape.endorsements)?;
    // Agents send empty texts for what they do not have.
    let there = |text: &String| !text.is_empty();
    let uvm = shape.uvm_endorsements.filter(there);
    Ok(Caci {
        report: decode("evidence", &shape.evidence)?,
        chain: String::from_utf8(chain).map_err(|_| odd("endorsements that are not text"))?,
        uvm_endorsements: uvm.map(|text| decode("uvm_endorsements", &text)).transpose()?,
        endorsed_tcb: shape.endorsed_tcb.filter(there),
    })
}

pub(super) fn machine(json: Value) -> Result<Cvm> {
    let Machine { evidence, nonce, platform_certificates } = typed(json)?;
    let optional = |name, text: Option<String>| text.map(|text| decode(name, &text)).transpose();
    Ok(Cvm {
        quote: decode("tpmQuote", &evidence.tpm_quote)?,
        hcl_report: decode("hclReport", &evidence.hcl_report)?,
        snp_report: optional("snpReport", evidence.snp_report)?,
        aik_certificate: optional("aikCert", evidence.aik_cert)?,
        pcrs: evidence.pcrs.iter().map(register).collect::<Result<_>>()?,
        nonce: decode("nonce", &nonce)?,
        chain: platform_certificates,
    })
}

pub(super) fn unprotected(json: Value) -> Result<Virtual> {
    let shape: Unprotected = typed(json)?;
    let mut host_data = [0; 32];
    hex::decode_to_slice(&shape.host_data, &mut host_data).map_err(|why| odd(format!("host_data: {why}")))?;
    let report_data = decode("report_data", &shape.report_data)?;
    if report_data.len() > MOST_BOUND {
        return Err(odd(format!("report_data of {} bytes; {MOST_BOUND} can be bound", report_data.len())));
    }
    Ok(Virtual { measurement: shape.measurement, host_data, report_data })
}

/// A register by its number, written as JSON keys are: without zeros before it.
fn register((name, value): (&String, &String)) -> Result<(u8, [u8; 32])> {
    let number = name.parse::<u8>().ok().filter(|number| number.to_string() == *name);
    let number = number.ok_or_else(|| odd(format!("a register of the name {name:?}")))?;
    let value = decode("pcrs", value)?;
    let length = value.len();
    let value = value.try_into().map_err(|_| odd(format!("register {number} of {length} bytes; SHA-256 has 32")))?;
    Ok((number, value))
}

fn typed<T: DeserializeOwned>(json: Value) -> Result<T> {
    serde_json::from_value(json).map_err(odd)
}

/// Base64 with its padding, in the one way to write it.
fn decode(name: &str, text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|why| odd(format!("{name} that is not base64: {why}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(json: &Value) -> String {
        Document::from_json(json.to_string().as_bytes()).unwrap_err().found
    }

    #[test]
    fn what_is_odd_is_named() {
        let container = |name: &str, value: Value| {
            let mut json = json!({"evidence": "AA==", "endorsements": "AA=="});
            json[name] = value;
            found(&json)
        };
        for (name, value, expected) in [
            ("evidence", json!("A"), "evidence that is not base64"),
            ("evidence", json!("AB=="), "evidence that is not base64"),
            ("evidence", json!("AA"), "evidence that is not base64"),
            ("evidence", json!("_w=="), "evidence that is not base64"),
            ("evidence", json!("AA==\n"), "evidence that is not base64"),
            ("evidence", json!(1), "invalid type: integer"),
            ("endorsements", json!("/w=="), "endorsements that are not text"),
            ("endorsements", json!("?"), "endorsements that is not base64"),
            ("uvm_endorsements", json!("?"), "uvm_endorsements that is not base64"),
            ("attestation", json!("AA=="), "duplicate field `evidence`"),
            ("endorsed_tcb", json!(1), "invalid type: integer"),
        ] {
            let found = container(name, value);
            assert!(found.contains(expected), "{name}: {found}");
        }
    }

    #[test]
    fn shapes_without_a_platform() {
        for (json, expected) in [
            (json!([]), "no object"),
            (json!({}), "missing field `evidence`"),
            (json!({"report": []}), "a report that is no object"),
            (json!({"report": {}}), "neither or both"),
            (json!({"report": {"snpCACI": {}, "snpCvm": {}}}), "neither or both"),
            (json!({"report": {"snpCACI": {}}}), "missing field `evidence`"),
            (json!({"evidence": {}}), "missing field `tpmQuote`"),
            (json!({"host_data": "00"}), "missing field `measurement`"),
        ] {
            let found = found(&json);
            assert!(found.contains(expected), "{json}: {found}");
        }
    }

    #[test]
    fn registers_are_named_by_their_numbers() {
        let zeros = STANDARD.encode([0; 32]);
        let pcrs = |name: &str, value: &str| register((&name.to_owned(), &value.to_owned()));
        assert_eq!(pcrs("23", &zeros).unwrap(), (23, [0; 32]));
        for name in ["00", "+1", "", "256", "x", " 1"] {
            assert!(pcrs(name, &zeros).unwrap_err().found.contains("a register of the name"), "{name:?}");
        }
        assert!(pcrs("1", "AA==").unwrap_err().found.contains("register 1 of 1 bytes"));
        assert!(pcrs("1", "?").unwrap_err().found.contains("pcrs that is not base64"));
    }

    #[test]
    fn an_unprotected_node_says_three_things() {
        let json = |host_data: &str, report_data: &[u8]| json!({"measurement": "m", "host_data": host_data, "report_data": STANDARD.encode(report_data)});
        let read = |json: &Value| Document::from_json(json.to_string().as_bytes());
        let expected = Virtual { measurement: "m".into(), host_data: [0xab; 32], report_data: vec![7; 64] };
        assert_eq!(read(&json(&"ab".repeat(32), &[7; 64])).unwrap(), Document::Virtual(expected));
        assert!(found(&json("ab", &[])).contains("host_data"));
        assert!(found(&json(&"ab".repeat(32), &[7; 65])).contains("report_data of 65 bytes"));
    }

    #[test]
    fn a_member_is_named_once() {
        for text in [
            r#"{"evidence":"AA==","endorsements":"AA==","evidence":"AA=="}"#,
            r#"{"evidence":"AA==","endorsements":"AA==","other":1,"other":2}"#,
            r#"{"evidence":{"pcrs":{"0":"","0":""}}}"#,
        ] {
            assert!(Document::from_json(text.as_bytes()).unwrap_err().found.contains("duplicate member"), "{text}");
        }
    }

    #[test]
    fn a_platform_takes_its_own_evidence_only() {
        use crate::Platform::{SnpCaci, SnpCvm, Virtual};
        let container = json!({"evidence": "AA==", "endorsements": ""});
        assert!(Document::of_platform(SnpCaci, container.clone()).is_ok());
        assert!(Document::of_platform(SnpCvm, container.clone()).is_err());
        assert!(Document::of_platform(Virtual, container).is_err());
    }

    #[test]
    fn a_document_has_a_bound() {
        let json = |bytes: usize| format!("{{\"x\":\"{}\"}}", "a".repeat(bytes - 8));
        let found = |bytes| Document::from_json(json(bytes).as_bytes()).unwrap_err().found;
        assert!(found(256 * 1024 + 1).contains("262145 bytes"));
        assert!(found(256 * 1024).contains("missing field"));
    }
}
