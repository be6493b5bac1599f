use clap_complete::Shell;

use crate::{context::Context, error::CliError};

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

/// `command` is the whole command line.
pub(crate) fn run(args: &Args, mut command: clap::Command, context: &Context) -> Result<(), CliError> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "cgs", &mut text);
    Ok(context.output.line(String::from_utf8_lossy(&text).trim_end())?)
}
