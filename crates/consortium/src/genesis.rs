//! The first transaction of a service (CCF, seqno 1).

use std::collections::BTreeSet;

use crypto::Certificate;
use kv::{TxId, UNIT_KEY, WriteSet};
use ledger::tables;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    APPLICATION, ConsortiumError, RESUME_MODE,
    json::sorted_text,
    members::{RecoveryRole, Status},
    service::{ServiceConfiguration, ServiceInfo, ServiceStatus},
};

/// A member that the service is founded with.
#[derive(Debug, Clone)]
pub struct GenesisMember {
    /// The certificate, PEM; its digest is the member's id.
    pub certificate: String,
    /// The RSA key that recovery shares are encrypted to, PEM.
    pub encryption_public_key: Option<String>,
    /// What the consortium notes about the member.
    pub data: Option<Value>,
    /// The role in a recovery, if it is not the default (a share for everybody with a key).
    pub recovery_role: Option<RecoveryRole>,
}

/// The first node and what a node has to show to join later.
#[derive(Debug, Clone)]
pub struct GenesisNode {
    /// SHA-256 of the node's public key, hex.
    pub id: String,
    /// The record for `nodes.info`, with status Trusted.
    pub info: Value,
    /// The certificate that the service issued to the node, PEM.
    pub endorsed_certificate: String,
    /// Entries of the join policy: table (one of `nodes.virtual.*`, `nodes.snp.*`), key, value.
    pub join_policy: Vec<(&'static str, Vec<u8>, Vec<u8>)>,
}

/// How the service resumes after a restart (D31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResumeMode {
    /// By itself.
    Auto,
    /// With signatures of the members' agents.
    Witnessed,
    /// By recovery only.
    Recovery,
}

/// What the application is (D2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of the build, hex; empty where it is not known.
    pub build_digest: String,
    /// Measurement of the node that founded the service.
    pub node_measurement: String,
}

/// Everything that a service is founded with.
#[derive(Debug, Clone)]
pub struct GenesisInput {
    /// The text of the constitution, stored exactly.
    pub constitution: String,
    /// The members; their order does not matter.
    pub members: Vec<GenesisMember>,
    /// The first node.
    pub node: GenesisNode,
    /// Settings; a recovery threshold of 0 means all participants.
    pub configuration: ServiceConfiguration,
    /// The certificate of the service, PEM.
    pub service_certificate: String,
    /// The id of this transaction.
    pub tx_id: TxId,
    /// What the operator notes about the service.
    pub service_data: Option<Value>,
    /// How the service resumes.
    pub resume: ResumeMode,
    /// What the application is.
    pub application: Application,
}

/// The writes of the first transaction.
///
/// # Errors
/// [`ConsortiumError::Genesis`] that names what is wrong: a member's certificate or key, a member twice, a role without a
/// key, a recovery threshold that cannot be met.
pub fn genesis(input: &GenesisInput) -> Result<WriteSet, ConsortiumError> {
    let mut writes = WriteSet::default();
    put_single(&mut writes, tables::CONSTITUTION, &json!(input.constitution));
    let mut seen = BTreeSet::new();
    for (index, member) in input.members.iter().enumerate() {
        put_member(&mut writes, &mut seen, index, member)?;
    }
    put_node(&mut writes, &input.node);
    put_single(&mut writes, tables::SERVICE_CONFIG, &json!(configuration(input)?));
    let info = ServiceInfo {
        cert: input.service_certificate.clone(),
        current_service_create_txid: Some(input.tx_id.to_string()),
        previous_service_identity_version: None,
        recovery_count: 0,
        service_data: input.service_data.clone().unwrap_or_default(),
        status: ServiceStatus::Opening,
    };
    put_single(&mut writes, tables::SERVICE_INFO, &json!(info));
    put_single(&mut writes, RESUME_MODE, &json!(input.resume));
    put_single(&mut writes, APPLICATION, &json!(input.application));
    Ok(writes)
}

fn put_single(writes: &mut WriteSet, table: &str, value: &Value) {
    writes.put(table, UNIT_KEY.to_vec(), sorted_text(value));
}

