use std::time::Duration;

use attestation::{Document, Trail, Verifier};
use evidence::{CvmAgent, EvidenceError, SkrAgent, Source};
use serde_json::{Value, json};

use crate::{
    genuine,
    server::{Reply, Server},
};

const LIMIT: Duration = Duration::from_secs(2);

/// The answer of a container's agent: the wire's spelling.
fn container() -> Value {
    let mut canned: Value = serde_json::from_slice(&genuine("caci/encryption/attestation.json")).unwrap();
    let part = canned["report"]["snpCACI"].take();
    json!({
        "evidence": part["attestation"],
        "endorsements": part["platformCertificates"],
        "uvm_endorsements": part["uvmEndorsements"],
        "endorsed_tcb": "db18000000000004",
    })
}

fn machine() -> Value {
    let mut canned: Value = serde_json::from_slice(&genuine("cvm/encryption/attestation.json")).unwrap();
    canned["report"]["snpCvm"].take()
}

fn answering(body: &Value) -> Server {
    let body = body.to_string().into_bytes();
    Server::start(move |_| Reply::Ok(body.clone()))
}

fn bound(document: &Document, key: &str) {
    let proven = Verifier::new(0).verify(document, &mut Trail::new()).unwrap();
    assert_eq!(proven.bound.check_key(&genuine(key)), Ok(()));
}

#[tokio::test]
async fn a_container_s_agent_is_asked_for_the_key() {
    let server = answering(&container());
    let agent = SkrAgent::at(&format!("{}/", server.url)).unwrap();
    let document = agent.evidence(b"a key").await.unwrap();
    bound(&document, "caci/encryption/pub_key.pem");
    let Document::Caci(evidence) = &document else { panic!("{document:?}") };
    assert_eq!(evidence.endorsed_tcb.as_deref(), Some("db18000000000004"));
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(request.line, "POST /attest/combined");
    assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), json!({"runtime_data": "YSBrZXk="}));
}

#[tokio::test]
async fn a_machine_s_agent_is_asked_for_the_digest_of_the_key() {
    let server = answering(&machine());
    let document = CvmAgent::at(&server.url).unwrap().evidence(b"a key").await.unwrap();
    bound(&document, "cvm/encryption/pub_key.pem");
    let [request] = &server.requests()[..] else { panic!("one request") };
    assert_eq!(request.line, "POST /snp/attest");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    // The nonce is the one of the genuine quote, and so is the form of what is bound.
    assert_eq!(body["nonce"], machine()["nonce"]);
    assert_eq!(body.as_object().unwrap().len(), 2);
    let decoded = base64(&body["reportData"]);
    assert_eq!(decoded, attestation::report_data_of(b"a key"));
    assert_eq!(decoded[32..], [0; 32]);
}

fn base64(value: &Value) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn evidence_of_the_other_platform_is_refused() {
    let server = answering(&machine());
    let error = SkrAgent::at(&server.url).unwrap().evidence(b"k").await.unwrap_err();
    assert!(matches!(&error, EvidenceError::Malformed { place, .. } if place.ends_with("/attest/combined")), "{error}");
    let server = answering(&container());
    let error = CvmAgent::at(&server.url).unwrap().evidence(b"k").await.unwrap_err();
    assert!(matches!(error, EvidenceError::Malformed { .. }), "{error}");
    let twice = Server::start(|_| Reply::Ok(br#"{"evidence":"","evidence":"","endorsements":""}"#.to_vec()));
    let error = SkrAgent::at(&twice.url).unwrap().evidence(b"k").await.unwrap_err();
    assert!(error.to_string().contains("duplicate member"), "{error}");
}

#[tokio::test]
async fn an_agent_that_misbehaves_is_named() {
    for (reply, expected) in [
        (Reply::Status(500), "/attest/combined answers 500"),
        (Reply::Status(204), "answers 204"),
        (Reply::Status(429), "asked too often"),
        (Reply::Elsewhere("http://127.0.0.1:9/".into()), "answers 302"),
        (Reply::Ok(b"x".to_vec()), "expected value"),
        (Reply::Endless, "answers more than 262144 bytes"),
        (Reply::Never, "no complete answer within 300ms"),
    ] {
        let server = Server::start(move |_| reply.clone());
        let agent = SkrAgent::within(&server.url, Duration::from_millis(300)).unwrap();
        let error = agent.evidence(b"k").await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&server.url), "{expected}: {error}");
    }
    let error = CvmAgent::within("http://127.0.0.1:9", LIMIT).unwrap().evidence(b"k").await.unwrap_err();
    assert!(matches!(error, EvidenceError::Unreachable { .. }), "{error}");
}
