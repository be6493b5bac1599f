//! A consortium in memory that lives under the shipped constitution.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use constitution::{
    Budget, Call, CertificateRequest, Context, DEFAULT_CONSTITUTION, Engine, Outcome, Pool, RuntimeLimits, ScriptError,
    Tables,
};
use serde_json::{Value, json};

use super::{Memory, pool};

pub const ONLY: [u8; 8] = [0; 8];

pub struct Consortium {
    pool: Pool,
    pub tables: Memory,
}

impl Consortium {
    /// An open service with a recovery threshold of 1 and nobody in it.
    pub fn new() -> Self {
        let mut new = Self { pool: pool(), tables: Memory::default() };
        new.put_only("service.config", &json!({"recovery_threshold": 1}));
        new
    }

    /// Counted members with these names, all active.
    pub fn of(names: &[&str]) -> Self {
        let mut new = Self::new();
        for name in names {
            new.member(name, "Active", json!({}));
        }
        new
    }

    pub fn member(&mut self, id: &str, status: &str, data: Value) {
        self.put("members.info", id, &json!({"member_data": data, "status": status}));
    }

    /// A node with evidence of the virtual platform.
    pub fn node(&mut self, id: &str, status: &str, measurement: &str, host_data: &str) {
        let evidence = json!({"host_data": host_data, "measurement": measurement, "report_data": "AAAA"}).to_string();
        let quote = json!({"endorsements": "", "format": "Insecure_Virtual", "quote": STANDARD.encode(evidence)});
        self.put("nodes.info", id, &json!({"quote_info": quote, "status": status}));
    }

    /// A join policy for nodes of the virtual platform.
    pub fn join_policy(&mut self, measurement: &str, host_data: &str) {
        self.put("nodes.virtual.measurements", measurement, &json!("AllowedToJoin"));
        self.tables.put("public:ccf.gov.nodes.virtual.host_data", host_data.as_bytes(), &ONLY);
    }

    pub fn service(&mut self, status: &str, cert: &str) {
        self.put_only("service.info", &json!({"status": status, "cert": cert}));
    }

    pub fn enable(&mut self, option: &str) {
        self.put("cgs_runtime_options", option, &json!({"status": "enabled"}));
    }

    /// Records a proposal as the service does before it calls resolve or apply.
    pub fn record(&mut self, id: &str, actions: &Value, state: &str) {
        self.put("proposals", id, &json!({"actions": actions}));
        let info = json!({"ballots": {}, "proposer_id": "p", "state": state, "final_votes": {"a": true}});
        self.put("proposals_info", id, &info);
        if state == "Open" {
            self.index(id);
        }
    }

    /// Enters a proposal into the service's list of open ones.
    pub fn index(&mut self, id: &str) {
        self.tables.put("public:ccf.internal.cgs_open_proposals", id.as_bytes(), &ONLY);
    }

    pub fn put(&mut self, table: &str, id: &str, record: &Value) {
        self.tables.put(&format!("public:ccf.gov.{table}"), id.as_bytes(), record.to_string().as_bytes());
    }

    pub fn put_only(&mut self, table: &str, record: &Value) {
        self.tables.put(&format!("public:ccf.gov.{table}"), &ONLY, record.to_string().as_bytes());
    }

    pub fn raw(&self, table: &str, id: &[u8]) -> Option<String> {
        let bytes = self.tables.0.get(&format!("public:ccf.gov.{table}"))?.get(id)?;
        Some(String::from_utf8(bytes.clone()).unwrap())
    }

