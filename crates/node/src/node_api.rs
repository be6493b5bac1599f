//! What a node tells of itself: `/node`, the endpoints that every actor has, and those of `/gov` and `/app` that need to
//! know more than the state.

mod absent;
mod evidence;
mod ledger;
mod network;
mod process;
mod survey;
mod transactions;

use api::{ApiError, Body, Input, Output};
use kv::Tx;
use serde_json::Value;

pub(crate) use self::{
    absent::{index_strategies, js_metrics, latest_snapshot, remove_node, snapshot},
    evidence::{attestations, quote_self, quotes},
    ledger::{proposal_history, receipt},
    network::{config, consensus, network, node, node_primary, node_self, nodes, removable_nodes},
    process::{jwt_refresh, memory, metrics, self_signed_certificate, state, version},
    survey::{Survey, all_proposals},
    transactions::{commit, transaction, transaction_commit, tx},
};
use crate::{
    actor::Actor,
    info::APPLICATION_NAME,
    inside::Inside,
    reply::{Answered, Reply},
};

/// An answer that does not name a transaction.
fn tell(output: Output) -> Answered {
    Ok(Reply { output, tx_id: None })
}

/// An answer about a state, which it names.
fn of_state(output: Output, tx: &Tx) -> Answered {
    Ok(Reply { output, tx_id: Some(tx.base().tx_id()) })
}

/// JSON, written with its members as they stand.
fn json(value: &Value) -> Output {
    Output::new(200, Body::Json(value.to_string()))
}

/// A transaction that only reads what is committed.
fn reading(inside: &Inside) -> Tx {
    Tx::new(inside.service.committed().state.clone())
}

fn not_found(text: impl Into<String>) -> ApiError {
    ApiError::not_found("ResourceNotFound", text)
}

/// `GET /app/version`
pub(crate) fn app_version(inside: &Inside, _: &Input) -> Answered {
    let node = inside.service.node();
    tell(cleanroom::app_version(&cleanroom::Application {
        name: APPLICATION_NAME.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        build_digest: node.build_digest.clone(),
        node_measurement: node.quote.measurement.clone(),
    }))
}

/// `GET /app/api`
pub(crate) fn app_interface(inside: &Inside, _: &Input) -> Answered {
    interface(inside, Actor::App)
}

/// `GET /gov/api`
pub(crate) fn gov_interface(inside: &Inside, _: &Input) -> Answered {
    interface(inside, Actor::Gov)
}

/// `GET /node/api`
pub(crate) fn node_interface(inside: &Inside, _: &Input) -> Answered {
    interface(inside, Actor::Node)
}

fn interface(inside: &Inside, actor: Actor) -> Answered {
    tell(Output::new(200, Body::Json(inside.document(actor).to_owned())))
}

/// `GET /gov/service/info`
pub(crate) fn service_info(inside: &Inside, _: &Input) -> Answered {
    let mut tx = reading(inside);
    let history = inside.service.view_history();
    let view_of = |seqno| history.iter().rev().find(|first| first.seqno <= seqno).map(|first| first.view);
    let output = consortium::service::info(&mut tx, &view_of)?;
    of_state(output, &tx)
}

/// `GET /node/service/configuration`
pub(crate) fn service_configuration(inside: &Inside, _: &Input) -> Answered {
    let mut tx = reading(inside);
    let stored = tx.get(::ledger::tables::SERVICE_CONFIG, &kv::UNIT_KEY);
    let stored = stored.ok_or_else(|| not_found("Service configuration not found."))?;
    of_state(Output::new(200, Body::Json(String::from_utf8_lossy(&stored).into_owned())), &tx)
}

/// `GET /node/service/previous_identity`
pub(crate) fn previous_identity(inside: &Inside, _: &Input) -> Answered {
    let mut tx = reading(inside);
    let stored = tx.get(::ledger::tables::SERVICE_PREVIOUS_SERVICE_IDENTITY, &kv::UNIT_KEY);
    let stored = stored.and_then(|stored| serde_json::from_slice::<Value>(&stored).ok());
    let pem = stored.ok_or_else(|| not_found("This service is not a recovery of a previous service."))?;
    of_state(json(&serde_json::json!({ "previous_service_identity": pem })), &tx)
}

/// `GET` and `HEAD /node/primary`: a service has one node.
pub(crate) fn primary(_: &Inside, _: &Input) -> Answered {
    tell(Output::empty())
}

/// `GET /node/backup`
pub(crate) fn backup(_: &Inside, _: &Input) -> Answered {
    Err(not_found("Node is not backup"))
}

/// `GET /node/ready/app`
pub(crate) fn ready_app(inside: &Inside, _: &Input) -> Answered {
    let open = inside.is_open(&inside.service.committed().state);
    tell(Output::new(if open { 204 } else { 503 }, Body::Empty))
}

/// `GET /node/ready/gov`: governance is served as soon as anything is.
pub(crate) fn ready_gov(_: &Inside, _: &Input) -> Answered {
    tell(Output::no_content())
}
