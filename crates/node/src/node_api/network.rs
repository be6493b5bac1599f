use ::ledger::tables;
use api::{ApiError, Input};
use consortium::service;
use kv::{State, Tx, Versioned};
use serde_json::{Map, Value, json};

use super::{json, not_found, of_state, reading, tell};
use crate::{inside::Inside, reply::Answered};

/// `GET /node/network`
pub(crate) fn network(inside: &Inside, _: &Input) -> Answered {
    let mut tx = reading(inside);
    let record = service::record(&mut tx).map_err(|_| not_found("Service state not available."))?;
    let body = json!({
        "current_service_create_txid": record.current_service_create_txid,
        "current_view": inside.service.view(),
        "primary_id": inside.service.node().node_id,
        "recovery_count": record.recovery_count,
        "service_certificate": record.cert,
        "service_data": record.service_data,
        "service_status": record.status,
    });
    of_state(json(&body), &tx)
}

/// `GET /node/network/nodes?host=&port=&status=`
pub(crate) fn nodes(inside: &Inside, input: &Input) -> Answered {
    let tx = reading(inside);
    let wanted = Wanted::of(input)?;
    let nodes: Vec<Value> = described(inside, &tx).filter(|node| wanted.takes(node)).collect();
    of_state(json(&json!({ "nodes": nodes })), &tx)
}

/// `GET /node/network/removable_nodes`
pub(crate) fn removable_nodes(inside: &Inside, _: &Input) -> Answered {
    let tx = reading(inside);
    let removable = |record: &Value| record.get("retired_committed").and_then(Value::as_bool) == Some(true);
    let nodes: Vec<Value> = records(tx.base())
        .filter(|(_, record, _)| status(record) == "Retired" && removable(record))
        .map(|(id, record, stored)| describe(inside, &id, &record, stored))
        .collect();
    of_state(json(&json!({ "nodes": nodes })), &tx)
}

/// `GET /node/network/nodes/{node_id}`
pub(crate) fn node(inside: &Inside, input: &Input) -> Answered {
    one(inside, input.param("node_id"))
}

/// `GET /node/network/nodes/self`
pub(crate) fn node_self(inside: &Inside, _: &Input) -> Answered {
    one(inside, &inside.service.node().node_id)
}

/// `GET /node/network/nodes/primary`: a service has one node.
pub(crate) fn node_primary(inside: &Inside, input: &Input) -> Answered {
    node_self(inside, input)
}

fn one(inside: &Inside, id: &str) -> Answered {
    let tx = reading(inside);
    let stored = tx.base().get(tables::NODES_INFO, id.as_bytes()).ok_or_else(|| not_found("Node not found"))?;
    of_state(json(&describe(inside, id, &parsed(stored), stored)), &tx)
}

/// `GET /node/config`: addresses by node.
pub(crate) fn config(inside: &Inside, _: &Input) -> Answered {
    tell(json(&Value::Object(addresses(inside))))
}

/// `GET /node/consensus`
pub(crate) fn consensus(inside: &Inside, _: &Input) -> Answered {
    let committed = inside.service.committed().state.clone();
    let since = committed.changed(tables::NODES_INFO).seqno;
    let details = json!({
        "acks": {},
        "configs": [{ "idx": since, "nodes": addresses(inside), "rid": since }],
        "current_view": inside.service.view(),
        "leadership_state": "Leader",
        "membership_state": "Active",
        "primary_id": inside.service.node().node_id,
        "reconfiguration_type": "OneTransaction",
        "ticking": true,
    });
    tell(json(&json!({ "details": details })))
}

fn addresses(inside: &Inside) -> Map<String, Value> {
    let committed = inside.service.committed().state.clone();
    let address = |record: &Value| record.pointer("/node_to_node_interface/published_address").cloned();
    records(&committed)
        .filter(|(_, record, _)| status(record) == "Trusted")
        .map(|(id, record, _)| (id, json!({ "address": address(&record) })))
        .collect()
}

/// The records of all nodes: id, record, and how it is stored.
pub(super) fn records(state: &State) -> impl Iterator<Item = (String, Value, &Versioned)> {
    let record = |(id, stored): (&bytes::Bytes, _)| (String::from_utf8_lossy(id).into_owned(), parsed(stored), stored);
    state.iter(tables::NODES_INFO).map(record)
}

/// A damaged record is shown as an empty one: other nodes are still there to be told of.
fn parsed(stored: &Versioned) -> Value {
    serde_json::from_slice(&stored.value).unwrap_or_default()
}

pub(super) fn status(record: &Value) -> &str {
    record.get("status").and_then(Value::as_str).unwrap_or_default()
}

fn described<'a>(inside: &'a Inside, tx: &'a Tx) -> impl Iterator<Item = Value> + 'a {
    records(tx.base()).map(|(id, record, stored)| describe(inside, &id, &record, stored))
}

fn describe(inside: &Inside, id: &str, record: &Value, stored: &Versioned) -> Value {
    let field = |name: &str| record.get(name).cloned().unwrap_or_default();
    json!({
        "last_written": stored.written.seqno,
        "node_data": field("node_data"),
        "node_id": id,
        "primary": id == inside.service.node().node_id,
        "rpc_interfaces": field("rpc_interfaces"),
        "status": field("status"),
    })
}

/// Which nodes a client asks for.
struct Wanted<'a> {
    host: Option<&'a str>,
    port: Option<&'a str>,
    status: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn of(input: &'a Input) -> Result<Self, ApiError> {
        let status = input.query.get("status");
        if status.is_some_and(|status| !matches!(status, "Pending" | "Trusted" | "Retired")) {
            let message = "Query parameter 'status' is not a valid node status: it is Pending, Trusted or Retired.";
            return Err(ApiError::bad_request("InvalidQueryParameterValue", message));
        }
        Ok(Self { host: input.query.get("host"), port: input.query.get("port"), status })
    }

    fn takes(&self, node: &Value) -> bool {
        let interfaces = node.get("rpc_interfaces").and_then(Value::as_object);
        let mut interfaces = interfaces.into_iter().flat_map(Map::values);
        self.status.is_none_or(|wanted| status(node) == wanted)
            && ((self.host.is_none() && self.port.is_none()) || interfaces.any(|interface| self.reaches(interface)))
    }

    fn reaches(&self, interface: &Value) -> bool {
        let address = interface.get("published_address").and_then(Value::as_str).unwrap_or_default();
        let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
        self.host.is_none_or(|wanted| wanted == host) && self.port.is_none_or(|wanted| wanted == port)
    }
}

#[cfg(test)]
mod tests {
    use api::Query;

    use super::*;

    #[test]
    fn nodes_are_chosen_by_address_and_status() {
        let node = json!({
            "rpc_interfaces": {"a": {"published_address": "h:1"}, "b": {"published_address": "i:2"}},
            "status": "Trusted",
        });
        let takes = |raw: &str| {
            Wanted::of(&Input { query: Query::parse(raw), ..Input::default() }).map(|wanted| wanted.takes(&node))
        };
        for yes in ["", "host=h", "port=2", "host=i&port=2", "status=Trusted&host=h"] {
            assert_eq!(takes(yes), Ok(true), "{yes}");
        }
        for no in ["host=x", "host=h&port=2", "status=Retired"] {
            assert_eq!(takes(no), Ok(false), "{no}");
        }
        assert_eq!(takes("status=Lost").unwrap_err().code, "InvalidQueryParameterValue");
    }
}
