use std::path::PathBuf;

use client::{
    Invitation,
    assessment::{Assessment, Expectations, Level, Power, Verdict, assess},
};
use serde_json::json;

use crate::{
    context::{Context, Session},
    diff,
    error::CliError,
    exit::Exit,
    output::{Table, short},
};

/// Where the judged state is kept, beside the profile.
pub(crate) const JUDGED: &str = "judged.json";

/// Judge the service before trusting it
///
/// Shows what runs there and what proves it, the constitution and how it differs from the
/// one that ships with this program, the application, how the service comes back after a
/// restart, who its members are, and what any single party can do alone. Compares
/// everything with the invitation. What was shown is kept: `cgs member activate`
/// acknowledges exactly that.
///
/// Ends with 12 if nothing proves what runs there (always so on the virtual platform), and
/// with 13 if something is not as promised.
///
///   cgs service verify --invitation ada-invitation.json
///   cgs service verify --expect-build 5d41402a...
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What was promised: a file of `cgs member invite`
    #[arg(long, value_name = "FILE")]
    invitation: Option<PathBuf>,
    /// The only executable that is acceptable: hex SHA-256
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    expect_build: Option<String>,
}

fn digest(text: &str) -> Result<String, String> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    if hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(hex)
    } else {
        Err("a SHA-256 digest has 64 hex digits".into())
    }
}

pub(super) async fn run(args: &Args, session: &Session, context: &Context) -> Result<(), CliError> {
    let invitation = args.invitation.as_deref().map(Invitation::read).transpose()?;
    let expectations = Expectations {
        constitution: constitution::DEFAULT_CONSTITUTION,
        invitation: invitation.as_ref(),
        build: args.expect_build.as_deref(),
    };
    let assessment = assess(&session.service, expectations).await?;
    print(&assessment, context)?;
    match assessment.verdict() {
        Verdict::NotAsExpected => Err(CliError::Verdict(Exit::NotAsExpected)),
        verdict => {
            context.profiles.remember(&session.profile, JUDGED, &assessment.judged)?;
            if verdict == Verdict::Verified { Ok(()) } else { Err(CliError::Verdict(Exit::NotVerifiable)) }
        }
    }
}

fn print(assessment: &Assessment, context: &Context) -> Result<(), CliError> {
    let difference = constitution_difference(assessment);
    let value = json!({
        "verdict": verdict(assessment.verdict()),
        "findings": assessment.findings,
        "constitutionDifference": difference,
        "members": assessment.members,
        "alone": assessment.powers,
        "judged": assessment.judged,
    });
    Ok(context.output.show(&value, || text(assessment, &difference))?)
}

/// How the constitution differs from the shipped one; empty if it does not.
pub(crate) fn constitution_difference(assessment: &Assessment) -> String {
    diff::texts("shipped constitution", "this service", constitution::DEFAULT_CONSTITUTION, &assessment.constitution)
}

/// The verdict in words.
pub(crate) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::NotVerifiable => "application NOT verifiable",
        Verdict::NotAsExpected => "NOT AS EXPECTED: do not accept",
    }
}

fn text(assessment: &Assessment, difference: &str) -> String {
    let mut findings = Table::pairs();
    for finding in &assessment.findings {
        findings.row([mark(finding.level).into(), finding.what.into(), finding.text.clone()]);
    }
    let mut members = Table::new(["MEMBER", "NAME", "STATUS", "RECOVERY", "VOTES"]);
    for member in &assessment.members {
        members.row([
            short(&member.id).into(),
            member.name().unwrap_or("-").into(),
            member.status.clone(),
            member.recovery_role.clone(),
            if member.is_counted() { "yes" } else { "no" }.into(),
        ]);
    }
    let alone: Vec<String> = assessment.powers.iter().map(tell_power).collect();
    let alone = alone.join("\n");
    let rules = match difference {
        "" => String::new(),
        difference => format!("\nHow the constitution differs from the shipped one:\n{difference}"),
    };
    let verdict = verdict(assessment.verdict());
    format!("{findings}\n{members}\nWhat a single party can do alone:\n{alone}\n{rules}\nverdict: {verdict}\n")
}

/// A power as a paragraph: who, then one line for each thing.
pub(crate) fn tell_power(power: &Power) -> String {
    let what = power.what.replace("; ", ";\n    ");
    let each = if power.who.contains(", ") { "each of " } else { "" };
    format!("  {each}{}:\n    {what}", power.who)
}

fn mark(level: Level) -> &'static str {
    match level {
        Level::Good => "good",
        Level::Note => "note",
        Level::Warning => "WARNING",
        Level::NotVerifiable => "NOT VERIFIABLE",
        Level::Failure => "FAILURE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_a_digest() {
        let hex = "AB".repeat(32);
        assert_eq!(digest(&format!("sha256:{hex}")), Ok("ab".repeat(32)));
        for bad in ["", "ab", &"zz".repeat(32)] {
            assert!(digest(bad).is_err(), "{bad}");
        }
    }
}
