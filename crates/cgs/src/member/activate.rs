use client::assessment;
use serde_json::json;

use crate::{
    context::{Context, Session},
    error::CliError,
    service::verify,
};

/// Accept the invitation: acknowledge exactly the state that was judged
///
/// `cgs service verify` keeps what it showed. This command asks for the digest of the
/// current state, looks whether anything that matters differs from what was judged, and
/// only then signs. From then on the member's vote counts.
///
/// It is also how a member acknowledges a later state, after another `cgs service verify`.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

pub(crate) async fn run(_: &Args, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let digest = accept(session, context).await?;
            let value = json!({ "memberId": session.me(), "stateDigest": digest });
            Ok(context.output.show(&value, || {
                format!("acknowledged state {digest}\nnext: cgs service open, or cgs proposal list")
            })?)
        })
        .await
}

async fn accept(session: &Session, context: &Context) -> Result<String, CliError> {
    let judged = context.profiles.recall::<assessment::Judged>(&session.profile, verify::JUDGED)?.ok_or_else(|| {
        CliError::usage("nothing was judged yet: run `cgs service verify` (with --invitation FILE) and read it first")
    })?;
    session.service.activate(&judged).await?.map_err(|changes| {
        CliError::NotAsExpected(format!(
            "not acknowledged, because the state is not the one that was judged: {}. Run `cgs service verify` again",
            changes.join("; ")
        ))
    })
}
