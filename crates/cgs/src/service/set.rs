use client::Action;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::{
    context::Context,
    error::CliError,
    proposal::{self, Proposing},
};

/// Propose a setting of the service
///
///   cgs service set recovery-threshold 2 --vote
///   cgs service set certificate-validity --days 365 --vote
///   cgs service set option autoapprove-deploymentspec-proposal enabled --vote
#[derive(Debug, clap::Subcommand)]
#[command(verbatim_doc_comment)]
pub(crate) enum Setting {
    /// How many recovery shares recover the service. While it is open, new shares are issued
    RecoveryThreshold {
        /// 1 to 254
        #[arg(value_parser = clap::value_parser!(u8).range(1..=254))]
        shares: u8,
        #[command(flatten)]
        proposing: Proposing,
    },
    /// Since when and for how long the certificate of the service is valid: this renews it
    CertificateValidity {
        #[command(flatten)]
        validity: Validity,
        #[command(flatten)]
        proposing: Proposing,
    },
    /// The same for the certificate of a node, or of all nodes
    NodeCertificateValidity {
        #[command(flatten)]
        validity: Validity,
        /// The id of the only node that is meant
        #[arg(long, value_name = "ID")]
        node: Option<String>,
        #[command(flatten)]
        proposing: Proposing,
    },
    Option(OptionArgs),
    /// How many recent proposals are remembered, so that none is taken twice
    RecentProposals {
        /// 1 to 10000
        #[arg(value_parser = clap::value_parser!(u16).range(1..=10_000))]
        count: u16,
        #[command(flatten)]
        proposing: Proposing,
    },
    ScriptLimits(ScriptLimits),
}

/// Switch something on or off for the whole consortium
///
/// The shipped constitution has autoapprove-constitution-proposal (cgsOperators replace
/// the constitution alone), autoapprove-deploymentspec-proposal,
/// autoapprove-deploymentinfo-proposal and autoapprove-cleanroompolicy-proposal
/// (contractOperators decide these alone), and autoapprove-jsapp-proposal (without effect).
///
///   cgs service set option autoapprove-deploymentspec-proposal enabled --vote
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct OptionArgs {
    /// The option
    option: String,
    /// enabled or disabled
    #[arg(value_parser = ["enabled", "disabled"], hide_possible_values = true)]
    status: String,
    #[command(flatten)]
    proposing: Proposing,
}

/// How much scripts of governance may use
///
///   cgs service set script-limits --heap-bytes 104857600 --stack-bytes 1048576 --time-ms 1000
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ScriptLimits {
    /// Memory
    #[arg(long)]
    heap_bytes: u64,
    /// Stack
    #[arg(long)]
    stack_bytes: u64,
    /// Time of one script, in milliseconds
    #[arg(long)]
    time_ms: u64,
    #[command(flatten)]
    proposing: Proposing,
}

/// When something is valid.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Validity {
    /// How many days; without it, as many as the service allows
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    days: Option<u32>,
    /// The first day, YYYY-MM-DD; without it, it begins now
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<time::Date>,
}

pub(crate) async fn run(setting: &Setting, context: &Context) -> Result<(), CliError> {
    let (action, proposing) = setting.action();
    proposal::propose(context, action, proposing).await
}

impl Setting {
    fn action(&self) -> (Action, Proposing) {
        match self {
            Self::RecoveryThreshold { shares, proposing } => {
                (Action::new("set_recovery_threshold", json!({ "recovery_threshold": shares })), *proposing)
            }
            Self::CertificateValidity { validity, proposing } => {
                (Action::new("set_service_certificate_validity", validity.arguments().into()), *proposing)
            }
            Self::NodeCertificateValidity { validity, node, proposing } => {
                (validity.of_nodes(node.as_deref()), *proposing)
            }
            Self::Option(args) => {
                let arguments = json!({ "option": args.option, "status": args.status });
                (Action::new("set_cgs_runtime_options", arguments), args.proposing)
            }
            Self::RecentProposals { count, proposing } => {
                let arguments = json!({ "recent_cose_proposals_window_size": count });
                (Action::new("set_service_configuration", arguments), *proposing)
            }
            Self::ScriptLimits(limits) => {
                let arguments = json!({
                    "max_heap_bytes": limits.heap_bytes,
                    "max_stack_bytes": limits.stack_bytes,
                    "max_execution_time_ms": limits.time_ms,
                });
                (Action::new("set_js_runtime_options", arguments), limits.proposing)
            }
        }
    }
}

impl Validity {
    pub(crate) fn arguments(self) -> Map<String, Value> {
        let from = self.from.map_or_else(now, |date| date.midnight().assume_utc());
        let mut arguments = Map::from_iter([("valid_from".to_owned(), Value::from(utc_time(from)))]);
        arguments.extend(self.days.map(|days| ("validity_period_days".to_owned(), days.into())));
        arguments
    }

    fn of_nodes(self, node: Option<&str>) -> Action {
        let mut arguments = self.arguments();
        let Some(node) = node else {
            return Action::new("set_all_nodes_certificate_validity", arguments.into());
        };
        arguments.insert("node_id".into(), node.into());
        Action::new("set_node_certificate_validity", arguments.into())
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(client::now()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// UTCTime of X.509, as CCF takes it: YYMMDDHHMMSSZ.
fn utc_time(at: OffsetDateTime) -> String {
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!("{:02}{:02}{day:02}{hour:02}{minute:02}{second:02}Z", year.rem_euclid(100), u8::from(month))
}

fn day(text: &str) -> Result<time::Date, String> {
    let wrong = || format!("{text:?} is not a date: write YYYY-MM-DD");
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u16>().ok());
    let (Some(year), Some(month), Some(day)) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten())
    else {
        return Err(wrong());
    };
    let month = u8::try_from(month).ok().and_then(|month| time::Month::try_from(month).ok()).ok_or_else(wrong)?;
    if !(1950..2050).contains(&year) {
        return Err(format!("{text:?} must lie between 1950 and 2049"));
    }
    time::Date::from_calendar_date(year.into(), month, u8::try_from(day).unwrap_or(0)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_becomes_the_time_of_a_certificate() {
        let validity = Validity { days: Some(90), from: Some(day("2026-02-03").unwrap()) };
        let arguments = Value::from(validity.arguments());
        assert_eq!(arguments, json!({"valid_from": "260203000000Z", "validity_period_days": 90}));
        let at = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        assert_eq!(utc_time(at), "231114221320Z");
        for bad in ["2026-02-30", "2026-13-01", "2026-2", "x", "2051-01-01", "2026-01-999"] {
            assert!(day(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_node_or_all_of_them() {
        let validity = Validity { days: None, from: Some(day("2026-02-03").unwrap()) };
        let one = validity.of_nodes(Some("ab"));
        assert_eq!((one.name.as_str(), &one.args.unwrap()["node_id"]), ("set_node_certificate_validity", &json!("ab")));
        assert_eq!(validity.of_nodes(None).name, "set_all_nodes_certificate_validity");
    }
}
