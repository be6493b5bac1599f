//! `cgs node`

mod admin;
mod init;

use std::{io::IsTerminal, path::PathBuf};

use node::config::{Config, ConfigError, LogFormat};
use rustix::process::{Signal, set_parent_process_death_signal};
use tracing_subscriber::EnvFilter;

use crate::{context::Context, error::CliError};

/// Run a node, write the configuration of a new one, or vote on nodes
///
/// The configuration is CCF's node JSON. Started on an empty directory a node founds the
/// service that the configuration describes; started again on a directory that holds its
/// service, it resumes. Ctrl-C or SIGTERM stop it cleanly.
///
///   cgs node init my-service
///   cd my-service && cgs node --config node.json
///   cgs node list
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    /// The configuration; relative paths in it start at the working directory
    #[arg(long, short, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// End when the process that started this one ends
    #[arg(long, hide = true)]
    stop_with_parent: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// What else can be done with nodes.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    Init(init::Args),
    /// Show the nodes of the service
    List,
    Trust(admin::TrustArgs),
    Remove(admin::RemoveArgs),
    SetData(admin::SetDataArgs),
}

impl Args {
    /// Whether a service is asked. Running a node has a runtime of its own.
    pub(crate) fn is_online(&self) -> bool {
        !matches!(self.verb, None | Some(Verb::Init(_)))
    }
}

/// Does what needs a service.
pub(crate) async fn run_online(args: &Args, context: &Context) -> Result<(), CliError> {
    match &args.verb {
        None | Some(Verb::Init(_)) => Ok(()),
        Some(Verb::List) => admin::list(context).await,
        Some(Verb::Trust(args)) => admin::trust(args, context).await,
        Some(Verb::Remove(args)) => admin::remove(args, context).await,
        Some(Verb::SetData(args)) => admin::set_data(args, context).await,
    }
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    if let Some(Verb::Init(args)) = &args.verb {
        return init::run(args, context);
    }
    if args.stop_with_parent {
        set_parent_process_death_signal(Some(Signal::TERM)).map_err(std::io::Error::from)?;
    }
    let file = args.config.as_deref().ok_or_else(|| CliError::usage("say --config FILE"))?;
    let wrong = |why| CliError::Node(format!("{}: {why}", file.display()));
    let config = Config::load(file).map_err(|error| match error {
        ConfigError::Read { .. } => CliError::Node(error.to_string()),
        other => wrong(other.to_string()),
    })?;
    start_logging(config.log_format);
    node::run(config, std::env::current_exe()?).map_err(|error| CliError::Node(error.to_string()))
}

/// Log lines go to standard error; CGS_LOG chooses which ones (for example `debug`, or `node=debug,warn`).
fn start_logging(format: LogFormat) {
    let filter = EnvFilter::try_from_env("CGS_LOG").unwrap_or_else(|_| EnvFilter::new("info,openraft=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().init(),
    }
}
