//! Certificates and keys in proposals that are too large, too many or no text: refused by the name of the argument.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failure report")]

mod common;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common::consortium::{consortium, only};
use crypto::{MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_PEM_BYTES};
use serde_json::{Value, json};

fn pem(tag: &str, der: &[u8]) -> String {
    format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", STANDARD.encode(der))
}

#[test]
fn certificates_in_proposals_have_limits() {
    let (mut consortium, one) = consortium();
    let texts = [
        one.repeat(MAX_CERTIFICATES + 1),
        one.clone() + &" ".repeat(MAX_PEM_BYTES),
        pem("CERTIFICATE", &vec![0x30; MAX_CERTIFICATE_BYTES + 1]),
        pem("CERTIFICATE", &vec![0x30; 1000]),
        pem("CERTIFICATE", &[0x30, 0x80].repeat(2000)),
        one.replace("CERTIFICATE", "KEY"),
        one.replace('M', "\0"),
        String::new(),
    ];
    type Args = fn(&str) -> Value;
    let actions: [(&str, &str, Args); 3] = [
        ("set_member", "cert", |text| json!({ "cert": text })),
        ("set_user", "cert", |text| json!({ "cert": text })),
        ("set_ca_cert_bundle", "cert_bundle", |text| json!({"name": "x", "cert_bundle": text})),
    ];
    for (action, argument, args) in actions {
        assert_eq!(consortium.fault(action, args(&one)), None);
        for text in &texts {
            let expected = format!("Error: {argument} must be a valid X509 certificate (bundle) in PEM format");
            assert_eq!(consortium.fault(action, args(text)), Some(expected), "{action} {text:.100}");
        }
    }
    // Half a character is JSON for JavaScript only, and no certificate either.
    let halved = only("set_user", json!({"cert": "HERE"})).to_string().replace("HERE", "\\ud800");
    let refused = consortium.validate_text(&format!(r#"{{"actions":{halved}}}"#)).unwrap();
    assert!(refused.contains("set_user at position 0") && refused.contains("invalid utf-8"), "{refused}");
}

#[test]
fn encryption_keys_in_proposals_have_limits() {
    let (mut consortium, one) = consortium();
    for key in [pem("PUBLIC KEY", &vec![0x30; 500_000]), pem("PUBLIC KEY", &[]), "\0".repeat(1000), one.clone()] {
        let fault = consortium.fault("set_member", json!({"cert": one, "encryption_pub_key": key}));
        assert_eq!(fault.unwrap(), "Error: encryption_pub_key must be an RSA public key in PEM format");
    }
}
