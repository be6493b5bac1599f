//! What the tests of this crate share: a small consortium with real keys, and an engine of Rust closures.

use std::{
    collections::BTreeMap,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use api::{Body, Output};
use bytes::Bytes;
use constitution::{Budget, Call, Engine, Outcome, ScriptError, Tables};
use crypto::{
    AesKey, Certificate, Curve, SigningKey,
    issue::{self, Validity},
};
use kv::{State, Tx, TxId, UNIT_KEY, WriteSet};
use ledger::{secrets::Secret, tables};
use serde_json::{Value, json};

use crate::{
    Issuer, Scripts, ServiceContext,
    envelope::{MessageType, Signed},
    genesis::{Application, GenesisInput, GenesisMember, GenesisNode, ResumeMode, genesis},
    members,
    service::ServiceConfiguration,
};

pub(crate) const CONSTITUTION: &str = "// \"closures\"\n";
pub(crate) const ROOT: &str = "560e72c2db78020d6322854e59dbc69ed34f718e93ba377031d32e0247c3f65e";
const VALIDITY: issue::Validity = issue::Validity { from: 1_700_000_000, days: 365 };

pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) key: SigningKey,
    pub(crate) certificate: String,
}

pub(crate) struct Consortium {
    pub(crate) state: State,
    members: Vec<Member>,
}

impl Consortium {
    /// A new service with `count` Accepted members; member 0 has the encryption key.
    pub(crate) fn accepted(count: usize) -> Self {
        let (input, members) = genesis_input(count);
        let mut state = State::default();
        state.apply(TxId::new(2, 1), &genesis(&input).unwrap());
        let mut writes = WriteSet::default();
        writes.put(tables::SIGNATURES, UNIT_KEY.to_vec(), json!({ "root": ROOT }).to_string());
        state.apply(TxId::new(2, 2), &writes);
        Self { state, members }
    }

    /// A new service with `count` Active members.
    pub(crate) fn active(count: usize) -> Self {
        let mut consortium = Self::accepted(count);
        let mut tx = consortium.tx();
        for member in &consortium.members {
            assert!(members::activate(&mut tx, &member.id).unwrap());
        }
        consortium.commit(tx);
        consortium
    }

    /// The members in the order of their ids.
    pub(crate) fn by_id(&self) -> Vec<&Member> {
        let mut members: Vec<&Member> = self.members.iter().collect();
        members.sort_by(|left, right| left.id.cmp(&right.id));
        members
    }

    pub(crate) fn member(&self, index: usize) -> &Member {
        &self.members[index]
    }

    pub(crate) fn tx(&self) -> Tx {
        Tx::new(self.state.clone())
    }

    pub(crate) fn commit(&mut self, tx: Tx) {
        let (reads, writes) = tx.into_parts();
        reads.check(&self.state).unwrap();
        let next = TxId::new(2, self.state.tx_id().seqno + 1);
        self.state.apply(next, &writes);
    }

    /// An authenticated request of a member.
    pub(crate) fn signed(
        &self,
        index: usize,
        msg_type: MessageType,
        proposal_id: Option<&str>,
        payload: impl Into<Bytes>,
    ) -> Signed {
        let proposal_id = proposal_id.map(str::to_owned);
        Signed { msg_type, proposal_id, payload: payload.into(), ..signed(&self.member(index).id) }
    }

    /// The bytes of a signed request.
    pub(crate) fn message(&self, index: usize, kind: &str, created_at: i64, payload: &[u8]) -> Bytes {
        let member = self.member(index);
        crypto::cose::sign_governance(&member.key, &member.id, kind, created_at, None, payload).unwrap().into()
    }
}

pub(crate) fn signed(member_id: &str) -> Signed {
    Signed {
        member_id: member_id.into(),
        msg_type: MessageType::Proposal,
        created_at: 1_700_000_000,
        proposal_id: None,
        payload: Bytes::new(),
        signature: vec![7; 96],
        raw: Bytes::from_static(b"raw"),
    }
}

pub(crate) fn body(output: &Output) -> Value {
    assert_eq!(output.status, 200);
    let Body::Json(text) = &output.body else { panic!("not JSON: {output:?}") };
    serde_json::from_str(text).unwrap()
}