    pub fn get(&self, table: &str, id: &str) -> Value {
        self.raw(table, id.as_bytes()).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    pub fn get_only(&self, table: &str) -> Value {
        self.raw(table, &ONLY).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    /// What `validate` says of a text: `None` when it is valid.
    pub fn validate_text(&mut self, proposal: &str) -> Option<String> {
        let answer = self.run("validate", vec![json!(proposal)], Context::ReadOnly).unwrap().value;
        let description = answer["description"].as_str().unwrap().to_owned();
        (answer["valid"] != json!(true)).then_some(description)
    }

    pub fn validate(&mut self, actions: &Value) -> Option<String> {
        self.validate_text(&json!({"actions": actions}).to_string())
    }

    /// What is wrong with the arguments of one action, without its envelope and trace.
    pub fn fault(&mut self, name: &str, args: Value) -> Option<String> {
        let description = self.validate(&json!([{"name": name, "args": args}]))?;
        let text = description.strip_prefix(&format!("{name} at position 0 failed validation: ")).expect(&description);
        Some(text.split('\n').next().unwrap().to_owned())
    }

    /// Resolves proposal `P`, which is recorded as open, with votes such as `"a+ b-"`.
    pub fn resolve(&mut self, proposer: &str, actions: &Value, votes: &str) -> String {
        self.record("P", actions, "Open");
        let votes: Vec<Value> = votes
            .split_whitespace()
            .map(|vote| json!({"member_id": &vote[..vote.len() - 1], "vote": vote.ends_with('+')}))
            .collect();
        let text = json!({"actions": actions}).to_string();
        let arguments = vec![json!(text), json!(proposer), json!(votes), json!("P")];
        let outcome = self.run("resolve", arguments, Context::ReadOnly).unwrap();
        outcome.value.as_str().unwrap().to_owned()
    }

    /// Applies proposal `P`, which is recorded as accepted, and carries out what it wrote.
    pub fn apply(&mut self, actions: &Value) -> Result<Outcome, ScriptError> {
        self.record("P", actions, "Accepted");
        let text = json!({"actions": actions}).to_string();
        let outcome = self.run("apply", vec![json!(text), json!("P")], Context::Apply)?;
        self.tables.apply(&outcome);
        Ok(outcome)
    }

    fn run(&mut self, function: &str, arguments: Vec<Value>, context: Context) -> Result<Outcome, ScriptError> {
        let call = Call {
            module_name: "public:ccf.gov.constitution[0]".to_owned(),
            module_text: DEFAULT_CONSTITUTION.to_owned(),
            function: function.to_owned(),
            arguments,
            context,
            created_at_ms: 0,
            seed: [1; 32],
            limits: RuntimeLimits::BASE,
        };
        self.pool.run("test", &call, &mut Service(&mut self.tables), &mut Budget::default())
    }
}

/// The tables of a service that makes certificates: each is what was asked for.
struct Service<'a>(&'a mut Memory);

impl Tables for Service<'_> {
    fn get(&mut self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(table, key)
    }

    fn entries(&mut self, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.entries(table)
    }

    fn written(&mut self, table: &str, key: &[u8]) -> Option<u64> {
        self.0.written(table, key)
    }

    fn certificate(&mut self, wanted: &CertificateRequest) -> Result<String, String> {
        Ok(serde_json::to_string(wanted).unwrap())
    }
}

/// One action.
pub fn action(name: &str, args: Value) -> Value {
    json!({"name": name, "args": args})
}

/// A list of one action.
pub fn only(name: &str, args: Value) -> Value {
    json!([action(name, args)])
}

pub fn contract(id: &str) -> Value {
    action("set_contract", json!({"contractId": id, "contract": {"data": 1}}))
}

pub fn document(id: &str) -> Value {
    action("set_member_document", json!({"documentId": id, "document": {"data": 1, "contractId": "c"}}))
}

/// A self-signed certificate in PEM, and its id.
pub fn certificate() -> (String, String) {
    let key = crypto::SigningKey::generate(crypto::Curve::P384).unwrap();
    let validity = crypto::issue::Validity { from: 1_700_000_000, days: 90 };
    let certificate = crypto::issue::self_signed(&key, "x", &[], validity).unwrap();
    (certificate.to_pem(), certificate.id())
}

/// A consortium with one contract accepted, and a certificate for its service.
pub fn consortium() -> (Consortium, String) {
    let mut consortium = Consortium::of(&["a"]);
    let (pem, _) = certificate();
    consortium.put("accepted_contracts", "1234", &json!({}));
    consortium.service("Open", &pem);
    (consortium, pem)
}
