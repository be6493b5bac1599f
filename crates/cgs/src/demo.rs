//! `cgs demo`: the main job in one command, on a real node over TLS.

mod cast;
mod child;
mod document;
mod flow;
mod proof;
mod stage;
mod timeline;

use std::path::{Path, PathBuf};

use crate::{context::Context, error::CliError};
use stage::Stage;
use timeline::Timeline;

/// Watch three organisations agree on a contract, on a real node
///
/// Starts a node of its own, makes three members, and plays the whole way over TLS: judge
/// the constitution, accept the invitations, open the service, draft and amend a contract,
/// resolve a lost update, propose, vote; then proves the result from files alone. Takes a
/// few seconds and leaves nothing behind, unless asked to.
///
///   cgs demo
///   cgs demo --keep          # leaves the node running and says how to talk to it
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Work in this directory, which must be empty or not exist, and leave the files there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave the node running
    #[arg(long)]
    keep: bool,
    /// No pauses for readers
    #[arg(long)]
    fast: bool,
}

pub(crate) async fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    let mut timeline = Timeline::start(context.output, args.fast);
    let mut stage = Stage::set_up(args.dir.as_deref(), args.keep)?;
    let outcome = tokio::select! {
        outcome = flow::play(&mut stage, &mut timeline) => outcome,
        interrupted = interrupted() => interrupted,
    };
    if outcome.is_err() || !args.keep {
        stage.stop().await;
    }
    outcome.map_err(|error| stage.explain(error))?;
    end(&mut stage, args.keep, &timeline)
}

async fn interrupted() -> Result<(), CliError> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Err(CliError::Interrupted)
}

fn end(stage: &mut Stage, keep: bool, timeline: &Timeline) -> Result<(), CliError> {
    timeline.end()?;
    if keep {
        let pid = stage.leave_running();
        timeline.say(how_to_talk(stage, pid))?;
    } else if stage.keeps_files() {
        timeline.say(format!("The files are in {}.", stage.directory().display()))?;
    }
    Ok(())
}

fn how_to_talk(stage: &Stage, pid: Option<u32>) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("cgs"));
    let quote = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    let (cgs, directory) = (quote(&program), quote(stage.directory()));
    let pid = pid.map_or_else(|| "PID".into(), |pid| pid.to_string());
    format!(
        "The node keeps running at {url} (process {pid}). Talk to it:\n\
         \n  export CGS_PROFILE_DIR={directory}/profiles\
         \n  {cgs} profile list\
         \n  {cgs} --profile ada-hospital contract show {contract}\
         \n  {cgs} --profile helio proposal list\
         \n  {cgs} --profile birch service verify\
         \n\nStop it: kill {pid}    Start it again: (cd {directory}/node && {cgs} node --config node.json)\
         \nForget it: rm -r {directory}",
        url = stage.url(),
        contract = document::CONTRACT,
    )
}
