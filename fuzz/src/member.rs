//! A small state: an Active member whose key is at hand, and one of another service whose messages are in the corpus.

use std::{sync::OnceLock, time::Duration};

use consortium::{Issuer, Scripts, ServiceContext};
use constitution::{Budget, Call, Engine, Outcome, ScriptError, Tables};
use crypto::{
    AesKey, Certificate, Curve, SigningKey,
    issue::{self, Validity},
};
use kv::{State, TxId, UNIT_KEY, WriteSet};
use ledger::{secrets::Secret, tables};
use serde_json::{Value, json};

/// The id of the member whose key is at hand; it is none of a certificate.
pub(crate) const ID: &str = "f022f022f022f022f022f022f022f022f022f022f022f022f022f022f022f022";
/// The id of the member who signed the genuine messages.
pub(crate) const GENUINE: &str = "46d2a7518877166654dfa07d9c4c5aaa0ba82a3f62648216f45fdd7de0e79b38";
/// The certificate of that member.
const CERTIFICATE: &str = include_str!("../../tests/data/ccf-ledgers/cose_flipflop_service/keys/member0_cert.pem");
/// What the last signature signed, and what the genuine acknowledgement confirms.
pub(crate) const ROOT: &str = "560e72c2db78020d6322854e59dbc69ed34f718e93ba377031d32e0247c3f65e";
/// A proposal that is Open.
pub(crate) const OPEN: &str = "abababababababababababababababababababababababababababababababab";
pub(crate) const VALIDITY: Validity = Validity { from: 1_700_000_000, days: 1000 };

/// The key of [`ID`], on P-256.
pub(crate) fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Curve::P256).expect("a key"))
}

/// The state.
pub(crate) fn state() -> State {
    static STATE: OnceLock<State> = OnceLock::new();
    STATE.get_or_init(found).clone()
}

fn found() -> State {
    let own = issue::self_signed(key(), "CN=fuzz", &[], VALIDITY).expect("a certificate").to_pem();
    let mut writes = WriteSet::default();
    for (id, certificate) in [(ID, own.as_str()), (GENUINE, CERTIFICATE)] {
        writes.put(tables::MEMBERS_CERTS, id, certificate.to_owned());
        writes.put(tables::MEMBERS_INFO, id, r#"{"status":"Active"}"#);
        writes.put(tables::MEMBERS_ACKS, id, json!({ "state_digest": ROOT }).to_string());
    }
    let mut one = |table: &str, value: Value| writes.put(table, UNIT_KEY.to_vec(), value.to_string());
    one(tables::SERVICE_CONFIG, json!({"recovery_threshold": 1}));
    one(tables::SERVICE_INFO, json!({"status": "Opening", "cert": own}));
    one(tables::CONSTITUTION, json!(constitution::DEFAULT_CONSTITUTION));
    one(tables::SIGNATURES, json!({ "root": ROOT }));
    writes.put(tables::PROPOSALS, OPEN, "{}");
    writes.put(
        tables::PROPOSALS_INFO,
        OPEN,
        json!({"proposer_id": GENUINE, "state": "Open", "ballots": {}}).to_string(),
    );
    let mut state = State::default();
    state.apply(TxId::new(2, 7), &writes);
    state
}

/// In place of scripts: every proposal is valid and stays Open.
pub(crate) struct NoScripts;

impl Engine for NoScripts {
    fn run(&self, _: &str, call: &Call, _: &mut dyn Tables, _: &mut Budget) -> Result<Outcome, ScriptError> {
        let value = match call.function.as_str() {
            "validate" => json!({"valid": true, "description": ""}),
            "resolve" => json!("Open"),
            _ => Value::Null,
        };
        Ok(Outcome { value, writes: Vec::new(), effects: Vec::new() })
    }
}

impl Issuer for NoScripts {
    fn endorse(&self, _: &str, _: Validity, _: &Certificate) -> crypto::Result<Certificate> {
        Err(crypto::CryptoError::Signing)
    }

    fn renew(&self, _: &Certificate, _: Validity) -> crypto::Result<Certificate> {
        Err(crypto::CryptoError::Signing)
    }
}

/// Runs something with an engine, and with what a decider needs of the node.
pub(crate) fn deciding<T>(engine: &dyn Engine, run: impl FnOnce(&mut Scripts<'_>, &ServiceContext<'_>) -> T) -> T {
    let mut budget = Budget::new(Duration::from_secs(20));
    let secret = |byte| AesKey::from_bytes([byte; 32]).expect("a key");
    let context = ServiceContext {
        ledger_secret: &Secret::new(1, secret(1)),
        next_secret: &secret(2),
        share_seed: &[3; 32],
        identity_endorsement: b"{}",
        issuer: &NoScripts,
    };
    run(&mut Scripts { engine, budget: &mut budget }, &context)
}
