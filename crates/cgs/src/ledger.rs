//! `cgs ledger`, offline

mod progress;

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use ::ledger::{
    chunk::{ChunkName, Selection},
    files,
    show::{Filter, Record, show_directory},
    verify::{Options, Report, Voucher, verify_directories},
};
use progress::Line;
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
/// Structure, order, every signature, the chain of service identities, and that nothing was
/// changed, left out or added since it was signed; snapshots too, those in the directory and
/// those in other ones. A fault is told by file and seqno. Without --service-cert any ledger
/// verifies that is consistent in itself. Ledgers of CCF verify as well.
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
    /// Another directory with snapshots of this ledger; may be said several times
    #[arg(long, value_name = "DIR")]
    snapshots: Vec<PathBuf>,
    /// Only files that do not change any more
    #[arg(long)]
    committed_only: bool,
    /// Also the files of a recovery that is not finished
    #[arg(long)]
    recovery: bool,
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
        selection: Selection { committed_only: args.committed_only, recovery: args.recovery },
        service: service.as_ref(),
        secrets: None,
        incomplete_tail: !args.strict,
    };
    let others: Vec<&Path> = args.snapshots.iter().map(PathBuf::as_path).collect();
    let mut line = Line::for_directory(&args.dir);
    let report = verify_directories(&args.dir, &others, options, &mut |progress| line.show(progress));
    line.end();
    let report = report?;
    context.output.show(&value(&report), || text(&report))?;
    let left_out = left_out(&args.dir, options.selection)?;
    if left_out > 0 {
        context
            .output
            .remark(format!("warning: {left_out} files of an unfinished recovery were left out; see --recovery"));
    }
    if service.is_none() {
        context
            .output
            .remark("warning: compare the service above with the certificate you know, or say --service-cert");
    }
    Ok(())
}

/// How many files of a recovery were not asked for.
fn left_out(directory: &Path, selection: Selection) -> Result<usize, CliError> {
    let names = if selection.recovery { Vec::new() } else { files::names(directory)? };
    let chunks = names.iter().filter_map(|name| name.parse::<ChunkName>().ok());
    Ok(chunks.filter(|name| name.recovery && !name.ignored).count())
}

fn value(report: &Report) -> serde_json::Value {
    let id = |tx_id: Option<client::TxId>| tx_id.map(|tx_id| tx_id.to_string());
    let services = report.services.iter().map(
        |seen| json!({ "since": seen.since.to_string(), "status": seen.status, "certificate": seen.certificate.id() }),
    );
    let snapshots = report
        .snapshots
        .iter()
        .map(|seen| json!({ "file": seen.name.to_string(), "seqno": seen.name.seqno, "by": by(seen.voucher) }));
    json!({
        "verified": id(report.verified),
        "first": id(report.first),
        "last": id(report.last),
        "files": report.chunks,
        "signatures": report.signatures,
        "coseSignatures": report.cose_signatures,
        "endorsements": report.endorsements,
        "privateTransactions": report.private,
        "unverifiedTail": report.unverified_tail(),
        "incompleteTailBytes": report.incomplete_tail,
        "services": services.collect::<Vec<_>>(),
        "snapshots": snapshots.collect::<Vec<_>>(),
    })
}

/// What vouches for a snapshot, in one word.
fn by(voucher: Voucher) -> Option<&'static str> {
    match voucher {
        Voucher::Ledger => Some("ledger"),
        Voucher::Receipt => Some("receipt"),
        Voucher::Nothing => None,
    }
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
    for seen in &report.snapshots {
        let name = seen.name;
        match by(seen.voucher) {
            Some(by) => table.pair("snapshot", format!("{name} verified by the {by}")),
            None => table.pair("WARNING", format!("{name} is covered by no signature yet")),
        }
    }
    if report.unverified_tail() > 0 {
        let text = "transactions behind the last signature are not covered by one";
        table.pair("WARNING", format!("{} {text}", report.unverified_tail()));
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
