//! `cgs receipt`

use std::path::{Path, PathBuf};

use client::{Receipt, TxId};
use ledger::receipt::{Verified, verify};
use serde_json::json;

use crate::{
    context::{Context, Session},
    data,
    error::CliError,
    output::Table,
};

/// What can be done with receipts.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Get(GetArgs),
    Verify(VerifyArgs),
}

/// Fetch the receipt of a transaction and verify it
///
///   cgs receipt get 2.41 --file receipt.json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct GetArgs {
    /// The transaction, VIEW.SEQNO; the version of a contract is one
    transaction: TxId,
    /// Where it goes; without it, standard output
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Verify a receipt offline
///
/// Needs nothing but the certificate of the service: leaf, path to the signed root,
/// signature of the node, chain to the service. Dates of certificates do not matter: the
/// ledger outlives them.
///
///   cgs receipt verify receipt.json --service-cert service_cert.pem
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    /// The receipt
    file: PathBuf,
    /// The certificate of the service, PEM
    #[arg(long, value_name = "PEM")]
    service_cert: PathBuf,
}

pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::Get(args) => context.online(async |session| get(args, session, context).await).await,
        Verb::Verify(args) => verify_file(args, context),
    }
}

async fn get(args: &GetArgs, session: &Session, context: &Context) -> Result<(), CliError> {
    let receipt = session.service.receipt(args.transaction).await?;
    let Some(file) = &args.file else {
        return Ok(context.output.json(&receipt)?);
    };
    save(file, &receipt)?;
    let value = json!({ "transactionId": args.transaction.to_string(), "file": file });
    Ok(context.output.show(&value, || {
        format!(
            "the receipt of {} verifies and is in {}\nanybody can check it: cgs receipt verify {} --service-cert service_cert.pem",
            args.transaction,
            file.display(),
            file.display()
        )
    })?)
}

/// Writes a receipt as the service writes it.
pub(crate) fn save(file: &Path, receipt: &Receipt) -> Result<(), CliError> {
    let text = json!(receipt).to_string();
    std::fs::write(file, text).map_err(CliError::file(file))
}

fn verify_file(args: &VerifyArgs, context: &Context) -> Result<(), CliError> {
    let text = data::text(&args.file)?;
    let receipt: Receipt = serde_json::from_str(&text)
        .map_err(|why| CliError::usage(format!("{} is not a receipt: {why}", args.file.display())))?;
    let service = data::certificate(&args.service_cert)?;
    let verified =
        verify(&receipt, &service).map_err(|source| CliError::Receipt { path: args.file.clone(), source })?;
    print(&verified, &service.id(), context)
}

fn print(verified: &Verified, service: &str, context: &Context) -> Result<(), CliError> {
    let tx_id = verified.tx_id.map_or_else(|| "a signature transaction".into(), |tx_id| tx_id.to_string());
    let claims = verified.claims_digest.map(hex::encode);
    let value = json!({
        "verified": true,
        "transactionId": verified.tx_id.map(|tx_id| tx_id.to_string()),
        "root": hex::encode(verified.root),
        "claimsDigest": claims,
        "nodeId": verified.node_id,
        "service": service,
    });
    Ok(context.output.show(&value, || {
        let mut table = Table::pairs();
        table.pair("verified", "the transaction is in the ledger of this service");
        table.pair("transaction", &tx_id);
        table.pair("signed root", hex::encode(verified.root));
        table.pair("claims", claims.as_deref().unwrap_or("none"));
        table.pair("node", &verified.node_id);
        table.pair("service", service);
        table.to_string()
    })?)
}
