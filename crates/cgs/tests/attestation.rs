//! `cgs attestation verify` on genuine evidence, and on changed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failure report of a test")]

mod support;

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use support::Person;

/// A person with a directory, and the genuine evidence.
struct Place {
    scratch: tempfile::TempDir,
    person: Person,
}

impl Place {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let person = Person::new(scratch.path(), "config/cgs");
        Self { scratch, person }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &str {
        fs::write(self.scratch.path().join(name), content).unwrap();
        Box::leak(name.to_owned().into_boxed_str())
    }

    fn verify(&self, arguments: &str) -> support::Finished {
        self.person.say(&format!("attestation verify {arguments}"))
    }
}

fn genuine(name: &str) -> String {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation");
    data.join(name).canonicalize().unwrap().display().to_string()
}

fn outcomes(json: &Value) -> Vec<&str> {
    json["checks"].as_array().unwrap().iter().map(|check| check["outcome"].as_str().unwrap()).collect()
}

#[test]
fn genuine_evidence_of_every_shape_is_verified() {
    let place = Place::new();
    let wire = {
        let mut canned: Value =
            serde_json::from_slice(&fs::read(genuine("caci/signing/attestation.json")).unwrap()).unwrap();
        let part = canned["report"]["snpCACI"].take();
        json!({"evidence": part["attestation"], "endorsements": part["platformCertificates"], "uvm_endorsements": part["uvmEndorsements"]})
    };
    let machine = {
        let mut canned: Value =
            serde_json::from_slice(&fs::read(genuine("cvm/encryption/attestation.json")).unwrap()).unwrap();
        canned["report"]["snpCvm"].take()
    };
    for (arguments, platform, claim) in [
        (genuine("caci/encryption/attestation.json"), "snp-caci", "uvm_endorsements-feed"),
        (genuine("cvm/encryption/attestation.json"), "snp-cvm", "pcr23"),
        (place.write("wire.json", wire.to_string()).to_owned(), "snp-caci", "x-ms-sevsnpvm-hostdata"),
        (place.write("machine.json", machine.to_string()).to_owned(), "snp-cvm", "pcr0"),
        (format!("{} --chain {}", genuine("genoa/report.bin"), genuine("genoa/chain.pem")), "snp-caci", "x-ms-ver"),
        (format!("{} --chain {}", genuine("vlek/report.bin"), genuine("vlek/chain.pem")), "snp-caci", "x-ms-ver"),
    ] {
        let json = place.verify(&format!("{arguments} --output json")).json(0);
        assert_eq!((&json["verified"], &json["platform"]), (&json!(true), &json!(platform)), "{arguments}");
        assert!(outcomes(&json).iter().all(|outcome| *outcome == "passed"), "{arguments}");
        assert!(json["claims"].get(claim).is_some(), "{arguments}: {json}");
        assert!(json.get("policy").is_none() && json.get("key").is_none());
    }
}