/// Public and private RSA key.
pub(crate) fn encryption_keys() -> &'static (String, String) {
    static KEYS: OnceLock<(String, String)> = OnceLock::new();
    KEYS.get_or_init(|| {
        let (public, private) = crypto::wrap::generate_rsa_pair().unwrap();
        (public, private.to_string())
    })
}

pub(crate) fn ledger_secret() -> &'static Secret {
    static KEY: OnceLock<Secret> = OnceLock::new();
    KEY.get_or_init(|| Secret::new(1, AesKey::from_bytes([9; 32]).unwrap()))
}

/// The secret that a rekey introduces.
pub(crate) fn next_secret() -> &'static AesKey {
    static KEY: OnceLock<AesKey> = OnceLock::new();
    KEY.get_or_init(|| AesKey::from_bytes([10; 32]).unwrap())
}

pub(crate) fn context() -> ServiceContext<'static> {
    ServiceContext {
        ledger_secret: ledger_secret(),
        next_secret: next_secret(),
        share_seed: &[3; 32],
        identity_endorsement: br#"{"endorsement":"e"}"#,
        issuer: &TestIssuer,
    }
}

fn service_key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Curve::P384).unwrap())
}

pub(crate) fn service_certificate() -> &'static str {
    static PEM: OnceLock<String> = OnceLock::new();
    PEM.get_or_init(|| issue::service_certificate(service_key(), "CCF Service", VALIDITY).unwrap().to_pem())
}

/// Signs with the key of the service.
pub(crate) struct TestIssuer;

impl Issuer for TestIssuer {
    fn endorse(&self, request: &str, validity: Validity, service: &Certificate) -> crypto::Result<Certificate> {
        issue::endorse_request(request, validity, service_key(), service)
    }

    fn renew(&self, service: &Certificate, validity: Validity) -> crypto::Result<Certificate> {
        issue::renew_service_certificate(service_key(), service, validity)
    }
}

/// The public key and the certificate of the node, PEM.
fn node_keys() -> &'static (String, String) {
    static KEYS: OnceLock<(String, String)> = OnceLock::new();
    KEYS.get_or_init(|| {
        let key = SigningKey::generate(Curve::P384).unwrap();
        (key.public().to_pem(), issue::self_signed(&key, "CCF Node", &[], VALIDITY).unwrap().to_pem())
    })
}

pub(crate) fn genesis_input(count: usize) -> (GenesisInput, Vec<Member>) {
    let (members, given) = (0..count).map(member).unzip();
    let quote = json!({
        "host_data": "aa", "measurement": "Insecure hard-coded virtual measurement v1", "report_data": "cmQ="
    });
    let quote = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, quote.to_string());
    let info = json!({
        "public_key": node_keys().0,
        "status": "Trusted",
        "quote_info": {"format": "Insecure_Virtual", "quote": quote, "endorsements": ""},
        "rpc_interfaces": {"primary_rpc_interface": {"bind_address": "0.0.0.0:8080", "published_address": "127.0.0.1:8080"}},
    });
    let join_policy = vec![
        (tables::NODES_VIRTUAL_HOST_DATA, b"aa".to_vec(), vec![0; 8]),
        (
            tables::NODES_VIRTUAL_MEASUREMENTS,
            b"Insecure hard-coded virtual measurement v1".to_vec(),
            br#""AllowedToJoin""#.to_vec(),
        ),
    ];
    let input = GenesisInput {
        constitution: CONSTITUTION.into(),
        members: given,
        node: GenesisNode { id: "cd".repeat(32), info, endorsed_certificate: node_keys().1.clone(), join_policy },
        configuration: ServiceConfiguration { recovery_threshold: 1, ..ServiceConfiguration::default() },
        service_certificate: service_certificate().into(),
        tx_id: TxId::new(2, 1),
        service_data: None,
        resume: ResumeMode::Auto,
        application: Application {
            name: "cgs".into(),
            version: "0.1.0".into(),
            build_digest: "bd".into(),
            node_measurement: "m".into(),
        },
    };
    (input, members)
}

