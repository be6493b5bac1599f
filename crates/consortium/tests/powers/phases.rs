//! The services of the table: one for each phase, with the same things in it.

use std::sync::OnceLock;

use consortium::{
    genesis::{Application, GenesisInput, GenesisMember, GenesisNode, ResumeMode, genesis},
    service::ServiceConfiguration,
};
use constitution::DEFAULT_CONSTITUTION;
use kv::{State, TxId, UNIT_KEY, WriteSet};
use ledger::tables;
use serde_json::{Value, json};

use crate::{
    people::{MEASUREMENT, UNCOUNTED, people},
    service::Service,
    table::{fill, row_actions},
};

/// What everybody finds in the service: accepted by vote, once, and copied from there.
const THINGS: [&str; 14] = [
    "set_contract {\"contractId\": \"c\", \"contract\": {\"data\": 1}}",
    "set_contract {\"contractId\": \"certified\", \"contract\": {\"data\": 1}}",
    "set_clean_room_policy {\"contractId\": \"c\", \"type\": \"add\", \"claims\": {\"x-ms-sevsnpvm-hostdata\": \"aa\"}}",
    "enable_ca {\"contractId\": \"certified\"}",
    "set_member_document {\"documentId\": \"doc\", \"document\": {\"contractId\": \"c\", \"data\": 1}}",
    "set_user {\"cert\": \"<user.pem>\", \"user_data\": {\"a\": 0}} && set_user_identity {\"id\": \"known\", \"accountType\": \"microsoft\", \"data\": {\"tenantId\": \"t\"}}",
    "set_user_invitation_by_jwt_claims {\"invitationId\": \"i\", \"type\": \"add\", \"accountType\": \"microsoft\", \"claims\": {\"upn\": \"a@b.example\"}}",
    "add_node_code {\"code_id\": \"<hash1>\"} && add_executor_node_code {\"executor_code_id\": \"<hash1>\"}",
    "add_snp_measurement {\"measurement\": \"<measurement1>\"} && add_snp_host_data {\"host_data\": \"<hash1>\", \"security_policy\": \"\"}",
    "add_snp_uvm_endorsement {\"did\": \"did:x509:known\", \"feed\": \"uvm\", \"svn\": \"101\"}",
    "set_snp_minimum_tcb_version_hex {\"cpuid\": \"00a00f11\", \"tcb_version\": \"db18000000000004\"}",
    "set_ca_cert_bundle {\"name\": \"roots\", \"cert_bundle\": \"<roots.pem>\"} && set_ca_cert_bundle {\"name\": \"spare\", \"cert_bundle\": \"<spare.pem>\"}",
    "set_jwt_issuer {\"issuer\": \"https://auto.example\", \"auto_refresh\": true, \"ca_cert_bundle_name\": \"roots\", \"jwks\": \"<jwks.k1>\"}",
    "set_jwt_issuer {\"issuer\": \"https://still.example\", \"jwks\": \"<jwks.k2>\"}",
];
/// The tables that these are in.
const COPIED: [&str; 20] = [
    "accepted_contracts",
    "policies.cleanroom-c",
    "ca",
    "accepted_member_documents",
    "users.certs",
    "users.info",
    "user_identities",
    "user_invitations",
    "user_invitations-i",
    "nodes.code_ids",
    "nodes.executor_code_ids",
    "nodes.snp.measurements",
    "nodes.snp.host_data",
    "nodes.snp.uvm_endorsements",
    "nodes.snp.tcb_versions",
    "nodes.virtual.measurements",
    "nodes.virtual.host_data",
    "tls.ca_cert_bundles",
    "jwt.issuers",
    "jwt.public_signing_keys_metadata_v2",
];

/// Before, first, open, recovering.
pub(crate) fn phases() -> &'static [Service; 4] {
    static PHASES: OnceLock<[Service; 4]> = OnceLock::new();
    PHASES.get_or_init(|| {
        let opened = opened();
        let before = equipped(&[], &opened);
        let first = equipped(&["alice"], &opened);
        let mut open = equipped(&["alice", "bob"], &opened);
        open_it(&mut open);
        let recovering = with_status(&open, "Recovering");
        [before, first, open, recovering]
    })
}

