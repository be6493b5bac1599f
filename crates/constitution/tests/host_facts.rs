//! What scripts are told about keys, signatures and processors, against real child processes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use std::time::Duration;

use common::{Memory, body, call, pool, run, threw};
use constitution::{Budget, Call, Engine, Outcome, RuntimeLimits, ScriptError};
use serde_json::json;

#[test]
fn versions_of_processors_are_taken_apart() {
    let policy = |cpuid: &str, version: &str| {
        run(&body(&format!("return JSON.stringify(ccf.tcbHexToPolicy('{cpuid}', '{version}'))"))).map(|done| done.value)
    };
    let milan = r#"{"boot_loader":4,"hexstring":"d315000000000004","microcode":211,"snp":21,"tee":0}"#;
    assert_eq!(policy("00a00f11", "d315000000000004"), Ok(json!(milan)));
    let turin = r#"{"boot_loader":2,"fmc":1,"hexstring":"5000000004030201","microcode":80,"snp":4,"tee":3}"#;
    assert_eq!(policy("00b00f21", "5000000004030201"), Ok(json!(turin)));
    let error = threw(run(&body("ccf.tcbHexToPolicy('00a00f11', '1')")));
    assert_eq!(error, "Error: TCB version \"1\" must be 16 hexadecimal digits");
    assert_eq!(threw(run(&body("ccf.tcbHexToPolicy(1, '')"))), "TypeError: Argument must be a string");
}

#[test]
fn signatures_are_verified() {
    let key = crypto::SigningKey::generate(crypto::Curve::P256).unwrap();
    let validity = crypto::issue::Validity { from: 1_700_000_000, days: 90 };
    let certificate = crypto::issue::self_signed(&key, "x", &[], validity).unwrap();
    let signature = key.sign(b"message").unwrap();
    let mut call = call(
        "export function f(key, certificate, signature) {
            const verify = (key, text, algorithm = {name: 'ECDSA', hash: 'SHA-256'}) =>
                ccf.crypto.verifySignature(algorithm, key, new Uint8Array(signature).buffer, ccf.strToBuf(text));
            const refused = (...all) => { try { return verify(...all) } catch (e) { return String(e) } };
            return [verify(key, 'message'), verify(certificate, 'message'), verify(key, 'massage'),
                refused(key, '', {name: 'HMAC'}), refused(key, '', {name: 'ECDSA', hash: 'SHA-384'}),
                refused(key, '', {name: 'RSA-PSS', hash: 'SHA-256'}),
                refused(key, '', {name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32}), refused('no', '')] }",
    );
    call.arguments = vec![json!(key.public().to_pem()), json!(certificate.to_pem()), json!(signature)];
    let expected = json!([
        true,
        true,
        false,
        "RangeError: Unsupported signing algorithm, supported: RSA-PSS, ECDSA, EdDSA",
        "RangeError: Unsupported hash algorithm, supported: SHA-256",
        "RangeError: Unsupported salt length, supported: 32 (say so with saltLength)",
        "Error: Failed to verify signature: not a usable public key: not for signatures of this kind",
        "Error: Failed to verify signature: not a usable public key: malformedframing",
    ]);
    assert_eq!(run(&call).unwrap().value, expected);
}

