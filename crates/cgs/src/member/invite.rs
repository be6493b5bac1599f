use std::path::PathBuf;

use client::Invitation;

use crate::{context::Context, error::CliError, people::People};

/// Write the invitation of a member, for it to check the service against
///
/// The file names the service, its certificate, the constitution, the application and how
/// the service resumes. Send it over a channel that the invited party trusts: whoever can
/// change it can invite to another service. The party then runs
///
///   cgs login NAME --invitation FILE --member-cert ... --member-key ...
///   cgs service verify --invitation FILE
///   cgs member activate
///
/// Example:
///   cgs member invite ada --file ada-invitation.json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The member: name, id, or the beginning of an id
    who: String,
    /// Where the invitation goes
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// The address for the invited party, if it is not the one of this profile
    #[arg(long)]
    url: Option<String>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let people = People::new(session.service.members().await?);
            let member = people.find(&args.who)?;
            let mut invitation = Invitation::of(&session.service, &member.id).await?;
            if let Some(url) = &args.url {
                invitation.url.clone_from(url);
            }
            invitation.write(&args.file)?;
            Ok(context.output.show(&invitation, || {
                format!("the invitation of {} is in {}", people.name(&member.id), args.file.display())
            })?)
        })
        .await
}
