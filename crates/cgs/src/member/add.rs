use std::path::PathBuf;

use client::Action;
use serde_json::{Map, Value, json};

use crate::{
    context::Context,
    data,
    error::CliError,
    proposal::{self, Proposing},
};

/// Propose a new member; the others vote
///
/// Once the proposal is accepted, `cgs member invite` writes what the new member needs.
///
///   cgs member add ada --cert ada_cert.pem --vote
///   cgs member add ops --cert ops_cert.pem --operator
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The name by which the consortium knows the member
    name: String,
    /// The certificate of the member, PEM
    #[arg(long, value_name = "PEM")]
    cert: PathBuf,
    /// Where recovery shares are encrypted to: an RSA public key, PEM
    #[arg(long, value_name = "PEM")]
    encryption_key: Option<PathBuf>,
    /// What the member holds for a recovery [default: a share if there is an encryption key]
    #[arg(long, value_parser = ["NonParticipant", "Participant", "Owner"], requires = "encryption_key")]
    recovery_role: Option<String>,
    /// Anything else to note about the member: a JSON object
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The member operates nodes and has no vote
    #[arg(long)]
    operator: bool,
    #[command(flatten)]
    proposing: Proposing,
}

pub(crate) async fn run(args: &Args, context: &Context) -> Result<(), CliError> {
    let action = Action::new("set_member", arguments(args)?);
    proposal::propose(context, action, args.proposing).await
}

fn arguments(args: &Args) -> Result<Value, CliError> {
    let certificate = data::certificate(&args.cert)?;
    let mut arguments = Map::from_iter([
        ("cert".to_owned(), certificate.to_pem().into()),
        ("member_data".to_owned(), Value::Object(member_data(args)?)),
    ]);
    if let Some(file) = &args.encryption_key {
        let key = data::text(file)?;
        crypto::wrap::check_encryption_key(&key)?;
        arguments.insert("encryption_pub_key".into(), key.into());
    }
    if let Some(role) = &args.recovery_role {
        arguments.insert("recovery_role".into(), role.as_str().into());
    }
    Ok(Value::Object(arguments))
}

fn member_data(args: &Args) -> Result<Map<String, Value>, CliError> {
    let mut noted = match &args.data {
        None => Map::new(),
        Some(file) => data::object(file)?,
    };
    noted.insert("identifier".into(), json!(args.name));
    if args.operator {
        noted.insert("isOperator".into(), true.into());
    }
    Ok(noted)
}
