//! `cgs ledger`, offline

use std::{
    io::IsTerminal,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use ::ledger::{
    chunk::Selection,
    files::{chunks, open},
    show::{Filter, Record, show_directory},
    verify::{Options, Report, verify_chunks},
};
use regex::Regex;
use serde_json::json;

use crate::{
    context::Context,
    data,
    error::CliError,
    output::{Table, visible, visible_in_json},
};

/// What can be done with ledger files.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    Verify(VerifyArgs),
    Show(ShowArgs),
}

/// Verify all transactions of a ledger, from its files alone
///
/// Structure, order, every signature, and that nothing was changed, left out or added since
/// it was signed. A fault is told by file and seqno. Without --service-cert any ledger
/// verifies that is consistent in itself.
///
///   cgs ledger verify my-service/ledger --service-cert service_cert.pem
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct VerifyArgs {
    /// The directory of the ledger
    dir: PathBuf,
    /// The service that must be the one at the end of the ledger, PEM
    #[arg(long, value_name = "PEM")]
    service_cert: Option<PathBuf>,
    /// Only files that do not change any more
    #[arg(long)]
    committed_only: bool,
    /// Refuse a last file that ends inside a transaction (the ledger of a node that runs or was killed)
    #[arg(long)]
    strict: bool,
}

/// Show what the transactions of a ledger write
///
/// Private tables stay encrypted. Nothing is verified but the structure. With --output json
/// each transaction is one line.
///
///   cgs ledger show my-service/ledger --table 'proposals|members' --seqno 1..100
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ShowArgs {
    /// The directory of the ledger
    dir: PathBuf,
    /// Only tables whose name matches this regular expression
    #[arg(long, value_name = "RE")]
    table: Option<Regex>,
    /// Only these transactions: A..B, A.., ..B or A; both ends included
    #[arg(long, value_name = "A..B", value_parser = seqnos, default_value = "1..")]
    seqno: RangeInclusive<u64>,
}

fn seqnos(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |part: &str, default| match part {
        "" => Ok(default),
        part => part.parse::<u64>().map_err(|_| format!("{part:?} is not a seqno")),
    };
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (number(first, 1)?, number(last.strip_prefix('=').unwrap_or(last), u64::MAX)?),
        None => (number(text, 1)?, number(text, 1)?),
    };
    if first <= last { Ok(first..=last) } else { Err(format!("{first} is behind {last}")) }
}

pub(crate) fn run(verb: &Verb, context: &Context) -> Result<(), CliError> {
    match verb {
        Verb::Verify(args) => verify(args, context),
        Verb::Show(args) => show(args, context),
    }
}

fn verify(args: &VerifyArgs, context: &Context) -> Result<(), CliError> {
    let service = args.service_cert.as_deref().map(data::certificate).transpose()?;
    let options = Options {
        selection: Selection { committed_only: args.committed_only, recovery: false },
        service: service.as_ref(),
        secrets: None,
        incomplete_tail: !args.strict,
    };
    let report = verify_with_progress(&args.dir, options)?;
    context.output.show(&value(&report), || text(&report))?;
    if service.is_none() {
        context
            .output
            .remark("warning: compare the service above with the certificate you know, or say --service-cert");
    }
    Ok(())
}

/// Tells on a terminal which file is being read: a large ledger takes minutes.
fn verify_with_progress(directory: &Path, options: Options<'_>) -> Result<Report, CliError> {
    let names = chunks(directory, options.selection)?;
    let watched = std::io::stderr().is_terminal() && names.len() > 1;
    let mut number = 0;
    let report = verify_chunks(
        &names,
        |name| {
            number += 1;
            if watched {
                eprint!("\rfile {number} of {}: {name:30}", names.len());
            }
            open(directory, name)
        },
        options,
    );
    if watched {
        eprintln!();
    }
    Ok(report?)
}

fn value(report: &Report) -> serde_json::Value {
    let id = |tx_id: Option<client::TxId>| tx_id.map(|tx_id| tx_id.to_string());
    let services = report.services.iter().map(
        |seen| json!({ "since": seen.since.to_string(), "status": seen.status, "certificate": seen.certificate.id() }),
    );
    json!({
        "verified": id(report.verified),
        "first": id(report.first),
        "last": id(report.last),
        "files": report.chunks,
        "signatures": report.signatures,
        "coseSignatures": report.cose_signatures,
        "privateTransactions": report.private,
        "unverifiedTail": report.unverified_tail(),
        "incompleteTailBytes": report.incomplete_tail,
        "services": services.collect::<Vec<_>>(),
    })
}

fn text(report: &Report) -> String {
    let id = |tx_id: Option<client::TxId>| tx_id.map_or_else(|| "-".into(), |tx_id| tx_id.to_string());
    let mut table = Table::pairs();
    table.pair("verified", format!("transactions {} to {}", id(report.first), id(report.verified)));
    table.pair("files", report.chunks);
    table.pair("signatures", format!("{} of nodes, {} of the service", report.signatures, report.cose_signatures));
    table.pair("private", format!("{} transactions write private tables", report.private));
    for seen in &report.services {
        table.pair("service", format!("{} {} from {} on", seen.certificate.id(), seen.status, seen.since));
    }
    if report.unverified_tail() > 0 {
        table.pair("WARNING", format!("{} transactions behind the last signature", report.unverified_tail()));
    }
    if report.incomplete_tail > 0 {
        let text = "bytes of an unfinished transaction at the end: the node runs, or was killed";
        table.pair("note", format!("{} {text}", report.incomplete_tail));
    }
    table.to_string()
}

fn show(args: &ShowArgs, context: &Context) -> Result<(), CliError> {
    let wanted = |name: &str| args.table.as_ref().is_none_or(|table| table.is_match(name));
    let filter = Filter {
        seqnos: args.seqno.clone(),
        table: args.table.is_some().then_some(&wanted as &dyn Fn(&str) -> bool),
        ..Filter::default()
    };
    // Records are printed as they come; after a failed write the rest is read in vain, which only `head` notices.
    let mut printed = Ok(());
    show_directory(&args.dir, &filter, |record| {
        if printed.is_ok() {
            printed = print(&record, context);
        }
    })?;
    Ok(printed?)
}

fn print(record: &Record, context: &Context) -> std::io::Result<()> {
    if context.output.is_json() {
        return context.output.line(visible_in_json(&json!(record).to_string()));
    }
    let private = match record.private_bytes {
        0 => String::new(),
        bytes => format!(", {bytes} bytes private"),
    };
    let line = |text: String| context.output.line(visible(&text));
    line(format!("{}.{} ({} bytes{private})", record.view, record.seqno, record.size))?;
    for table in &record.tables {
        line(format!("  {}", table.name))?;
        for write in &table.writes {
            let value = write.value.as_ref().map_or_else(|| "(removed)".into(), ToString::to_string);
            let value = value.trim_end().replace('\n', "\n      ");
            line(format!("    {} = {value}", write.key))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_seqnos_are_written_in_four_ways() {
        assert_eq!(seqnos("3..7"), Ok(3..=7));
        assert_eq!(seqnos("3..=7"), Ok(3..=7));
        assert_eq!(seqnos("3.."), Ok(3..=u64::MAX));
        assert_eq!(seqnos("..7"), Ok(1..=7));
        assert_eq!(seqnos("5"), Ok(5..=5));
        for bad in ["x", "7..3", "1..x", "-1"] {
            assert!(seqnos(bad).is_err(), "{bad}");
        }
    }
}
