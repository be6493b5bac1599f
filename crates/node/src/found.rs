//! Founding a service: its keys, and its first transaction.

use consortium::genesis::{self, Application, GenesisInput, GenesisMember, GenesisNode};
use crypto::{
    Curve, SigningKey,
    issue::{self, Validity},
};
use kv::{TxId, WriteSet};

use crate::{
    NodeError,
    config::{Config, Member, Start},
    files::{json, text},
    info::{APPLICATION_NAME, NodeInfo},
    record,
    vault::Identity,
};

/// Makes the keys and certificates of a new service and its first node. `names` are the node's subject alternative names.
pub(crate) fn identity(config: &Config, start: &Start, names: &[String], now: i64) -> Result<Identity, NodeError> {
    let service_key = SigningKey::generate(Curve::P384)?;
    let node_key = SigningKey::generate(config.node_certificate.curve)?;
    let days = start.initial_service_certificate_validity_days;
    let service_validity = Validity { from: now, days };
    let service_certificate = issue::service_certificate(&service_key, &start.service_subject_name, service_validity)?;
    let validity = Validity { from: now, days: config.node_certificate.initial_validity_days };
    let subject = &config.node_certificate.subject_name;
    let node_certificate =
        issue::node_certificate(node_key.public(), subject, names, validity, &service_key, &service_certificate)?;
    let self_signed = issue::self_signed(&node_key, subject, names, validity)?;
    let mac_key = crypto::random_bytes()?;
    Ok(Identity { service_key, service_certificate, node_key, node_certificate, self_signed, mac_key })
}

/// What the first transaction writes.
pub(crate) fn genesis(
    config: &Config,
    start: &Start,
    identity: &Identity,
    node: &NodeInfo,
    names: &[String],
    tx_id: TxId,
) -> Result<WriteSet, NodeError> {
    let input = GenesisInput {
        constitution: constitution(start)?,
        members: start.members.iter().enumerate().map(member).collect::<Result<_, _>>()?,
        node: GenesisNode {
            id: node.node_id.clone(),
            info: record::node(config, identity, node, names)?,
            endorsed_certificate: identity.node_certificate.to_pem(),
            join_policy: record::join_policy(),
        },
        configuration: start.service_configuration.clone(),
        service_certificate: identity.service_certificate.to_pem(),
        tx_id,
        service_data: config
            .service_data_json_file
            .as_deref()
            .map(|file| json("service_data_json_file", file))
            .transpose()?,
        resume: node.resume,
        application: Application {
            name: APPLICATION_NAME.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            build_digest: node.build_digest.clone(),
            node_measurement: node.quote.measurement.clone(),
        },
    };
    Ok(genesis::genesis(&input)?)
}

/// The constitution that the configuration names, or the one that is shipped.
pub(crate) fn constitution(start: &Start) -> Result<String, NodeError> {
    if start.constitution_files.is_empty() {
        return Ok(constitution::DEFAULT_CONSTITUTION.to_owned());
    }
    let setting = |index| format!("command.start.constitution_files[{index}]");
    start.constitution_files.iter().enumerate().map(|(index, file)| text(&setting(index), file)).collect()
}

fn member((index, member): (usize, &Member)) -> Result<GenesisMember, NodeError> {
    let setting = |name| format!("command.start.members[{index}].{name}");
    let key = |file| text(&setting("encryption_public_key_file"), file);
    let data = |file| json(&setting("data_json_file"), file);
    Ok(GenesisMember {
        certificate: text(&setting("certificate_file"), &member.certificate_file)?,
        encryption_public_key: member.encryption_public_key_file.as_deref().map(key).transpose()?,
        data: member.data_json_file.as_deref().map(data).transpose()?,
        recovery_role: member.recovery_role,
    })
}