#[test]
fn people_see_each_check_the_processor_and_the_claims() {
    let place = Place::new();
    let text = place.verify(&genuine("caci/encryption/attestation.json")).ended_with(0);
    for part in [
        "verdict:   verified\n",
        "✓ report.signature       The signature of the report fits its bytes and the key of the chip.",
        "✓ uvm.measurement",
        "product:      AMD EPYC, Milan-B0 (Milan)",
        "ARK-Milan, built in, key 9f056bee4437…",
        "firmware:     boot_loader 4, tee 0, snp 24, microcode 219 (db18000000000004)",
        "uvm_endorsements-svn:             \"103\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let lent = place.verify(&format!("{} --chain {}", genuine("vlek/report.bin"), genuine("vlek/chain.pem")));
    assert!(lent.ended_with(0).contains("VLEK, lent to CN=cc-eu-west-1.amazonaws.com"));
}

#[test]
fn a_check_that_fails_is_explained_and_the_others_are_not_reached() {
    let place = Place::new();
    let mut report = fs::read(genuine("genoa/report.bin")).unwrap();
    report[0x50] ^= 1;
    let changed = place.write("changed.bin", &report);
    let arguments = format!("{changed} --chain {}", genuine("genoa/chain.pem"));
    let text = place.verify(&arguments).ended_with(14);
    assert!(text.contains("NOT VERIFIED: SEV-SNP: Chip certificate (VCEK) did not sign this attestation"), "{text}");
    assert!(text.contains("✗ report.signature") && !text.contains("what it says"), "{text}");
    let json = place.verify(&format!("{arguments} --output json")).json(14);
    assert_eq!(json["verified"], false);
    let outcomes = outcomes(&json);
    assert_eq!((outcomes[0], *outcomes.last().unwrap()), ("passed", "failed"));
    let json = place.verify(&format!("{changed} --chain {} --output json", genuine("vlek/chain.pem"))).json(14);
    let failed: Vec<&Value> =
        json["checks"].as_array().unwrap().iter().filter(|check| check["outcome"] == "failed").collect();
    assert_eq!((failed.len(), &failed[0]["check"]), (1, &json!("chain.family")));
    assert!(self::outcomes(&json).ends_with(&["failed", "not reached", "not reached", "not reached", "not reached"]));
    assert!(json.get("claims").is_none() && json.get("processor").is_none());
}

#[test]
fn what_is_no_evidence_is_said_so() {
    let place = Place::new();
    for (content, part) in [
        (&b"{}"[..], "missing field `evidence`"),
        (b"[1]", "no object"),
        (b"\xff\xfe", "expected value"),
        (br#"{"evidence":"?","endorsements":""}"#, "evidence that is not base64"),
        (br#"{"evidence":"","evidence":""}"#, "duplicate member"),
    ] {
        let file = place.write("odd", content);
        let text = place.verify(file).ended_with(14);
        assert!(text.contains("✗ document.format") && text.contains(part), "{part}: {text}");
    }
    let bare = genuine("genoa/report.bin");
    assert!(place.verify(&bare).ended_with(1).contains("say --chain"));
    place.verify("missing.json").ended_with(1);
    place.verify("").ended_with(2);
    let large = place.write("large", vec![b' '; (1 << 20) + 1]);
    assert!(place.verify(large).ended_with(1).contains("longer than"));
    let unprotected = json!({"measurement": "m", "host_data": "00".repeat(32), "report_data": ""}).to_string();
    let text = place.verify(place.write("virtual.json", unprotected)).ended_with(14);
    assert!(text.contains("✗ virtual.allowed") && text.contains("platform:  virtual"), "{text}");
}

#[test]
fn a_policy_is_explained_claim_by_claim() {
    let place = Place::new();
    let evidence = genuine("caci/encryption/attestation.json");
    let host = "73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20";
    let good = json!({"x-ms-sevsnpvm-hostdata": [host], "uvm_endorsements-svn": [100]});
    let good = place.write("good.json", json!({"policy": good, "proposalIds": []}).to_string());
    let bad = json!({"x-ms-sevsnpvm-hostdata": ["ab", "cd"], "x-ms-sevsnpvm-vmpl": [0], "other": []});
    let bad = place.write("bad.json", json!({"type": "add", "claims": bad}).to_string());
    let text = place.verify(&format!("{evidence} --policy {good}")).ended_with(0);
    assert!(text.contains("policy: met") && text.contains("✓ uvm_endorsements-svn: \"103\""), "{text}");
    let text = place.verify(&format!("{evidence} --policy {bad}")).ended_with(13);
    for part in [
        "verdict:   verified, and NOT what was asked for",
        "policy: NOT met",
        &format!("✗ x-ms-sevsnpvm-hostdata: wanted \"ab\" or \"cd\"; found \"{host}\""),
        "✓ x-ms-sevsnpvm-vmpl: 0",
        "✗ other: nothing is accepted; found nothing",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = place.verify(&format!("{evidence} --policy {bad} --policy {good} --output json")).json(0);
    assert_eq!((&json["policy"]["met"], &json["policy"]["closest"]), (&json!(true), &json!("good.json")));
    let empty = place.write("empty.json", "{}");
    let text = place.verify(&format!("{evidence} --policy {bad} --policy {empty}")).ended_with(13);
    assert!(text.contains("bad.json: NOT met, but closer") && text.contains("empty.json: empty"), "{text}");
    let odd = place.write("odd.json", r#"{"a": 1}"#);
    assert!(place.verify(&format!("{evidence} --policy {odd}")).ended_with(1).contains("\"a\""));
}

#[test]
fn d16_the_registers_of_a_machine_are_compared_with_a_policy() {
    let place = Place::new();
    let evidence = genuine("cvm/encryption/attestation.json");
    let canned: Value = serde_json::from_slice(&fs::read(&evidence).unwrap()).unwrap();
    let value = &canned["report"]["snpCvm"]["evidence"]["pcrs"]["4"];
    let policy = place.write("policy.json", json!({"pcr4": [value]}).to_string());
    place.verify(&format!("{evidence} --policy {policy}")).ended_with(0);
    let policy = place.write("policy.json", json!({"pcr5": [value]}).to_string());
    place.verify(&format!("{evidence} --policy {policy}")).ended_with(13);
}

#[test]
fn a_key_is_bound_byte_for_byte() {
    let place = Place::new();
    let (container, machine) =
        (genuine("caci/encryption/attestation.json"), genuine("cvm/encryption/attestation.json"));
    let key = |name: &str| genuine(&format!("{name}/encryption/pub_key.pem"));
    let text = place.verify(&format!("{container} --key {}", key("caci"))).ended_with(0);
    assert!(text.contains("✓ bound"), "{text}");
    place.verify(&format!("{machine} --key {}", key("cvm"))).ended_with(0);
    let text = place.verify(&format!("{container} --key {}", key("cvm"))).ended_with(13);
    assert!(text.contains("Attestation report_data value did not match calculated value."), "{text}");
    let json = place.verify(&format!("{machine} --key {} --output json", key("caci"))).json(13);
    assert_eq!(
        json["key"],
        json!({"bound": false, "reason": "Attestation runtimeClaims user-data value did not match calculated value."})
    );
    let longer = place.write("longer.pem", [fs::read(key("caci")).unwrap(), b"\n".to_vec()].concat());
    place.verify(&format!("{container} --key {longer}")).ended_with(13);
}

#[test]
fn what_strangers_write_does_not_reach_the_terminal() {
    let place = Place::new();
    let file = place.write("odd.json", "{\"evidence\":{\"pcrs\":{\"\\u001b[2K\\n✓ x\":\"\"},\"tpmQuote\":\"\",\"hclReport\":\"\"},\"nonce\":\"\",\"platformCertificates\":\"\"}");
    let text = place.verify(file).ended_with(14);
    assert!(!text.contains('\u{1b}') && text.contains("a register of the name"), "{text}");
}

#[test]
fn the_help_has_examples_and_exit_codes() {
    let help = Place::new().verify("--help").ended_with(0);
    for part in ["cgs attestation verify attestation.json --policy policy.json", "Exit codes: 0 verified", "--chain"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
