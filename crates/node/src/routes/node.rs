//! The node itself.

use super::{Actor, Handler, Route, Tell, Verb};
use crate::node_api;

const NODE: &[Actor] = &[Actor::Node];

const fn json(path: &'static str, tell: Tell) -> Route {
    Route::new(NODE, Verb::Get, path, Handler::Node(tell)).json()
}

pub(super) static ROUTES: &[Route] = &[
    json("/state", node_api::state).says("The state of the node, and how the service resumes."),
    json("/version", node_api::version).says("The version of CCF that this is compatible with."),
    json("/network", node_api::network).says("The service."),
    json("/network/nodes", node_api::nodes).says("The nodes; `host`, `port` and `status` choose among them."),
    json("/network/nodes/self", node_api::node_self).says("This node."),
    json("/network/nodes/primary", node_api::node_primary).says("The primary."),
    json("/network/nodes/{node_id}", node_api::node).says("A node."),
    json("/network/removable_nodes", node_api::removable_nodes).says("Retired nodes that may be removed."),
    json("/self_signed_certificate", node_api::self_signed_certificate).says("The node's own certificate."),
    json("/quotes", node_api::quotes).says("The evidence of the trusted nodes."),
    json("/quotes/self", node_api::quote_self).says("The evidence of this node."),
    json("/attestations", node_api::attestations).says("The evidence of the trusted nodes."),
    json("/attestations/self", node_api::quote_self).says("The evidence of this node."),
    json("/consensus", node_api::consensus).says("The state of consensus."),
    json("/config", node_api::config).says("The addresses that nodes reach each other at."),
    json("/metrics", node_api::metrics).says("Sessions by interface."),
    json("/js_metrics", node_api::js_metrics).says("The limits of scripts."),
    json("/jwt_keys/refresh/metrics", node_api::jwt_refresh)
        .says("How often issuers of tokens were asked for their keys."),
    json("/index/strategies", node_api::index_strategies).says("What indexes the ledger besides: nothing."),
    Route::new(NODE, Verb::Delete, "/network/nodes/{node_id}", Handler::Write(node_api::remove_node))
        .json()
        .says("Forgets a node whose retirement is complete."),
    Route::new(NODE, Verb::Get, "/snapshot", Handler::Node(node_api::latest_snapshot)).says("The latest snapshot."),
    Route::new(NODE, Verb::Head, "/snapshot", Handler::Node(node_api::latest_snapshot)).says("The latest snapshot."),
    Route::new(NODE, Verb::Get, "/snapshot/{snapshot_name}", Handler::Node(node_api::snapshot)).says("A snapshot."),
    Route::new(NODE, Verb::Head, "/snapshot/{snapshot_name}", Handler::Node(node_api::snapshot)).says("A snapshot."),
    json("/memory", node_api::memory).says("Memory of the process, in bytes."),
    json("/service/configuration", node_api::service_configuration).says("The settings of the service."),
    json("/service/previous_identity", node_api::previous_identity)
        .says("The certificate of the service before its last recovery."),
    Route::new(NODE, Verb::Get, "/primary", Handler::Node(node_api::primary)).says("Whether this is the primary."),
    Route::new(NODE, Verb::Head, "/primary", Handler::Node(node_api::primary)).says("Whether this is the primary."),
    Route::new(NODE, Verb::Get, "/backup", Handler::Node(node_api::backup)).says("Whether this is a backup."),
    Route::new(NODE, Verb::Get, "/ready/app", Handler::Node(node_api::ready_app))
        .says("204 when the application is open."),
    Route::new(NODE, Verb::Get, "/ready/gov", Handler::Node(node_api::ready_gov)).says("204 when governance is open."),
];
