//! Who takes part, and everything with a key that proposals speak of.

use std::{collections::BTreeMap, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use constitution::DEFAULT_CONSTITUTION;
use crypto::{Certificate, Curve, PublicKey, SigningKey, issue};
use serde_json::{Value, json};

pub(crate) const VALIDITY: issue::Validity = issue::Validity { from: 1_700_000_000, days: 365 };
pub(crate) const MEASUREMENT: &str = "Insecure hard-coded virtual measurement v1";
/// Whom nobody has to ask, and who are not counted.
pub(crate) const UNCOUNTED: [&str; 5] = ["oper", "boss", "reco", "cgso", "cont"];

/// A member.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) key: SigningKey,
    pub(crate) certificate: String,
    pub(crate) data: Value,
    pub(crate) has_share: bool,
}

/// A node that has asked to join, or takes part.
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) info: Value,
    pub(crate) certificate: String,
}

pub(crate) struct People {
    pub(crate) members: BTreeMap<&'static str, Person>,
    pub(crate) machines: BTreeMap<&'static str, Machine>,
    pub(crate) encryption_key: String,
    pub(crate) service_key: SigningKey,
    pub(crate) service_certificate: String,
    /// What stands in <> in the table.
    pub(crate) values: BTreeMap<String, Value>,
}

/// The same people in all tests.
pub(crate) fn people() -> &'static People {
    static PEOPLE: OnceLock<People> = OnceLock::new();
    PEOPLE.get_or_init(People::new)
}

impl People {
    fn new() -> Self {
        let service_key = SigningKey::generate(Curve::P384).unwrap();
        let certificate = issue::service_certificate(&service_key, "CCF Service", VALIDITY).unwrap();
        let mut new = Self {
            members: members(),
            machines: machines(),
            encryption_key: crypto::wrap::generate_rsa_pair().unwrap().0,
            service_key,
            service_certificate: certificate.to_pem(),
            values: BTreeMap::new(),
        };
        new.values = new.values();
        new
    }

    fn values(&self) -> BTreeMap<String, Value> {
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        for (name, person) in &self.members {
            values.insert((*name).into(), json!(person.id));
            values.insert(format!("{name}.pem"), json!(person.certificate));
        }
        for (name, machine) in &self.machines {
            values.insert((*name).into(), json!(machine.id));
        }
        for (name, digit) in [("nobody", "0"), ("hash1", "1"), ("hash2", "2")] {
            values.insert(name.into(), json!(digit.repeat(64)));
        }
        for (name, digit) in [("measurement1", "1"), ("measurement2", "2")] {
            values.insert(name.into(), json!(digit.repeat(96)));
        }
        values.insert("constitution".into(), json!(format!("{DEFAULT_CONSTITUTION}\n")));
        values.insert("key".into(), json!(self.encryption_key));
        values.insert("service.pem".into(), json!(self.service_certificate));
        values.extend(certificates());
        values.extend(key_sets());
        values
    }
}

fn members() -> BTreeMap<&'static str, Person> {
    let all = json!({
        "isOperator": true,
        "isRecoveryOperator": true,
        "cgsRoles": { "cgsOperator": "true", "contractOperator": "true" },
    });
    let roles = [
        ("alice", json!({ "identifier": "alice" }), true),
        ("bob", json!({ "identifier": "bob" }), true),
        ("oper", json!({ "isOperator": true }), false),
        ("boss", json!({ "isOperator": true }), false),
        ("reco", json!({ "isRecoveryOperator": true }), true),
        ("cgso", json!({ "cgsRoles": { "cgsOperator": "true" } }), false),
        ("cont", json!({ "cgsRoles": { "contractOperator": "true" } }), true),
        ("zoe", all, false),
    ];
    roles.into_iter().map(|(name, data, has_share)| (name, person(name, data, has_share))).collect()
}

fn person(name: &str, data: Value, has_share: bool) -> Person {
    let (key, certificate) = self_signed(name);
    Person { id: certificate.id(), key, certificate: certificate.to_pem(), data, has_share }
}

fn self_signed(name: &str) -> (SigningKey, Certificate) {
    let key = SigningKey::generate(Curve::P384).unwrap();
    let certificate = issue::self_signed(&key, name, &[], VALIDITY).unwrap();
    (key, certificate)
}