fn put_member(
    writes: &mut WriteSet,
    seen: &mut BTreeSet<String>,
    index: usize,
    member: &GenesisMember,
) -> Result<(), ConsortiumError> {
    let wrong = |why: String| ConsortiumError::Genesis(format!("member {index}: {why}"));
    let certificate = Certificate::from_pem(&member.certificate).map_err(|why| wrong(why.to_string()))?;
    certificate.public_key().map_err(|why| wrong(why.to_string()))?;
    let id = certificate.id();
    if !seen.insert(id.clone()) {
        return Err(wrong(format!("the certificate {id} is there twice")));
    }
    if let Some(key) = &member.encryption_public_key {
        crypto::wrap::check_encryption_key(key).map_err(|why| wrong(format!("encryption key: {why}")))?;
        writes.put(tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, id.clone(), key.clone());
    } else if member.recovery_role.is_some_and(|role| role != RecoveryRole::NonParticipant) {
        return Err(wrong("a recovery_role needs an encryption key".into()));
    }
    let mut info = Map::new();
    info.extend(member.data.clone().map(|data| ("member_data".to_owned(), data)));
    info.extend(member.recovery_role.map(|role| ("recovery_role".to_owned(), json!(role))));
    info.insert("status".into(), json!(Status::Accepted));
    writes.put(tables::MEMBERS_INFO, id.clone(), sorted_text(&Value::Object(info)));
    writes.put(tables::MEMBERS_CERTS, id.clone(), member.certificate.clone());
    writes.put(tables::MEMBERS_ACKS, id, r#"{"state_digest":""}"#);
    Ok(())
}

fn put_node(writes: &mut WriteSet, node: &GenesisNode) {
    writes.put(tables::NODES_INFO, node.id.clone(), sorted_text(&node.info));
    writes.put(tables::NODES_ENDORSED_CERTIFICATES, node.id.clone(), node.endorsed_certificate.clone());
    for (table, key, value) in &node.join_policy {
        writes.put(table, key.clone(), value.clone());
    }
}

/// The settings with the threshold as a number that can be met.
fn configuration(input: &GenesisInput) -> Result<ServiceConfiguration, ConsortiumError> {
    let count = |wanted: RecoveryRole| input.members.iter().filter(|member| role(member) == wanted).count();
    let (participants, owners) = (count(RecoveryRole::Participant), count(RecoveryRole::Owner));
    if participants + owners == 0 {
        let why = "at least one member needs an encryption key, or nobody could recover the service";
        return Err(ConsortiumError::Genesis(why.into()));
    }
    let most = u64::try_from(participants.max(1)).unwrap_or(u64::MAX);
    let mut configuration = input.configuration.clone();
    match configuration.recovery_threshold {
        0 => configuration.recovery_threshold = most,
        threshold if threshold > most => {
            return Err(ConsortiumError::Genesis(format!(
                "recovery_threshold is {threshold}, but {participants} members hold a share"
            )));
        }
        _ => {}
    }
    Ok(configuration)
}

fn role(member: &GenesisMember) -> RecoveryRole {
    let default = match member.encryption_public_key {
        Some(_) => RecoveryRole::Participant,
        None => RecoveryRole::NonParticipant,
    };
    member.recovery_role.unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::genesis_input;

    #[test]
    fn the_first_transaction_writes_the_tables_of_the_reference() {
        let (input, _) = genesis_input(2);
        let writes = genesis(&input).unwrap();
        let names: Vec<&str> = writes.maps().map(|(name, _)| name.trim_start_matches("public:")).collect();
        assert_eq!(
            names,
            [
                "ccf.gov.constitution",
                "ccf.gov.members.acks",
                "ccf.gov.members.certs",
                "ccf.gov.members.encryption_public_keys",
                "ccf.gov.members.info",
                "ccf.gov.nodes.endorsed_certificates",
                "ccf.gov.nodes.info",
                "ccf.gov.nodes.virtual.host_data",
                "ccf.gov.nodes.virtual.measurements",
                "ccf.gov.service.config",
                "ccf.gov.service.info",
                "cgs.application",
                "cgs.resume_mode",
            ]
        );
        let value = |table: &str| String::from_utf8(writes.get(table, &UNIT_KEY).unwrap().unwrap().to_vec()).unwrap();
        assert_eq!(value(tables::SERVICE_CONFIG), r#"{"recovery_threshold":1}"#);
        assert!(
            value(tables::SERVICE_INFO)
                .ends_with(r#""current_service_create_txid":"2.1","recovery_count":0,"status":"Opening"}"#)
        );
    }

    #[test]
    fn d31_the_resume_mode_has_a_table_of_its_own() {
        let (mut input, _) = genesis_input(1);
        input.resume = ResumeMode::Witnessed;
        let writes = genesis(&input).unwrap();
        let value = |table: &str| writes.get(table, &UNIT_KEY).unwrap().unwrap().clone();
        assert_eq!(value(RESUME_MODE), r#""witnessed""#);
        let info = String::from_utf8(value(tables::SERVICE_INFO).to_vec()).unwrap();
        assert!(!info.contains("resume") && !info.contains("witnessed"));
    }

    #[test]
    fn d02_the_application_is_in_the_ledger() {
        let (input, _) = genesis_input(1);
        let writes = genesis(&input).unwrap();
        assert_eq!(
            *writes.get(APPLICATION, &UNIT_KEY).unwrap().unwrap(),
            r#"{"buildDigest":"bd","name":"cgs","nodeMeasurement":"m","version":"0.1.0"}"#
        );
    }

    #[test]
    fn what_cannot_work_is_refused_by_name() {
        let refuse = |change: &dyn Fn(&mut GenesisInput)| {
            let (mut input, _) = genesis_input(2);
            change(&mut input);
            genesis(&input).unwrap_err().to_string()
        };
        assert!(refuse(&|input| input.configuration.recovery_threshold = 2).contains("recovery_threshold is 2"));
        assert!(refuse(&|input| input.members[1].certificate = "x".into()).contains("member 1"));
        assert!(refuse(&|input| input.members[0].encryption_public_key = Some("x".into())).contains("encryption key"));
        assert!(refuse(&|input| input.members[0].encryption_public_key = None).contains("at least one member"));
        assert!(refuse(&|input| input.members[1].recovery_role = Some(RecoveryRole::Owner)).contains("recovery_role"));
        assert!(refuse(&|input| input.members[1] = input.members[0].clone()).contains("twice"));
        assert!(refuse(&|input| input.members.clear()).contains("at least one member"));
    }

    #[test]
    fn a_threshold_of_zero_means_all_participants() {
        let (mut input, _) = genesis_input(2);
        input.members[1].encryption_public_key = input.members[0].encryption_public_key.clone();
        input.configuration.recovery_threshold = 0;
        let writes = genesis(&input).unwrap();
        assert_eq!(*writes.get(tables::SERVICE_CONFIG, &UNIT_KEY).unwrap().unwrap(), r#"{"recovery_threshold":2}"#);
    }
}
