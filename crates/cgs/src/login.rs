use std::path::{Path, PathBuf};

use client::{ClientError, Identity, Invitation, Profile, Service};
use serde_json::json;

use crate::{context::Context, data, error::CliError};

/// Store where a service is and who I am, once
///
/// The service certificate is the only thing that this profile will ever trust: get it over
/// a channel that you trust, or with an invitation. The member's key stays in its file; the
/// profile remembers where.
///
///   cgs login ada --url https://10.0.0.5:8080 --service-cert service_cert.pem \
///       --member-cert ada_cert.pem --member-key ada_privk.pem
///   cgs login ada --invitation invitation.json --member-cert ada_cert.pem --member-key ada_privk.pem
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The name of the profile
    name: String,
    /// The address of the service
    #[arg(long, required_unless_present = "invitation")]
    url: Option<String>,
    /// The certificate of the service, PEM
    #[arg(long, value_name = "PEM", required_unless_present = "invitation")]
    service_cert: Option<PathBuf>,
    /// An invitation has both
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "service_cert"])]
    invitation: Option<PathBuf>,
    /// The certificate of the member, PEM
    #[arg(long, value_name = "PEM", requires = "member_key")]
    member_cert: Option<PathBuf>,
    /// The private key of the member, PEM
    #[arg(long, value_name = "PEM", requires = "member_cert")]
    member_key: Option<PathBuf>,
    /// Replace a profile of this name that is for another service
    #[arg(long)]
    replace: bool,
}

pub(crate) async fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    let profile = profile(args)?;
    refuse_other_service(args, context, &profile)?;
    let identity = profile.identity()?;
    if let Some(key) = &profile.member_key_file {
        warn_of_readers(key, context);
    }
    let member = identity.as_ref().map(Identity::id);
    // A service that is down can be logged in to all the same; one that is not the right one cannot.
    let answer = match Service::without_pin(profile.connection()?).network().await {
        Err(error @ ClientError::ServiceChanged { .. }) => return Err(error.into()),
        answer => answer,
    };
    context.profiles.save(&args.name, &profile)?;
    let status = answer.map_or_else(|error| error.to_string(), |network| network.service_status);
    let value = json!({ "profile": args.name, "url": profile.url, "memberId": member, "service": status });
    Ok(context.output.show(&value, || {
        let who = member.map_or_else(|| "nobody".into(), |id| format!("member {id}"));
        format!(
            "profile {} is stored: {} as {who}\nservice: {status}\nnext: cgs service verify",
            args.name, profile.url
        )
    })?)
}

fn profile(args: &Args) -> Result<Profile, CliError> {
    let (url, service_certificate) = match (&args.invitation, &args.url, &args.service_cert) {
        (Some(file), _, _) => {
            let invitation = Invitation::read(file)?;
            // In one form of PEM, so that the same service is recognised as such.
            (invitation.url, crypto::Certificate::from_pem(&invitation.service_certificate)?.to_pem())
        }
        (None, Some(url), Some(file)) => (url.clone(), data::certificate(file)?.to_pem()),
        _ => return Err(CliError::usage("say --url and --service-cert, or --invitation")),
    };
    Ok(Profile {
        url,
        service_certificate,
        member_certificate_file: absolute(args.member_cert.as_deref())?,
        member_key_file: absolute(args.member_key.as_deref())?,
    })
}

fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>, CliError> {
    path.map(|path| std::path::absolute(path).map_err(CliError::file(path))).transpose()
}

/// A name that stands for another service already is not silently given to this one: its pin would be lost.
fn refuse_other_service(args: &Args, context: &Context, profile: &Profile) -> Result<(), CliError> {
    let before = match context.profiles.load(&args.name) {
        Err(ClientError::NoProfile { .. }) => return Ok(()),
        before => before?,
    };
    if args.replace || before.service()? == profile.service()? {
        return Ok(());
    }
    Err(CliError::usage(format!(
        "profile {} is for another service (certificate {}). If the service was recovered and the members told you so, \
         or if you mean another one, say --replace; its pin is forgotten then",
        args.name,
        before.service()?.id()
    )))
}

fn warn_of_readers(key: &Path, context: &Context) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(key).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        context.output.remark(format!("warning: others can read {0}: chmod 600 {0}", key.display()));
    }
}