/// The same service in another state of its life. Nothing recovers one in this test, so the status is just written.
pub(crate) fn with_status(service: &Service, status: &str) -> Service {
    let mut changed = service.clone();
    let mut info = changed.json(tables::SERVICE_INFO, &UNIT_KEY);
    info["status"] = json!(status);
    changed.put(tables::SERVICE_INFO, &UNIT_KEY, &info);
    changed
}

/// A service with these counted members Active, and all others but zoe.
fn founded(counted: &[&str]) -> Service {
    let mut service = Service { state: State::default() };
    service.write(&genesis(&genesis_input()).unwrap());
    for name in UNCOUNTED.iter().chain(counted) {
        service.activate(name);
    }
    service
}

fn opened() -> Service {
    let mut service = founded(&["alice", "bob"]);
    open_it(&mut service);
    for actions in THINGS {
        service.pass(&fill(&row_actions(actions), &people().values));
    }
    service
}

fn open_it(service: &mut Service) {
    let open = json!([{
        "name": "transition_service_to_open",
        "args": { "next_service_identity": people().service_certificate },
    }]);
    service.pass(&open);
    assert_eq!(service.json(tables::SERVICE_INFO, &UNIT_KEY)["status"], "Open");
}

/// A service that knows the same things without having voted on them, with a second proposal open in it.
fn equipped(counted: &[&str], from: &Service) -> Service {
    let mut service = founded(counted);
    let mut writes = WriteSet::default();
    for table in COPIED.map(|table| format!("public:ccf.gov.{table}")) {
        assert!(!from.state.is_empty(&table), "nothing is in {table}");
        for (key, found) in from.state.iter(&table) {
            writes.put(&table, key.clone(), found.value.clone());
        }
    }
    for (name, machine) in people().machines.iter().filter(|(name, _)| **name != "first") {
        writes.put(tables::NODES_INFO, machine.id.clone(), machine.info.to_string());
        if *name == "node" {
            writes.put(tables::NODES_ENDORSED_CERTIFICATES, machine.id.clone(), machine.certificate.clone());
        }
    }
    service.write(&writes);
    let contract = json!([{ "name": "set_contract", "args": { "contractId": "q", "contract": { "data": 1 } } }]);
    assert_eq!(service.propose("boss", &contract).unwrap().state, "Open");
    service
}

/// Switches options on, as a vote does.
pub(crate) fn switch_on(service: &Service, options: &[&str]) -> Service {
    let mut changed = service.clone();
    for option in options {
        changed.put("public:ccf.gov.cgs_runtime_options", option.as_bytes(), &json!({ "status": "enabled" }));
    }
    changed
}

fn genesis_input() -> GenesisInput {
    let people = people();
    let member = |person: &crate::people::Person| GenesisMember {
        certificate: person.certificate.clone(),
        encryption_public_key: person.has_share.then(|| people.encryption_key.clone()),
        data: Some(person.data.clone()),
        recovery_role: None,
    };
    let first = &people.machines["first"];
    let allowed = br#""AllowedToJoin""#.to_vec();
    GenesisInput {
        constitution: DEFAULT_CONSTITUTION.into(),
        members: people.members.values().map(member).collect(),
        node: GenesisNode {
            id: first.id.clone(),
            info: first.info.clone(),
            endorsed_certificate: first.certificate.clone(),
            join_policy: vec![
                (tables::NODES_VIRTUAL_HOST_DATA, b"aa".to_vec(), vec![0; 8]),
                (tables::NODES_VIRTUAL_MEASUREMENTS, MEASUREMENT.into(), allowed),
            ],
        },
        configuration: ServiceConfiguration { recovery_threshold: 2, ..ServiceConfiguration::default() },
        service_certificate: people.service_certificate.clone(),
        tx_id: TxId::new(2, 1),
        service_data: None::<Value>,
        resume: ResumeMode::Auto,
        application: Application {
            name: "cgs".into(),
            version: "0.1.0".into(),
            build_digest: String::new(),
            node_measurement: String::new(),
        },
    }
}