#[test]
fn public_keys_become_jwks_and_come_back() {
    let (rsa, _) = crypto::wrap::generate_rsa_pair().unwrap();
    let ec = crypto::SigningKey::generate(crypto::Curve::P384).unwrap().public().to_pem();
    let ed = crypto::KeyParts::Okp { curve: crypto::OkpCurve::Ed25519, x: [7; 32] }.to_pem().unwrap();
    let mut call = call(
        "export function f(rsa, ec, ed) { const c = ccf.crypto;
            const jwks = [c.pubPemToJwk(ec, 'me'), c.pubRsaPemToJwk(rsa), c.pubEddsaPemToJwk(ed)];
            const same = [c.pubJwkToPem(jwks[0]) === ec, c.pubRsaJwkToPem(jwks[1]) === rsa, c.pubEddsaJwkToPem(jwks[2]) === ed];
            return [same, jwks.map((jwk) => Object.keys(jwk).join()), jwks[0].kid, jwks[2].crv] }",
    );
    call.arguments = vec![json!(rsa), json!(ec), json!(ed)];
    let expected = json!([[true, true, true], ["crv,kid,kty,x,y", "e,kty,n", "crv,kty,x"], "me", "Ed25519"]);
    assert_eq!(run(&call).unwrap().value, expected);
    let error = threw(run(&body("ccf.crypto.pubRsaJwkToPem({kty: 'RSA', n: 1})")));
    assert_eq!(error, "Error: Failed to convert jwk to pem: \"n\" must be a string");
    let error = threw(run(&body("ccf.crypto.pubPemToJwk('no')")));
    assert!(error.starts_with("Error: Failed to convert pem to jwk: "), "{error}");
}

#[test]
fn d39_scripts_have_no_secrets() {
    let names = "generateAesKey generateRsaKeyPair generateEcdsaKeyPair generateEddsaKeyPair sign wrapKey unwrapKey \
                 pemToJwk rsaPemToJwk eddsaPemToJwk jwkToPem rsaJwkToPem eddsaJwkToPem";
    for name in names.split_whitespace() {
        let error = threw(run(&body(&format!("ccf.crypto.{name}(256)"))));
        assert!(error.starts_with(&format!("Error: ccf.crypto.{name} is left out: ")), "{error}");
    }
}

#[test]
fn settings_of_the_runtime_say_what_they_were() {
    let text = "const all = []; for (const set of [ccf.enableUntrustedDateTime, ccf.enableMetricsLogging]) all.push(set(true), set(true), set(false), set(false)); return all";
    assert_eq!(run(&body(text)).unwrap().value, json!([false, true, true, false, false, true, true, false]));
    assert_eq!(threw(run(&body("ccf.enableMetricsLogging(1)"))), "TypeError: Argument must be a boolean");
}

/// Memory is to be what ends the script, even on a machine that has much else to do.
fn patiently(call: &Call) -> Result<Outcome, ScriptError> {
    pool().run("member", call, &mut Memory::default(), &mut Budget::new(Duration::from_secs(20)))
}

#[test]
fn limits_are_named_and_kept() {
    let most = json!({"max_heap_bytes": 268_435_456, "max_stack_bytes": 4_194_304, "max_execution_time_ms": 5000});
    let text = "'use strict'; const most = ccf.gov.maximumRuntimeOptions; try { most.max_heap_bytes = 0 } catch { return most }";
    assert_eq!(run(&body(text)).unwrap().value, most);
    let heap = "let a = []; for (let i = 0; i < 150; i++) a.push(new Uint8Array(1 << 20).fill(1)); return a.length";
    let stack = "const deep = (n) => n === 0 ? 0 : 1 + deep(n - 1); return deep(5000)";
    for (text, value) in [(heap, 150), (stack, 5000)] {
        let mut call = body(text);
        let refused = patiently(&call).unwrap_err();
        assert!(matches!(refused, ScriptError::MemoryLimit | ScriptError::Threw { .. }), "{refused:?}");
        call.limits = RuntimeLimits::MOST;
        assert_eq!(patiently(&call).unwrap().value, json!(value));
    }
}

#[test]
fn raised_limits_are_limits() {
    for text in [
        "const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(1))",
        "const f = () => f() + 1; return f()",
        "return JSON.parse('['.repeat(1e5) + ']'.repeat(1e5))",
        "return eval('('.repeat(1e5) + ')'.repeat(1e5))",
        "return new RegExp('('.repeat(1e5) + ')'.repeat(1e5)).test('x')",
        "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return a",
    ] {
        let mut call = body(text);
        call.limits = RuntimeLimits::MOST;
        let refused = patiently(&call).unwrap_err();
        assert!(matches!(refused, ScriptError::MemoryLimit | ScriptError::Threw { .. }), "{text}: {refused:?}");
    }
}