fn member(index: usize) -> (Member, GenesisMember) {
    let key = SigningKey::generate(Curve::P384).unwrap();
    let certificate = issue::self_signed(&key, &format!("member{index}"), &[], VALIDITY).unwrap();
    let given = GenesisMember {
        certificate: certificate.to_pem(),
        encryption_public_key: (index == 0).then(|| encryption_keys().0.clone()),
        data: Some(json!({ "identifier": format!("member{index}") })),
        recovery_role: None,
    };
    (Member { id: certificate.id(), key, certificate: certificate.to_pem() }, given)
}

type Script = Box<dyn Fn(&Call, &mut dyn Tables) -> Result<Outcome, ScriptError> + Send + Sync>;

/// Runs closures in place of scripts: constitution functions by name, ballots by their text.
pub(crate) struct Closures {
    scripts: BTreeMap<&'static str, Script>,
    pub(crate) calls: Mutex<Vec<Call>>,
}

impl Closures {
    /// A constitution that takes everything and accepts with as many true votes as there are members.
    pub(crate) fn unanimous() -> Self {
        Self { scripts: BTreeMap::new(), calls: Mutex::default() }
            .with("validate", |_, _| value(json!({"valid": true, "description": ""})))
            .with("resolve", |call, tables| value(json!(unanimous(call, tables))))
            .with("apply", |_, _| value(Value::Null))
            .with("yes", |_, _| value(json!(true)))
            .with("no", |_, _| value(json!(false)))
            .with("truthy", |_, _| value(json!("yes")))
            .with("throws", |_, _| Err(threw("Error: no")))
            .with("loops", |_, _| Err(ScriptError::TimeLimit))
            .with("broken", |_, _| Err(ScriptError::Compile { reason: "SyntaxError".into() }))
            .with("empty", |_, _| Err(ScriptError::MissingExport { name: "vote".into() }))
            .with("busy", |_, _| Err(ScriptError::Busy { limit: 1 }))
    }

    pub(crate) fn with<F>(mut self, name: &'static str, script: F) -> Self
    where
        F: Fn(&Call, &mut dyn Tables) -> Result<Outcome, ScriptError> + Send + Sync + 'static,
    {
        self.scripts.insert(name, Box::new(script));
        self
    }

    /// How often each script ran since the last time that was asked.
    pub(crate) fn ran(&self) -> Vec<String> {
        let name = |call: Call| if call.function == "vote" { call.module_text } else { call.function };
        self.calls.lock().unwrap().drain(..).map(name).collect()
    }
}

fn unanimous(call: &Call, tables: &mut dyn Tables) -> &'static str {
    let votes = call.arguments[2].as_array().unwrap();
    let yes = votes.iter().filter(|vote| vote["vote"] == true).count();
    let members = tables.entries(tables::MEMBERS_INFO);
    let active = members.iter().filter(|(_, value)| String::from_utf8_lossy(value).contains("Active")).count();
    if votes.iter().any(|vote| vote["vote"] == false) {
        "Rejected"
    } else if yes == active && active > 0 {
        "Accepted"
    } else {
        "Open"
    }
}

pub(crate) fn value(value: Value) -> Result<Outcome, ScriptError> {
    Ok(Outcome { value, writes: Vec::new(), effects: Vec::new() })
}

pub(crate) fn threw(reason: &str) -> ScriptError {
    ScriptError::Threw { reason: reason.into(), trace: Some("    at here".into()) }
}

impl Engine for Closures {
    fn run(
        &self,
        _who: &str,
        call: &Call,
        tables: &mut dyn Tables,
        budget: &mut Budget,
    ) -> Result<Outcome, ScriptError> {
        self.calls.lock().unwrap().push(call.clone());
        let name = if call.function == "vote" { &call.module_text } else { &call.function };
        let outcome = self.scripts[name.as_str()](call, tables);
        let used = if outcome == Err(ScriptError::TimeLimit) { budget.remaining() } else { Duration::from_millis(1) };
        budget.spend(used);
        outcome
    }
}

/// Runs something with a fresh budget.
pub(crate) fn with_scripts<T>(engine: &Closures, run: impl FnOnce(&mut Scripts<'_>) -> T) -> T {
    let mut budget = Budget::default();
    run(&mut Scripts { engine, budget: &mut budget })
}
