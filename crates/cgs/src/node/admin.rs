//! The nodes of the service, as the consortium sees them.

use std::path::PathBuf;

use client::{Action, NodeRecord};
use serde_json::{Value, json};

use crate::{
    context::Context,
    data,
    error::CliError,
    ids,
    output::{Table, short},
    proposal::{self, Proposing},
    service::set::Validity,
};

/// Propose to admit a node that waits: it receives the keys of the service
///
///   cgs node trust 9b1c04 --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TrustArgs {
    /// The id of the node, or the beginning of it
    id: String,
    #[command(flatten)]
    validity: Validity,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose to retire a node, or to forget one that waits
///
///   cgs node remove 9b1c04 --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RemoveArgs {
    /// The id of the node, or the beginning of it
    id: String,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose what is noted about a node, in place of what is noted now
///
///   cgs node set-data 9b1c04 --data rack.json --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SetDataArgs {
    /// The id of the node, or the beginning of it
    id: String,
    /// A JSON document
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

pub(super) async fn trust(args: &TrustArgs, context: &Context) -> Result<(), CliError> {
    let action = |id: &str| {
        let mut arguments = args.validity.arguments();
        arguments.insert("node_id".into(), id.into());
        Action::new("transition_node_to_trusted", arguments.into())
    };
    change(context, &args.id, args.proposing, action).await
}

pub(super) async fn remove(args: &RemoveArgs, context: &Context) -> Result<(), CliError> {
    let action = |id: &str| Action::new("remove_node", json!({ "node_id": id }));
    change(context, &args.id, args.proposing, action).await
}

pub(super) async fn set_data(args: &SetDataArgs, context: &Context) -> Result<(), CliError> {
    let data = data::json(&args.data)?;
    let action = |id: &str| Action::new("set_node_data", json!({ "node_id": id, "node_data": data }));
    change(context, &args.id, args.proposing, action).await
}

async fn change(
    context: &Context,
    who: &str,
    proposing: Proposing,
    action: impl FnOnce(&str) -> Action,
) -> Result<(), CliError> {
    context
        .online(async |session| {
            let nodes = session.service.nodes().await?;
            let id = ids::find("node", "cgs node list", nodes.iter().map(|node| node.id.as_str()), who)?;
            proposal::make(session, context, &[action(id)], proposing).await
        })
        .await
}

pub(super) async fn list(context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let nodes = session.service.nodes().await?;
            Ok(context.output.show(&nodes, || table(&nodes).to_string())?)
        })
        .await
}

fn table(nodes: &[NodeRecord]) -> Table {
    let mut table = Table::new(["NODE", "STATUS", "EVIDENCE", "ADDRESS", "DATA"]);
    for node in nodes {
        let evidence = node.quote_info.get("format").and_then(Value::as_str).unwrap_or("-");
        let interfaces = node.rpc_interfaces.as_object().into_iter().flatten();
        let addresses = interfaces.filter_map(|(_, interface)| interface.get("publishedAddress")?.as_str());
        let data = if node.node_data.is_null() { "-".into() } else { node.node_data.to_string() };
        table.row([
            short(&node.id).into(),
            node.status.clone(),
            evidence.into(),
            addresses.collect::<Vec<_>>().join(", "),
            data,
        ]);
    }
    table
}
