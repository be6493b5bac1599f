//! What the ledger says of a node.

use std::collections::BTreeMap;

use crypto::issue;
use ledger::tables;
use serde_json::{Map, Value, json};

use crate::{
    NodeError,
    config::{Config, RpcInterface},
    files,
    info::{NodeInfo, VIRTUAL_HOST_DATA, VIRTUAL_MEASUREMENT},
    vault::Identity,
};

/// The record in `nodes.info` of a trusted node (CCF's members; it has no key for ledger secrets, since no other node is
/// there to send them).
pub(crate) fn node(
    config: &Config,
    identity: &Identity,
    node: &NodeInfo,
    names: &[String],
) -> Result<Value, NodeError> {
    let subject = &config.node_certificate.subject_name;
    let mut record = json!({
        "certificate_signing_request": issue::signing_request(&identity.node_key, subject, names)?,
        "code_digest": node.quote.measurement,
        "node_to_node_interface": {
            "bind_address": config.network.node_to_node.bind,
            "published_address": config.network.node_to_node.published,
        },
        "public_key": identity.node_key.public().to_pem(),
        "quote_info": node.quote.record(),
        "rpc_interfaces": interfaces(&config.network.rpc_interfaces),
        "status": "Trusted",
    });
    if let (Some(file), Some(members)) = (&config.node_data_json_file, record.as_object_mut()) {
        members.insert("node_data".into(), files::json("node_data_json_file", file)?);
    }
    Ok(record)
}

fn interfaces(interfaces: &[RpcInterface]) -> Value {
    let describe = |interface: &RpcInterface| json!({ "bind_address": interface.address.bind, "published_address": interface.address.published });
    let named: BTreeMap<_, _> = interfaces.iter().map(|one| (one.name.clone(), describe(one))).collect();
    Value::Object(named.into_iter().collect::<Map<_, _>>())
}

/// What a node on the virtual platform has to show to join: no more than this one can.
pub(crate) fn join_policy() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    vec![
        (tables::NODES_VIRTUAL_MEASUREMENTS, VIRTUAL_MEASUREMENT.into(), br#""AllowedToJoin""#.to_vec()),
        (tables::NODES_VIRTUAL_HOST_DATA, VIRTUAL_HOST_DATA.into(), vec![0; 8]),
    ]
}

/// The subject alternative names of a node: those configured, or else the hosts of its published addresses.
pub(crate) fn names(config: &Config) -> Vec<String> {
    if !config.node_certificate.subject_alt_names.is_empty() {
        return config.node_certificate.subject_alt_names.clone();
    }
    let addresses = config.network.rpc_interfaces.iter().map(|interface| &interface.address.published);
    let mut names: Vec<_> = addresses.filter_map(|address| name(address)).collect();
    names.sort();
    names.dedup();
    names
}

fn name(address: &str) -> Option<String> {
    let (host, _) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { "iPAddress" } else { "dNSName" };
    Some(format!("{kind}:{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_for_what_it_is() {
        assert_eq!(name("127.0.0.1:8080").as_deref(), Some("iPAddress:127.0.0.1"));
        assert_eq!(name("[::1]:8080").as_deref(), Some("iPAddress:::1"));
        assert_eq!(name("localhost:8080").as_deref(), Some("dNSName:localhost"));
        assert_eq!(name("nonsense"), None);
    }
}
