//! The whole way from a request to its answer, on a real ledger. Only scripts are not run here.

use std::time::Duration;

use bytes::Bytes;
use constitution::{Budget, Call, CertificateRequest, Engine, Outcome, ScriptError, TableWrite, Tables};
use crypto::{AesKey, Certificate, Curve, SigningKey, issue};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use kv::TxId;
use ledger::secrets::LedgerSecrets;
use replication::{Options, Signer, Transaction};
use serde_json::{Value, json};
use tempfile::TempDir;

use kv::UNIT_KEY;
use ledger::tables;

use super::*;
use crate::{
    certificates::{Certificates, Shown},
    commit::Committer,
    config::{self, CommandKind, Config, Start},
    found,
    governance::{Decider, Governance},
    http::Peer,
    info::{NodeInfo, Quote},
    secrets::Secrets,
    tls::ClientCertificate,
    vault::{Identity, Vault},
};

/// Where `apply` writes the certificate that it was given.
const MADE: &str = "public:ccf.gov.made";

/// There are no scripts in these tests. Every proposal is valid, takes as many milliseconds to resolve as it says, is
/// accepted, and renews the certificate of the service.
struct NoScripts;

impl Engine for NoScripts {
    fn run(&self, _: &str, call: &Call, tables: &mut dyn Tables, _: &mut Budget) -> Result<Outcome, ScriptError> {
        let (mut value, mut writes) = (Value::Null, Vec::new());
        match call.function.as_str() {
            "validate" => value = json!({"valid": true}),
            "resolve" => {
                let proposal: Value = serde_json::from_str(call.arguments[0].as_str().unwrap()).unwrap();
                std::thread::sleep(Duration::from_millis(proposal["takes"].as_u64().unwrap_or_default()));
                value = "Accepted".into();
            }
            "apply" => {
                let wanted = CertificateRequest::Network { valid_from: "261124034750Z".into(), days: 1 };
                let made = tables.certificate(&wanted).unwrap().into_bytes();
                writes.push(TableWrite { table: MADE.into(), key: b"k".to_vec(), value: Some(made) });
            }
            _ => return Err(ScriptError::TimeLimit),
        }
        Ok(Outcome { value, writes, effects: Vec::new() })
    }
}

mod backpressure;
mod foresight;
mod limits;
mod node;

struct World {
    front: Arc<Front>,
    interface: Arc<Interface>,
    service: Certificate,
    member: Certificate,
    member_key: SigningKey,
    _directory: TempDir,
}

