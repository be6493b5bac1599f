//! Nodes, as governance shows them.

use api::{ApiError, Output};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kv::Tx;
use ledger::tables;
use serde_json::{Map, Value, json};

use crate::{ids, json::answer, stored};

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

    #[test]
    fn evidence_of_hardware_is_shown_as_stored() {
        let stored = json!({"format": "AMD_SEV_SNP_v1", "quote": "cQ==", "endorsements": "ZQ==", "endorsed_tcb": "00"});
        assert_eq!(
            describe_quote(&stored),
            json!({"format": "AMD_SEV_SNP_v1", "quote": "cQ==", "endorsements": "ZQ==", "endorsedTcb": "00"})
        );
    }
}
