//! `cgs ca-bundle`: certificates by which the service recognises other servers.

use std::path::PathBuf;

use client::Action;
use serde_json::json;

use crate::{
    context::Context,
    data,
    error::CliError,
    output::Table,
    proposal::{self, Proposing},
};

/// What can be done with bundles.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show all bundles
    List,
    Set(SetArgs),
    Remove(RemoveArgs),
}

/// Propose a bundle, or another content of it
///
/// The service fetches keys of issuers of tokens from servers whose certificates were
/// issued by one of these.
///
///   cgs ca-bundle set example --file roots.pem --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SetArgs {
    /// The name of the bundle
    name: String,
    /// Certificates of authorities, PEM, one after the other
    #[arg(long, short, value_name = "PEM")]
    file: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose to remove a bundle
///
///   cgs ca-bundle remove example --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RemoveArgs {
    /// The name of the bundle
    name: String,
    #[command(flatten)]
    proposing: Proposing,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::List => list(context).await,
        Verb::Set(args) => {
            let bundle = data::text(&args.file)?;
            check(&bundle).map_err(|why| {
                CliError::usage(format!("{} is not a list of certificates in PEM: {why}", args.file.display()))
            })?;
            let action = Action::new("set_ca_cert_bundle", json!({ "name": args.name, "cert_bundle": bundle }));
            proposal::propose(context, action, args.proposing).await
        }
        Verb::Remove(args) => remove(args, context).await,
    }
}

fn check(bundle: &str) -> Result<(), String> {
    match crypto::certificates_from_pem(bundle) {
        Ok(certificates) if certificates.is_empty() => Err("there is none in it".into()),
        Ok(_) => Ok(()),
        Err(why) => Err(why.to_string()),
    }
}

async fn remove(args: &RemoveArgs, context: &Context) -> Result<(), CliError> {
    let action = Action::new("remove_ca_cert_bundle", json!({ "name": args.name }));
    context
        .online(async |session| {
            let known = session.service.token_issuers().await?;
            if !known.ca_cert_bundles.contains_key(&args.name) {
                let text = format!("there is no bundle {:?}: `cgs ca-bundle list` shows what there is", args.name);
                return Err(CliError::usage(text));
            }
            let users = known.issuers.iter().filter(|(_, how)| how.ca_cert_bundle_name.as_ref() == Some(&args.name));
            for (issuer, _) in users {
                context.output.remark(format!("warning: without {} the keys of {issuer} stay as they are", args.name));
            }
            proposal::make(session, context, &[action], args.proposing).await
        })
        .await
}

async fn list(context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let bundles = session.service.token_issuers().await?.ca_cert_bundles;
            Ok(context.output.show(&bundles, || {
                if bundles.is_empty() {
                    return "there are no bundles; propose one: cgs ca-bundle set NAME --file PEM".into();
                }
                let mut table = Table::new(["BUNDLE", "CERTIFICATES", "SHA-256"]);
                for (name, pem) in &bundles {
                    let count = pem.matches("-----BEGIN CERTIFICATE-----").count();
                    table.row([name.clone(), count.to_string(), hex::encode(crypto::sha256(pem.as_bytes()))]);
                }
                table.to_string()
            })?)
        })
        .await
}