fn certificates() -> BTreeMap<String, Value> {
    let [new, roots, spare, user] = ["new", "roots", "spare", "user"].map(|name| self_signed(name).1);
    BTreeMap::from([
        ("user".into(), json!(user.id())),
        ("user.pem".into(), json!(user.to_pem())),
        ("new.pem".into(), json!(new.to_pem())),
        ("roots.pem".into(), json!(roots.to_pem())),
        ("roots+new.pem".into(), json!(format!("{}{}", roots.to_pem(), new.to_pem()))),
        ("spare.pem".into(), json!(spare.to_pem())),
    ])
}

fn key_sets() -> BTreeMap<String, Value> {
    let key = |kid: &str| json!({ "kid": kid, "kty": "EC", "x5c": [STANDARD.encode(self_signed(kid).1.der())] });
    let (k1, k2, new, forged) = (key("k1"), key("k2"), key("new"), key("k2"));
    let mut abroad = k2.clone();
    abroad["issuer"] = json!("https://auto.example");
    let set = |keys: &[&Value]| json!({ "keys": keys });
    BTreeMap::from([
        ("jwks.k1".into(), set(&[&k1])),
        ("jwks.k2".into(), set(&[&k2])),
        ("jwks.new".into(), set(&[&new])),
        ("jwks.k2+new".into(), set(&[&k2, &new])),
        ("jwks.k2 forged".into(), set(&[&forged])),
        ("jwks.k2 for auto".into(), set(&[&abroad])),
    ])
}

fn machines() -> BTreeMap<&'static str, Machine> {
    BTreeMap::from([
        ("first", machine("Trusted", |key| shown(key, "aa", MEASUREMENT))),
        ("node", machine("Trusted", |key| shown(key, "aa", MEASUREMENT))),
        ("passing", machine("Pending", |key| shown(key, "aa", MEASUREMENT))),
        ("other-host-data", machine("Pending", |key| shown(key, "bb", MEASUREMENT))),
        ("other-measurement", machine("Pending", |key| shown(key, "aa", "a measurement of my own"))),
        ("no-evidence", machine("Pending", |_| evidence("Insecure_Virtual", ""))),
        ("mislabelled", machine("Pending", |key| evidence("AMD_SEV_SNP_v1", &quote(key, "aa", MEASUREMENT)))),
        ("snp", machine("Pending", |_| genuine())),
    ])
}

/// The record of a node with this evidence for its key.
fn machine(status: &str, evidence: impl Fn(&PublicKey) -> Value) -> Machine {
    let (key, certificate) = self_signed("CN=CCF Node");
    let public = key.public();
    let address = json!({ "bind_address": "127.0.0.1:0", "published_address": "127.0.0.1:8000" });
    let info = json!({
        "certificate_signing_request": issue::signing_request(&key, "CN=CCF Node", &[]).unwrap(),
        "node_to_node_interface": address,
        "public_key": public.to_pem(),
        "quote_info": evidence(public),
        "rpc_interfaces": { "primary_rpc_interface": address },
        "status": status,
    });
    Machine { id: hex::encode(crypto::sha256(public.spki_der())), info, certificate: certificate.to_pem() }
}

fn evidence(format: &str, quote: &str) -> Value {
    json!({ "endorsements": "", "format": format, "quote": quote })
}

/// What a machine on the virtual platform shows.
fn shown(key: &PublicKey, host_data: &str, measurement: &str) -> Value {
    evidence("Insecure_Virtual", &quote(key, host_data, measurement))
}

fn quote(key: &PublicKey, host_data: &str, measurement: &str) -> String {
    let report_data = STANDARD.encode(crypto::sha256(key.spki_der()));
    STANDARD
        .encode(json!({ "host_data": host_data, "measurement": measurement, "report_data": report_data }).to_string())
}

/// What a genuine container shows, of a policy that nobody here voted for.
fn genuine() -> Value {
    let sample = include_str!("../../../../tests/data/attestation/caci/encryption/attestation.json");
    let sample: Value = serde_json::from_str(sample).unwrap();
    let report = &sample["report"]["snpCACI"];
    json!({
        "endorsements": report["platformCertificates"],
        "format": "AMD_SEV_SNP_v1",
        "quote": report["attestation"],
        "uvm_endorsements": report["uvmEndorsements"],
    })
}
