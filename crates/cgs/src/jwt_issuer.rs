//! `cgs jwt-issuer`: who issues tokens that the service takes.

#![allow(rustdoc::bare_urls, reason = "the help shows examples as they are typed")]

use std::path::{Path, PathBuf};

use client::{Action, TokenIssuers};
use serde_json::{Map, Value, json};

use crate::{
    context::Context,
    data,
    error::CliError,
    output::Table,
    proposal::{self, Proposing},
};

/// What can be done with issuers of tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show the issuers, their keys, and how these are kept current
    List,
    Add(AddArgs),
    SetKeys(SetKeysArgs),
    Remove(RemoveArgs),
}

/// Propose to take the tokens of an issuer
///
/// Its keys come from a file, or the service fetches them from the issuer over TLS, with
/// the certificates of a bundle that was voted (`cgs ca-bundle set`).
///
///   cgs jwt-issuer add https://login.example --jwks keys.json --vote
///   cgs jwt-issuer add https://login.example --auto-refresh --ca-bundle example --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AddArgs {
    /// The issuer, as it stands in its tokens
    issuer: String,
    /// Its keys: a JSON Web Key Set, {"keys": [...]}
    #[arg(long, value_name = "FILE", required_unless_present = "auto_refresh")]
    jwks: Option<PathBuf>,
    /// Fetch the keys from the issuer, again and again
    #[arg(long, requires = "ca_bundle")]
    auto_refresh: bool,
    /// The voted bundle by which the issuer's server is recognised
    #[arg(long, value_name = "NAME")]
    ca_bundle: Option<String>,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose other keys of an issuer
///
///   cgs jwt-issuer set-keys https://login.example --jwks keys.json --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SetKeysArgs {
    /// The issuer
    issuer: String,
    /// A JSON Web Key Set, {"keys": [...]}
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    #[command(flatten)]
    proposing: Proposing,
}

/// Propose to take the tokens of an issuer no longer
///
///   cgs jwt-issuer remove https://login.example --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct RemoveArgs {
    /// The issuer
    issuer: String,
    #[command(flatten)]
    proposing: Proposing,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::List => list(context).await,
        Verb::Add(args) => add(args, context).await,
        Verb::SetKeys(args) => {
            let arguments = json!({ "issuer": args.issuer, "jwks": key_set(&args.jwks)? });
            change(context, "set_jwt_public_signing_keys", &args.issuer, arguments, args.proposing).await
        }
        Verb::Remove(args) => {
            let arguments = json!({ "issuer": args.issuer });
            change(context, "remove_jwt_issuer", &args.issuer, arguments, args.proposing).await
        }
    }
}

async fn add(args: &AddArgs, context: &Context) -> Result<(), CliError> {
    let action = Action::new("set_jwt_issuer", arguments(args)?);
    context
        .online(async |session| {
            if let Some(bundle) = &args.ca_bundle {
                let known = session.service.token_issuers().await?.ca_cert_bundles;
                if !known.contains_key(bundle) {
                    return Err(CliError::usage(format!(
                        "there is no CA bundle {bundle:?}. First: cgs ca-bundle set {bundle} --file PEM"
                    )));
                }
            }
            proposal::make(session, context, &[action], args.proposing).await
        })
        .await
}

fn arguments(args: &AddArgs) -> Result<Value, CliError> {
    let mut arguments = Map::from_iter([("issuer".to_owned(), Value::from(args.issuer.as_str()))]);
    if args.auto_refresh {
        if !args.issuer.starts_with("https://") {
            let text = format!("{:?} must begin with https://, or the service cannot fetch its keys", args.issuer);
            return Err(CliError::usage(text));
        }
        arguments.insert("auto_refresh".into(), true.into());
    }
    if let Some(bundle) = &args.ca_bundle {
        arguments.insert("ca_cert_bundle_name".into(), bundle.as_str().into());
    }
    if let Some(file) = &args.jwks {
        arguments.insert("jwks".into(), key_set(file)?.into());
    }
    Ok(arguments.into())
}

/// A key set, with nothing in it that the service has no use for. A private key would be published for good.
fn key_set(file: &Path) -> Result<Map<String, Value>, CliError> {
    let set = data::object(file)?;
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return Err(CliError::usage(format!("{} is no key set: it has no list \"keys\"", file.display())));
    };
    if keys.iter().any(|key| ["d", "k", "p", "q"].into_iter().any(|secret| key.get(secret).is_some())) {
        let text = format!("{} holds a private key: nothing was sent. Take the public keys only", file.display());
        return Err(CliError::usage(text));
    }
    Ok(set)
}

async fn change(
    context: &Context,
    action: &str,
    issuer: &str,
    arguments: Value,
    proposing: Proposing,
) -> Result<(), CliError> {
    let action = Action::new(action, arguments);
    context
        .online(async |session| {
            if !session.service.token_issuers().await?.issuers.contains_key(issuer) {
                let text = format!("there is no issuer {issuer:?}: `cgs jwt-issuer list` shows what there is");
                return Err(CliError::usage(text));
            }
            proposal::make(session, context, &[action], proposing).await
        })
        .await
}

async fn list(context: &Context) -> Result<(), CliError> {
    context
        .online(async |session| {
            let known = session.service.token_issuers().await?;
            let value = json!({ "issuers": known.issuers, "keys": known.keys });
            Ok(context.output.show(&value, || table(&known))?)
        })
        .await
}

fn table(known: &TokenIssuers) -> String {
    if known.issuers.is_empty() {
        return "no issuer of tokens is trusted; propose one: cgs jwt-issuer add ISSUER --jwks FILE".into();
    }
    let mut table = Table::new(["ISSUER", "KEYS", "REFRESHED"]);
    for (issuer, how) in &known.issuers {
        let of_issuer = |key: &&client::TokenKey| key.issuer.as_deref() == Some(issuer);
        let ids = known.keys.iter().filter(|(_, keys)| keys.iter().any(|key| of_issuer(&key)));
        let ids: Vec<&str> = ids.map(|(id, _)| id.as_str()).collect();
        let refreshed = match (&how.ca_cert_bundle_name, how.auto_refresh) {
            (Some(bundle), true) => format!("by itself, with bundle {bundle}"),
            (None, true) => "by itself".into(),
            (_, false) => "by vote".into(),
        };
        table.row([issuer.clone(), if ids.is_empty() { "none yet".into() } else { ids.join(", ") }, refreshed]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_not_sent() {
        let file = |value: Value| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), value.to_string()).unwrap();
            key_set(file.path()).map_err(|error| error.to_string())
        };
        assert!(file(json!({"keys": [{"kid": "1", "kty": "RSA", "n": "…", "e": "AQAB"}]})).is_ok());
        assert!(file(json!({"keys": [{"kid": "1", "kty": "EC", "d": "…"}]})).unwrap_err().contains("private key"));
        assert!(file(json!({"x": 1})).unwrap_err().contains("no key set"));
        assert!(file(json!([])).unwrap_err().contains("is a list"));
    }
}
