//! Nodes, as governance shows them.

use api::{ApiError, Body, Output};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{Certificate, PublicKey};
use kv::Tx;
use ledger::tables;
use serde_json::{Map, Value, json};

use crate::{ConsortiumError, ids, json::answer, stored};

/// `GET /gov/service/nodes`
///
/// # Errors
/// 500 if a record is damaged.
pub fn list(tx: &mut Tx) -> Result<Output, ApiError> {
    let mut nodes = Vec::new();
    for (id, value) in tx.entries(tables::NODES_INFO) {
        let info = stored::parse(tables::NODES_INFO, &value)?;
        nodes.push(describe(tx, &stored::lossy(&id), &info));
    }
    Ok(answer(&json!({ "value": nodes })))
}

/// `GET /gov/service/nodes/{nodeId}`
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ResourceNotFound`.
pub fn read(tx: &mut Tx, node_id: &str) -> Result<Output, ApiError> {
    ids::check("node", node_id)?;
    let info: Option<Value> = stored::json(tx, tables::NODES_INFO, node_id.as_bytes())?;
    let Some(info) = info else {
        return Err(ApiError::not_found("ResourceNotFound", format!("Node n[{node_id}] does not exist.")));
    };
    Ok(answer(&describe(tx, node_id, &info)))
}

/// `DELETE /node/network/nodes/{nodeId}`: forgets a node whose retirement is complete.
///
/// # Errors
/// 404 `ResourceNotFound`, 400 `NodeNotRetiredCommitted`.
pub fn remove(tx: &mut Tx, node_id: &str) -> Result<Output, ApiError> {
    let info: Option<Value> = stored::json(tx, tables::NODES_INFO, node_id.as_bytes())?;
    let info = info.ok_or_else(|| ApiError::not_found("ResourceNotFound", "No such node"))?;
    let committed = info.get("retired_committed").and_then(Value::as_bool).unwrap_or_default();
    if !has_status(&info, "Retired") || !committed {
        return Err(ApiError::bad_request("NodeNotRetiredCommitted", "Node is not completely retired"));
    }
    tx.remove(tables::NODES_INFO, node_id.to_owned());
    tx.remove(tables::NODES_ENDORSED_CERTIFICATES, node_id.to_owned());
    Ok(Output::new(200, Body::Json("true".into())))
}

/// Whether a node takes part in the service.
///
/// # Errors
/// [`ConsortiumError::Stored`] for a damaged record.
pub fn is_trusted(tx: &mut Tx, node_id: &str) -> Result<bool, ConsortiumError> {
    let info: Option<Value> = stored::json(tx, tables::NODES_INFO, node_id.as_bytes())?;
    Ok(info.is_some_and(|info| has_status(&info, "Trusted")))
}

/// Checks that the service has a node to run on, and that the certificate of each can be read and is for its key:
/// without the one it could not even start again, without the other nobody could verify its ledger.
///
/// # Errors
/// [`ConsortiumError::NoTrustedNode`], [`ConsortiumError::Stored`].
pub fn check(tx: &mut Tx) -> Result<(), ConsortiumError> {
    let mut trusted = 0;
    for (id, value) in tx.entries(tables::NODES_INFO) {
        let info: Value = stored::parse(tables::NODES_INFO, &value)?;
        if has_status(&info, "Trusted") {
            trusted += 1;
            check_certificate(tx, &id, &info)?;
        }
    }
    if trusted == 0 { Err(ConsortiumError::NoTrustedNode) } else { Ok(()) }
}

fn check_certificate(tx: &mut Tx, id: &[u8], info: &Value) -> Result<(), ConsortiumError> {
    let table = tables::NODES_ENDORSED_CERTIFICATES;
    let wrong = |why: String| ConsortiumError::Stored { table, why: format!("node {}: {why}", stored::lossy(id)) };
    let certificate = stored::text(tx, table, id).ok_or_else(|| wrong("it has none".into()))?;
    let certificate = Certificate::from_pem(&certificate).map_err(|why| wrong(why.to_string()))?;
    let key = info.get("public_key").and_then(Value::as_str).unwrap_or_default();
    let key = PublicKey::from_pem(key).map_err(|why| wrong(why.to_string()))?;
    match certificate.public_key() {
        Ok(certified) if certified == key => Ok(()),
        _ => Err(wrong("it is for another key".into())),
    }
}

fn has_status(info: &Value, status: &str) -> bool {
    info.get("status").and_then(Value::as_str) == Some(status)
}

fn describe(tx: &mut Tx, node_id: &str, info: &Value) -> Value {
    let field = |name: &str| info.get(name).cloned().unwrap_or_default();
    let mut node = Map::new();
    if let Some(certificate) = stored::text(tx, tables::NODES_ENDORSED_CERTIFICATES, node_id.as_bytes()) {
        node.insert("certificate".into(), certificate.into());
    }
    node.insert("nodeData".into(), field("node_data"));
    node.insert("nodeId".into(), node_id.into());
    node.insert("quoteInfo".into(), describe_quote(&field("quote_info")));
    node.insert("retiredCommitted".into(), field("retired_committed").as_bool().unwrap_or_default().into());
    node.insert("rpcInterfaces".into(), describe_interfaces(&field("rpc_interfaces")));
    node.insert("status".into(), field("status"));
    Value::Object(node)
}

/// Evidence as stored, under the names of this API; that of a virtual node is also taken apart.
fn describe_quote(stored: &Value) -> Value {
    const NAMES: [(&str, &str); 5] = [
        ("endorsed_tcb", "endorsedTcb"),
        ("endorsements", "endorsements"),
        ("format", "format"),
        ("quote", "quote"),
        ("uvm_endorsements", "uvmEndorsements"),
    ];
    let format = stored.get("format").and_then(Value::as_str).unwrap_or_default();
    if format == "Insecure_Virtual" {
        return describe_virtual(stored);
    }
    let named = |(from, to): (&str, &str)| Some((to.to_owned(), stored.get(from)?.clone()));
    Value::Object(NAMES.into_iter().filter_map(named).collect())
}

fn describe_virtual(stored: &Value) -> Value {
    let raw = stored.get("quote").cloned().unwrap_or_default();
    let quote = raw.as_str().and_then(|text| STANDARD.decode(text).ok());
    let quote: Value = quote.and_then(|quote| serde_json::from_slice(&quote).ok()).unwrap_or_default();
    let field = |name: &str| quote.get(name).cloned().unwrap_or_default();
    json!({
        "details": {
            "hostData": field("host_data"),
            "measurement": field("measurement"),
            "reportData": field("report_data"),
        },
        "format": "Insecure_Virtual",
        "rawQuote": raw,
    })
}

fn describe_interfaces(stored: &Value) -> Value {
    let describe = |(name, interface): (&String, &Value)| {
        let mut shown = Map::new();
        if let Some(protocol) = interface.get("app_protocol").filter(|protocol| !protocol.is_null()) {
            shown.insert("protocol".into(), protocol.clone());
        }
        shown.insert("publishedAddress".into(), interface.get("published_address").cloned().unwrap_or_default());
        (name.clone(), Value::Object(shown))
    };
    stored.as_object().map(|interfaces| interfaces.iter().map(describe).collect()).unwrap_or(Value::Object(Map::new()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Consortium, body};

    #[test]
    fn a_virtual_node_is_taken_apart() {
        let consortium = Consortium::accepted(1);
        let node = body(&list(&mut consortium.tx()).unwrap())["value"][0].clone();
        assert_eq!(node["status"], "Trusted");
        assert_eq!(node["retiredCommitted"], false);
        assert_eq!(node["quoteInfo"]["format"], "Insecure_Virtual");
        assert_eq!(
            node["quoteInfo"]["details"],
            json!({"hostData": "aa", "measurement": "Insecure hard-coded virtual measurement v1", "reportData": "cmQ="})
        );
        assert_eq!(node["rpcInterfaces"], json!({"primary_rpc_interface": {"publishedAddress": "127.0.0.1:8080"}}));
        let id = node["nodeId"].as_str().unwrap();
        assert_eq!(body(&read(&mut consortium.tx(), id).unwrap()), node);
        assert_eq!(read(&mut consortium.tx(), &"0".repeat(64)).unwrap_err().status, 404);
    }

    fn change(tx: &mut Tx, id: &str, change: impl Fn(&mut Value)) {
        let mut info: Value = stored::json(tx, tables::NODES_INFO, id.as_bytes()).unwrap().unwrap();
        change(&mut info);
        tx.put(tables::NODES_INFO, id.to_owned(), info.to_string());
    }

    #[test]
    fn what_members_note_about_a_node_is_shown() {
        let consortium = Consortium::accepted(1);
        let (mut tx, id) = (consortium.tx(), "cd".repeat(32));
        assert_eq!(body(&read(&mut tx, &id).unwrap())["nodeData"], Value::Null);
        change(&mut tx, &id, |info| info["node_data"] = json!({"rack": 7}));
        assert_eq!(body(&read(&mut tx, &id).unwrap())["nodeData"], json!({"rack": 7}));
    }

    #[test]
    fn only_a_node_whose_retirement_is_complete_is_forgotten() {
        let consortium = Consortium::accepted(1);
        let (mut tx, id) = (consortium.tx(), "ef".repeat(32));
        let error = remove(&mut tx, &id).unwrap_err();
        assert_eq!((error.status, error.code, &*error.message), (404, "ResourceNotFound", "No such node"));
        tx.put(tables::NODES_INFO, id.clone(), r#"{"status":"Trusted"}"#);
        tx.put(tables::NODES_ENDORSED_CERTIFICATES, id.clone(), "PEM");
        for (status, committed) in [("Trusted", true), ("Retired", false)] {
            change(&mut tx, &id, |info| *info = json!({"status": status, "retired_committed": committed}));
            let error = remove(&mut tx, &id).unwrap_err();
            assert_eq!((error.status, error.code), (400, "NodeNotRetiredCommitted"));
            assert_eq!(error.message, "Node is not completely retired");
        }
        change(&mut tx, &id, |info| *info = json!({"status": "Retired", "retired_committed": true}));
        assert_eq!(body(&read(&mut tx, &id).unwrap())["retiredCommitted"], true);
        assert_eq!(body(&remove(&mut tx, &id).unwrap()), true);
        for table in [tables::NODES_INFO, tables::NODES_ENDORSED_CERTIFICATES] {
            assert!(!tx.has(table, id.as_bytes()), "{table}");
        }
    }

    #[test]
    fn a_service_keeps_a_trusted_node_with_a_certificate_of_its_key() {
        let consortium = Consortium::accepted(1);
        let (mut tx, id) = (consortium.tx(), "cd".repeat(32));
        assert_eq!(check(&mut tx), Ok(()));
        let another = crate::testing::service_certificate();
        for bad in ["nonsense", another] {
            let mut tx = consortium.tx();
            tx.put(tables::NODES_ENDORSED_CERTIFICATES, id.clone(), bad);
            assert!(matches!(check(&mut tx), Err(ConsortiumError::Stored { .. })), "{bad}");
        }
        change(&mut tx, &id, |info| info["status"] = "Retired".into());
        assert_eq!(check(&mut tx), Err(ConsortiumError::NoTrustedNode));
        tx.remove(tables::NODES_INFO, id);
        assert_eq!(check(&mut tx), Err(ConsortiumError::NoTrustedNode));
    }

    #[test]
    fn evidence_of_hardware_is_shown_as_stored() {
        let stored = json!({"format": "AMD_SEV_SNP_v1", "quote": "cQ==", "endorsements": "ZQ==", "endorsed_tcb": "00"});
        assert_eq!(
            describe_quote(&stored),
            json!({"format": "AMD_SEV_SNP_v1", "quote": "cQ==", "endorsements": "ZQ==", "endorsedTcb": "00"})
        );
    }
}
