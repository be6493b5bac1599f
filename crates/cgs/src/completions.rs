use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Cli, context::Context, error::CliError};

/// Print the completions of a shell
///
///   cgs completions bash > ~/.local/share/bash-completion/completions/cgs
///   cgs completions zsh > ~/.zfunc/_cgs
///   cgs completions fish > ~/.config/fish/completions/cgs.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "cgs", &mut text);
    Ok(context.output.line(String::from_utf8_lossy(&text).trim_end())?)
}
