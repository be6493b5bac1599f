use clap::Subcommand;
use serde_json::json;

use crate::{context::Context, error::CliError, output::Table};

/// What can be done with profiles.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show all profiles; * marks the one that is used unless another is named
    List,
    /// Use this profile unless another is named
    Use {
        /// The profile
        name: String,
    },
}

pub(crate) fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::List => list(context),
        Verb::Use { name } => {
            let profile = context.profiles.load(name)?;
            Ok(context.profiles.save(name, &profile)?)
        }
    }
}

fn list(context: &Context) -> Result<(), CliError> {
    let current = context.profile().ok();
    let mut table = Table::new(["", "NAME", "SERVICE", "MEMBER"]);
    let mut values = Vec::new();
    for name in context.profiles.names()? {
        let profile = context.profiles.load(&name)?;
        let is_current = current.as_deref() == Some(name.as_str());
        let member = profile.member_certificate_file.as_ref().map(|file| file.display().to_string());
        values.push(json!({ "name": name, "url": profile.url, "memberCertificate": member, "current": is_current }));
        let mark = if is_current { "*" } else { "" };
        table.row([mark.into(), name, profile.url, member.unwrap_or_else(|| "-".into())]);
    }
    Ok(context.output.show(&values, || table.to_string())?)
}
