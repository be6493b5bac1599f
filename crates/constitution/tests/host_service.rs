//! What a script in `apply` asks of the service while it runs, against real child processes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::{Memory, body, pool, run, run_in, threw};
use constitution::{Budget, Call, CertificateRequest, Context, Effect, Engine, Outcome, ScriptError, Tables};
use serde_json::json;

/// Makes a text of every request, unless it is for too long.
#[derive(Default)]
struct Maker {
    asked: Vec<CertificateRequest>,
}

impl Tables for Maker {
    fn get(&mut self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn entries(&mut self, _: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        Vec::new()
    }

    fn written(&mut self, _: &str, _: &[u8]) -> Option<u64> {
        None
    }

    fn certificate(&mut self, wanted: &CertificateRequest) -> Result<String, String> {
        self.asked.push(wanted.clone());
        match wanted {
            CertificateRequest::Endorsed { days, .. } | CertificateRequest::Network { days, .. } if *days > 365 => {
                Err("that is too long".to_owned())
            }
            _ => Ok(format!("certificate {}", self.asked.len())),
        }
    }
}

fn apply(text: &str) -> Call {
    let mut call = body(text);
    call.context = Context::Apply;
    call
}

fn ask(text: &str) -> (Result<Outcome, ScriptError>, Vec<CertificateRequest>) {
    let mut maker = Maker::default();
    let outcome = pool().run("member", &apply(text), &mut maker, &mut Budget::default());
    (outcome, maker.asked)
}

#[test]
fn certificates_come_back_into_the_script() {
    let text = "const n = ccf.network; return [n.generateEndorsedCertificate('csr', '261124034750Z', 5), n.generateNetworkCertificate('2026-11-24 03:47:50', 365)]";
    let (outcome, asked) = ask(text);
    assert_eq!(outcome.unwrap().value, json!(["certificate 1", "certificate 2"]));
    let endorsed =
        CertificateRequest::Endorsed { request: "csr".to_owned(), valid_from: "261124034750Z".to_owned(), days: 5 };
    let network = CertificateRequest::Network { valid_from: "2026-11-24 03:47:50".to_owned(), days: 365 };
    assert_eq!(asked, [endorsed, network]);
}

#[test]
fn what_the_service_refuses_is_an_exception() {
    let (outcome, _) = ask("ccf.network.generateNetworkCertificate('261124034750Z', 366)");
    assert_eq!(threw(outcome), "Error: that is too long");
    let (outcome, _) = ask("try { ccf.network.generateNetworkCertificate('', 366) } catch (e) { return e.message }");
    assert_eq!(outcome.unwrap().value, json!("that is too long"));
    let none = threw(run(&apply("ccf.network.generateNetworkCertificate('', 1)")));
    assert_eq!(none, "Error: no certificates are made here");
}

#[test]
fn what_cannot_be_asked_does_not_reach_the_service() {
    for days in ["0", "-1", "1.5", "NaN", "Infinity", "2 ** 32"] {
        let (outcome, asked) = ask(&format!("ccf.network.generateNetworkCertificate('', {days})"));
        let expected = "RangeError: a certificate is valid for a whole number of days, at least 1";
        assert_eq!((threw(outcome).as_str(), asked.len()), (expected, 0), "{days}");
    }
    for (arguments, expected) in [
        ("", "TypeError: Argument must be a string"),
        ("'csr', new Date(), 1", "TypeError: Argument must be a string"),
        ("'csr', '', '1'", "TypeError: Argument must be a number"),
        ("'x'.repeat(20000), '', 1", "Error: a certificate may be asked for with at most 16384 bytes"),
    ] {
        let (outcome, asked) = ask(&format!("ccf.network.generateEndorsedCertificate({arguments})"));
        assert_eq!((threw(outcome).as_str(), asked.len()), (expected, 0), "{arguments}");
    }
    let (outcome, asked) = ask("for (;;) ccf.network.generateNetworkCertificate('', 1)");
    assert_eq!(threw(outcome), "Error: a script may ask for at most 64 certificates");
    assert_eq!(asked.len(), 64);
}

#[test]
fn only_apply_asks() {
    for text in [
        "ccf.network.generateNetworkCertificate('', 1)",
        "ccf.setJwtPublicSigningKeys('https://i', {}, {keys: []})",
        "ccf.removeJwtPublicSigningKeys('https://i')",
    ] {
        let reason = threw(run(&body(text)));
        assert!(reason.starts_with("TypeError: "), "{text}: {reason}");
    }
    let mut early = apply("");
    early.module_text = format!("ccf.network.generateNetworkCertificate('', 1); {}", early.module_text);
    assert_eq!(threw(run(&early)), "Error: ccf.kv cannot be used while the module is evaluated");
    early.module_text = "ccf.removeJwtPublicSigningKeys('i'); export function f() {}".to_owned();
    assert_eq!(threw(run(&early)), "Error: ccf.node cannot be used while the module is evaluated");
}

#[test]
fn keys_of_issuers_are_effects_in_order() {
    let text = "ccf.removeJwtPublicSigningKeys('https://a'); ccf.node.triggerLedgerChunk();
        ccf.setJwtPublicSigningKeys('https://a', {auto_refresh: false}, {keys: [{kid: 'k', kty: 'RSA', n: 1.5}]})";
    let outcome = run(&apply(text)).unwrap();
    let issuer = || "https://a".to_owned();
    let jwks = json!({"keys": [{"kid": "k", "kty": "RSA", "n": 1.5}]});
    assert_eq!(
        outcome.effects,
        [
            Effect::RemoveJwtPublicSigningKeys { issuer: issuer() },
            Effect::ChunkLedger,
            Effect::SetJwtPublicSigningKeys { issuer: issuer(), jwks },
        ]
    );
    for arguments in ["'i', {}", "'i', {}, undefined", "1, {}, {}"] {
        let reason = threw(run(&apply(&format!("ccf.setJwtPublicSigningKeys({arguments})"))));
        assert_eq!(reason, "TypeError: Argument must be a string", "{arguments}");
    }
}

#[test]
fn the_latest_ledger_secret_is_the_one_of_the_last_record() {
    let table = "public:ccf.internal.historical_encrypted_ledger_secret";
    let latest = |record: Option<&str>| {
        let mut tables = Memory::default();
        if let Some(record) = record {
            tables.put(table, &[0; 8], record.as_bytes());
        }
        run_in(&pool(), &apply("return ccf.network.getLatestLedgerSecretSeqno()"), &mut tables).unwrap().value
    };
    assert_eq!(latest(None), json!(1));
    assert_eq!(latest(Some(r#"{"next_version":4}"#)), json!(4));
    // A rekey: the secret is used from the transaction after its own.
    assert_eq!(latest(Some(r#"{"previous_ledger_secret":{"encrypted_data":"x","version":1}}"#)), json!(8));
}

#[test]
fn what_would_not_fit_the_pipe_is_an_exception() {
    let big =
        "ccf.setJwtPublicSigningKeys('i', {}, 'x'.repeat(5e6)); ccf.setJwtPublicSigningKeys('i', {}, 'x'.repeat(5e6))";
    assert_eq!(threw(run(&apply(big))), "Error: what a script triggers may have at most 8388608 bytes");
    let nested = |levels: usize, end: &str| {
        run(&apply(&format!("let deep = 1; for (let i = 0; i < {levels}; i++) deep = [deep]; {end}")))
    };
    for end in ["return deep", "ccf.setJwtPublicSigningKeys('i', {}, deep)"] {
        assert!(nested(100, end).is_ok(), "{end}");
        for levels in 101..135 {
            let reason = threw(nested(levels, end));
            assert!(reason.starts_with("TypeError: "), "{levels} {end}: {reason}");
        }
    }
}