struct Told {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Told {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn configuration(directory: &TempDir) -> (Config, Certificate, SigningKey) {
    let key = SigningKey::generate(Curve::P384).unwrap();
    let member = issue::self_signed(&key, "CN=member0", &[], issue::Validity { from: now(), days: 1 }).unwrap();
    let file = directory.path().join("member0.pem");
    std::fs::write(&file, member.to_pem()).unwrap();
    let encryption = directory.path().join("member0_enc.pem");
    std::fs::write(&encryption, crypto::wrap::generate_rsa_pair().unwrap().0).unwrap();
    let mut example = config::example("127.0.0.1:8080", &["iPAddress:127.0.0.1"]);
    let start = &mut example["command"]["start"];
    start["members"] = json!([{ "certificate_file": file, "encryption_public_key_file": encryption }]);
    start.as_object_mut().unwrap().remove("constitution_files");
    (Config::parse(&example.to_string()).unwrap(), member, key)
}

fn options(directory: &TempDir, identity: &Identity) -> Options {
    Options {
        disk: Arc::new(disk::RealDisk),
        ledger_directory: directory.path().join("ledger"),
        state_directory: directory.path().to_owned(),
        mac_key: identity.mac_key,
        chunk_size: 1 << 20,
        segment_bytes: 1 << 20,
        background: replication::Background::Thread,
        snapshots: None,
    }
}

fn signer(identity: &Identity) -> Signer {
    let copy = |key: &SigningKey| SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
    Signer {
        service_key: copy(&identity.service_key),
        node_key: copy(&identity.node_key),
        node_certificate: identity.node_certificate.to_pem().into(),
        issuer: "i".into(),
        subject: "s".into(),
        now,
    }
}

fn start_of(config: &Config) -> &Start {
    let CommandKind::Start(start) = &config.command.kind else { panic!("not a start") };
    start
}

/// A service with one Accepted member, not open yet.
async fn world() -> World {
    world_with(Arc::new(NoScripts)).await
}

async fn world_with(engine: Arc<dyn Engine>) -> World {
    let directory = tempfile::tempdir().unwrap();
    let (config, member, member_key) = configuration(&directory);
    let (config, names) = (Arc::new(config), ["iPAddress:127.0.0.1".to_owned()]);
    let start = start_of(&config);
    let identity = Arc::new(found::identity(&config, start, &names, now()).unwrap());
    let node = NodeInfo {
        node_id: identity.node_key.public().id(),
        certificates: Certificates::new(Shown::of(&identity)),
        quote: Quote::of_virtual(identity.node_key.public()),
        resume: consortium::genesis::ResumeMode::Auto,
        build_digest: "bd".into(),
        startup_seqno: 0,
        config: config.clone(),
        stop_notice: Arc::default(),
    };
    let secrets = LedgerSecrets::from_keys([(1, AesKey::generate().unwrap())]).unwrap();
    let opened = replication::open(options(&directory, &identity), &LedgerSecrets::new(), &[]).unwrap();
    let replica = opened.start(secrets, signer(&identity)).await.unwrap();
    let genesis = genesis(&config, &identity, &node, &names);
    replica.submit(Transaction::new(genesis, [0; 32])).await.unwrap();
    let vault = Vault::open(Arc::new(disk::RealDisk), directory.path().to_owned()).unwrap();
    let secrets = Secrets::new(replica.clone(), vault, AesKey::generate().unwrap());
    let committer = Committer::new(replica, Arc::default());
    let decider = Decider {
        engine,
        budget: Duration::from_secs(1),
        secrets,
        issuer: identity.clone(),
        identity_endorsement: Vec::new(),
    };
    let service = Service::new(committer.clone(), node, Governance::new(committer, decider));
    let interface = Arc::new(Interface::new(&config.network.rpc_interfaces[0]));
    let front = Front::new(service, vec![interface.clone()]);
    let service = identity.service_certificate.clone();
    World { front, interface, service, member, member_key, _directory: directory }
}

fn genesis(config: &Config, identity: &Identity, node: &NodeInfo, names: &[String]) -> Tx {
    let writes = found::genesis(config, start_of(config), identity, node, names, TxId::new(2, 1)).unwrap();
    let mut tx = Tx::new(State::default());
    for (map, writes) in writes.maps() {
        for (key, value) in writes {
            tx.put(map, key.clone(), value.clone().unwrap());
        }
    }
    tx
}

impl World {
    async fn send(&self, method: &str, path: &str, headers: HeaderMap, body: impl AsRef<[u8]>, member: bool) -> Told {
        let certificate = member.then(|| ClientCertificate::from_der(self.member.der()).unwrap());
        let request = Request {
            method: method.parse().unwrap(),
            uri: path.parse().unwrap(),
            headers,
            body: Bytes::copy_from_slice(body.as_ref()),
            peer: Arc::new(Peer { certificate, interface: self.interface.clone() }),
        };
        let (parts, body) = self.front.answer(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Told { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn ask(&self, method: &str, path: &str) -> Told {
        self.send(method, path, HeaderMap::new(), "", false).await
    }

    async fn ask_as_member(&self, method: &str, path: &str, body: &str) -> Told {
        self.send(method, path, HeaderMap::new(), body, true).await
    }

    /// Changes a member of a stored JSON record.
    async fn set(&self, table: &'static str, key: &[u8], name: &str, value: &str) {
        let change = |tx: &mut Tx| {
            let mut record: Value = serde_json::from_slice(&tx.get(table, key).unwrap()).unwrap();
            record[name] = value.into();
            tx.put(table, key.to_vec(), record.to_string());
            Ok(Output::empty())
        };
        self.front.inside.service.write(change).await.unwrap();
    }

    async fn open(&self) {
        self.set(tables::SERVICE_INFO, &UNIT_KEY, "status", "Open").await;
    }

    async fn activate(&self) {
        self.set(tables::MEMBERS_INFO, self.member.id().as_bytes(), "status", "Active").await;
    }
}

#[tokio::test]
async fn the_application_is_closed_until_the_service_is_open() {
    let world = world().await;
    for path in ["/app/contracts", "/app/commit", "/app/nope", "/nope", "//node/commit"] {
        let told = world.ask("GET", path).await;
        assert_eq!((told.status, told.code()), (404, "FrontendNotOpen"), "{path}");
    }
    assert_eq!(world.ask("GET", "/node/ready/app").await.status, 503);
    assert_eq!(world.ask("GET", "/node/ready/gov").await.status, 204);
    world.open().await;
    assert_eq!(world.ask("GET", "/node/ready/app").await.status, 204);
    let told = world.ask("GET", "/nope").await;
    assert_eq!(told.body["error"]["message"], "Unknown path: /nope.");
    assert!(world.ask("GET", "/app/commit").await.header("x-ms-ccf-transaction-id").is_some());
    world.set(tables::SERVICE_INFO, &UNIT_KEY, "status", "Recovering").await;
    assert_eq!(world.ask("GET", "/app/commit").await.code(), "FrontendNotOpen");
}

#[tokio::test]
async fn d02_the_application_says_what_it_is_while_it_is_closed() {
    let told = world().await.ask("GET", "/app/version").await;
    assert_eq!((told.status, &told.body["name"], &told.body["buildDigest"]), (200, &json!("cgs"), &json!("bd")));
}

#[tokio::test]
async fn d17_accepted_members_read_and_active_ones_write() {
    let world = world().await;
    world.open().await;
    assert_eq!(world.ask_as_member("GET", "/app/contracts", "").await.status, 200);
    let told = world.ask_as_member("PUT", "/app/contracts/c1", r#"{"data":1}"#).await;
    assert_eq!((told.status, told.header("x-ms-ccf-transaction-id")), (403, None));
    world.activate().await;
    let put = world.ask_as_member("PUT", "/app/contracts/c1", r#"{"data":1}"#).await;
    assert_eq!((put.status, put.header("content-length")), (200, Some("0")));
    let got = world.ask_as_member("POST", "/app/contracts/c1", "ignored").await;
    assert_eq!((&got.body["data"], &got.body["id"]), (&json!(1), &json!("c1")));
    assert_eq!(got.body["version"].as_str(), put.header("x-ms-ccf-transaction-id"));
    let told = world.ask("POST", "/app/contracts/c1").await;
    assert_eq!((told.status, told.code()), (401, "InvalidAuthenticationInfo"));
    assert!(told.header("www-authenticate").unwrap().starts_with("Bearer realm="));
    let told = world.ask("PUT", "/app/contracts/c1").await;
    assert_eq!((told.status, told.header("www-authenticate")), (401, None));
}

#[tokio::test]
async fn other_methods_are_answered_as_recorded() {
    let world = world().await;
    world.open().await;
    let told = world.ask("OPTIONS", "/app/contracts/1234").await;
    assert_eq!((told.status, told.header("allow")), (204, Some("OPTIONS, POST, PUT")));
    let told = world.ask("DELETE", "/app/contracts/1234").await;
    assert_eq!(
        (told.status, told.code(), told.header("allow")),
        (405, "UnsupportedHttpVerb", Some("OPTIONS, POST, PUT"))
    );
    assert_eq!(told.body["error"]["message"], "Allowed methods for '/contracts/1234' are: OPTIONS, POST, PUT.");
    assert_eq!(world.ask("BREW", "/node/commit").await.status, 405);
    assert_eq!(world.ask("HEAD", "/node/version").await.status, 405);
    assert_eq!(world.ask("HEAD", "/node/primary").await.status, 200);
    assert_eq!(world.ask("OPTIONS", "/node/nope").await.status, 404);
}

#[tokio::test]
async fn clients_that_do_not_take_json_are_told_so() {
    let world = world().await;
    let accept = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static(value));
        world.send("GET", "/node/commit", headers, "", false)
    };
    for good in ["*/*", "application/json", "text/html, application/*;q=0.8"] {
        assert_eq!(accept(good).await.status, 200, "{good}");
    }
    let told = accept("text/html").await;
    assert_eq!((told.status, told.code()), (406, "UnsupportedContentType"));
}

#[tokio::test]
async fn governance_wants_a_version_and_a_signature() {
    let world = world().await;
    let told = world.ask("GET", "/gov/service/info").await;
    assert_eq!((told.status, told.code()), (400, "MissingApiVersionParameter"));
    let told = world.ask("GET", "/gov/service/javascript-app?api-version=2023-06-01-preview").await;
    assert_eq!(told.code(), "UnsupportedApiVersionValue");
    let told = world.ask("GET", "/gov/service/info?api-version=2024-07-01").await;
    assert_eq!((told.status, &told.body["status"]), (200, &json!("Opening")));
    let path = "/gov/members/proposals:create?api-version=2024-07-01";
    let told = world.send("POST", path, HeaderMap::new(), "{}", true).await;
    assert_eq!(told.status, 401);
    assert_eq!(told.body["error"]["details"][0]["message"], "Missing content-type header");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/cose"));
    assert_eq!(world.send("POST", path, headers, "{}", true).await.status, 400);
    assert_eq!(world.ask("GET", "/gov/proposals/00").await.code(), "ProposalNotFound");
}

#[tokio::test]
async fn transactions_have_a_status_and_a_receipt() {
    let world = world().await;
    let told = world.ask("GET", "/node/commit?view_history=true").await;
    assert_eq!(told.body, json!({"transaction_id": "2.2", "view_history": ["1.1", "2.1"]}));
    assert_eq!(told.header("x-ms-ccf-transaction-id"), None);
    let told = world.ask("GET", "/node/tx?transaction_id=2.1").await;
    assert_eq!(told.body, json!({"status": "Committed", "transaction_id": "2.1"}));
    assert_eq!(world.ask("GET", "/gov/tx?transaction_id=1.1").await.body["status"], "Invalid");
    assert_eq!(world.ask("GET", "/gov/tx").await.body["error"]["message"], "Missing query parameter 'transaction_id'");
    for path in ["/node/receipt?transaction_id=2.1", "/gov/receipt?transaction_id=2.1"] {
        let told = world.ask("GET", path).await;
        let receipt = serde_json::from_value(told.body).unwrap();
        let verified = ledger::receipt::verify(&receipt, &world.service).unwrap();
        assert_eq!(verified.tx_id, Some(TxId::new(2, 1)));
    }
    let told = world.ask("GET", "/node/receipt?transaction_id=2.99").await;
    assert_eq!((told.status, told.header("cache-control")), (404, Some("no-cache")));
    assert_eq!(world.ask("GET", "/node/receipt").await.code(), "TransactionInvalid");
}

#[tokio::test]
async fn effects_are_foreseen_for_members_only() {
    let world = world().await;
    let path = format!("/gov/members/proposals/{}/effect?api-version=2024-07-01", "0".repeat(64));
    let told = world.ask("GET", &path).await;
    assert_eq!((told.status, told.code()), (401, "InvalidAuthenticationInfo"));
    let told = world.ask_as_member("GET", &path, "").await;
    assert_eq!((told.status, told.code()), (404, "ProposalNotFound"));
}

#[tokio::test]
async fn a_node_tells_who_it_is() {
    let world = world().await;
    let id = world.front.inside.service.node().node_id.clone();
    let state = world.ask("GET", "/node/state").await.body;
    assert_eq!((&state["node_id"], &state["resume"]["mode"]), (&json!(id), &json!("auto")));
    let network = world.ask("GET", "/node/network").await.body;
    assert_eq!(network["primary_id"], id.as_str());
    assert_eq!(network["service_certificate"], world.service.to_pem());
    for path in ["/node/network/nodes/self", "/node/network/nodes/primary", &format!("/node/network/nodes/{id}")] {
        assert_eq!(world.ask("GET", path).await.body["node_id"], id.as_str(), "{path}");
    }
    assert_eq!(world.ask("GET", "/node/network/nodes/00").await.code(), "ResourceNotFound");
    let quote = world.ask("GET", "/node/quotes/self").await.body;
    assert_eq!(world.ask("GET", "/node/quotes").await.body["quotes"], json!([quote]));
    assert_eq!(world.ask("GET", "/node/attestations").await.body["attestations"], json!([quote]));
    let consensus = world.ask("GET", "/node/consensus").await.body;
    assert_eq!(consensus["details"]["primary_id"], id.as_str());
    assert_eq!(world.ask("GET", "/node/service/configuration").await.status, 200);
    assert!(world.ask("GET", "/node/memory").await.body["current_allocated_heap_size"].as_u64().unwrap() > 0);
    let paths = world.ask("GET", "/node/api").await.body;
    assert!(paths["paths"]["/node/commit"]["get"].is_object());
}
