//! The configuration of a node: CCF's JSON (its node configuration), plus what CCF does not have.
//!
//! | member of our own | meaning |
//! |---|---|
//! | `node_state.directory` | where everything beside the ledger is kept; `<ledger directory>.state` unless configured |
//! | `admin.bind_address` | where the operator reads `/metrics` over plain HTTP; nowhere unless configured |
//! | `command.start.resume` | `auto`, `witnessed` or `recovery`: how the service resumes after a restart |
//!
//! Unknown members are an error that names them, and so are known ones that ask for what this service would not do.
//! Tuning that means nothing here is taken with a warning. Relative paths start at the working directory, as in CCF.

mod command;
mod example;
mod fields;
mod network;
mod snapshots;
mod units;

#[cfg(test)]
mod tests;

use std::path::{Component, Path, PathBuf};

pub use std::time::Duration;

pub use command::{Command, CommandKind, CoseSignatures, Join, Member, Recover, Start};
use crypto::Curve;
pub use example::example;
use fields::Fields;
pub use network::{Address, AppProtocol, Authority, HttpLimits, Network, RpcInterface};
pub use snapshots::Snapshots;
pub use units::Size;

use crate::files;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{file}: {why}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// The file is not JSON.
    #[error("the configuration is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A member has a value that it cannot have, or is missing.
    #[error("{field} {why}")]
    Field {
        /// The full name of the member.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// A member that means nothing.
    #[error("{field} is not a known setting: remove it, or correct its name")]
    Unknown {
        /// The full name of the member.
        field: String,
    },
}

impl ConfigError {
    pub(crate) fn wrong(field: &str, why: &str) -> Self {
        Self::Field { field: field.to_owned(), why: why.to_owned() }
    }
}

/// The configuration of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where it listens.
    pub network: Network,
    /// What it does when it starts.
    pub command: Command,
    /// Its certificate.
    pub node_certificate: NodeCertificate,
    /// Where its evidence comes from.
    pub attestation: Attestation,
    /// Its ledger.
    pub ledger: Ledger,
    /// Its snapshots.
    pub snapshots: Snapshots,
    /// Where everything beside the ledger is kept: sealed keys, the raft log (D35).
    pub state_directory: PathBuf,
    /// Where the operator reads figures over plain HTTP (`host:port`); nowhere unless configured.
    pub admin_address: Option<String>,
    /// Files that it writes for others.
    pub output_files: OutputFiles,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How often the keys of token issuers are fetched (`jwt.key_refresh_interval`).
    pub jwt_key_refresh_interval: Duration,
    /// How long a session may be idle.
    pub idle_connection_timeout: Duration,
    /// Threads that serve requests; 0 means one per processor.
    pub worker_threads: usize,
    /// Whether the first SIGTERM only announces the stop (`stop_notice`).
    pub ignore_first_sigterm: bool,
    /// What the operator notes about the node, JSON.
    pub node_data_json_file: Option<PathBuf>,
    /// What the operator notes about the service, JSON.
    pub service_data_json_file: Option<PathBuf>,
    /// What was taken but has no effect; to be logged at start.
    pub warnings: Vec<String>,
}

/// `node_certificate`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCertificate {
    /// Subject.
    pub subject_name: String,
    /// Names like `iPAddress:127.0.0.1` and `dNSName:localhost`.
    pub subject_alt_names: Vec<String>,
    /// Curve of the node's key.
    pub curve: Curve,
    /// Validity, in days.
    pub initial_validity_days: u32,
}

/// `attestation`: for SEV-SNP.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attestation {
    /// Where endorsements are fetched from: objects with `type`, `url`, `max_retries_count`.
    pub snp_endorsements_servers: Vec<EndorsementsServer>,
    /// The security policy that the host data is the digest of.
    pub snp_security_policy_file: Option<PathBuf>,
    /// Endorsements of the utility VM.
    pub snp_uvm_endorsements_file: Option<PathBuf>,
    /// Endorsements of the chip.
    pub snp_endorsements_file: Option<PathBuf>,
}

/// One element of `attestation.snp_endorsements_servers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndorsementsServer {
    /// `Azure`, `AMD` or `THIM`.
    pub kind: String,
    /// `host:port`; the well-known one of its kind unless configured.
    pub url: Option<String>,
    /// How often a request is repeated.
    pub max_retries_count: u64,
}

/// `ledger`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// The directory of the chunk files; nothing else lies there.
    pub directory: PathBuf,
    /// From this size on a chunk ends at the next signature.
    pub chunk_size: Size,
}

/// `output_files`: absent ones are not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFiles {
    /// The node's self-signed certificate, PEM.
    pub node_certificate_file: PathBuf,
    /// The process id.
    pub pid_file: Option<PathBuf>,
    /// Where other nodes reach this one.
    pub node_to_node_address_file: Option<PathBuf>,
    /// JSON: name of each RPC interface to the address it really listens on.
    pub rpc_addresses_file: Option<PathBuf>,
}

/// `logging.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file or the member.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let text = files::read(file).map_err(|why| ConfigError::Read { file: file.to_owned(), why })?;
        Self::parse(&text)
    }

    /// Reads a configuration from its text.
    ///
    /// # Errors
    /// [`ConfigError`], which names the member.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut warnings = Vec::new();
        let mut config = Self::read(Fields::of("", api::from_unique_json(text.as_bytes())?, &mut warnings)?)?;
        config.warnings = warnings;
        Ok(config)
    }

    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let ledger = fields.section("ledger", Ledger::read)?;
        let state_directory = fields.section("node_state", |fields| state_directory(fields, &ledger.directory))?;
        let taken = [("ledger.directory", ledger.directory.as_path()), ("node_state.directory", &state_directory)];
        let config = Self {
            network: fields.needed("network", Network::read)?,
            command: fields.needed("command", Command::read)?,
            node_certificate: fields.section("node_certificate", NodeCertificate::read)?,
            attestation: fields.section("attestation", Attestation::read)?,
            snapshots: fields.section("snapshots", |fields| Snapshots::read(fields, &taken))?,
            state_directory,
            ledger,
            admin_address: fields.optional("admin", admin_address)?,
            output_files: fields.section("output_files", OutputFiles::read)?,
            log_format: fields.section("logging", LogFormat::read)?,
            jwt_key_refresh_interval: fields.section("jwt", jwt_key_refresh_interval)?,
            idle_connection_timeout: idle_timeout(&mut fields)?,
            worker_threads: usize::try_from(fields.number("worker_threads", 0, 1024)?.unwrap_or(0)).unwrap_or(0),
            ignore_first_sigterm: fields.flag("ignore_first_sigterm")?.unwrap_or(false),
            node_data_json_file: fields.file("node_data_json_file")?,
            service_data_json_file: fields.file("service_data_json_file")?,
            warnings: Vec::new(),
        };
        ignore_tuning(&mut fields)?;
        fields.finish()?;
        Ok(config)
    }
}

/// What CCF can tune and what has no counterpart here.
fn ignore_tuning(fields: &mut Fields<'_>) -> Result<(), ConfigError> {
    const SECTIONS: [(&str, &[&str], &str); 3] = [
        ("ledger_signatures", &["tx_count", "delay"], "every batch carries its signature"),
        (
            "consensus",
            &["message_timeout", "election_timeout", "max_uncommitted_tx_count"],
            "a service has one node, and what it answers is committed",
        ),
        ("memory", &["circuit_size", "max_msg_size", "max_fragment_size"], "there is no ring buffer"),
    ];
    for (section, members, why) in SECTIONS {
        fields.section(section, |mut fields| {
            fields.ignore(members, why);
            fields.finish()
        })?;
    }
    let members = [
        "tick_interval",
        "slow_io_logging_threshold",
        "client_connection_timeout",
        "node_to_node_message_limit",
        "historical_cache_soft_limit",
    ];
    fields.ignore(&members, "there is nothing like it in this implementation");
    Ok(())
}

fn idle_timeout(fields: &mut Fields<'_>) -> Result<Duration, ConfigError> {
    let timeout = fields.duration("idle_connection_timeout")?.unwrap_or(network::IDLE_TIMEOUT);
    if timeout < Duration::from_secs(1) || timeout > Duration::from_secs(86_400) {
        return Err(fields.wrong("idle_connection_timeout", "must be from 1s to 24h"));
    }
    Ok(timeout)
}

fn admin_address(mut fields: Fields<'_>) -> Result<String, ConfigError> {
    let address = fields.text("bind_address")?.ok_or_else(|| fields.wrong("bind_address", "is missing"))?;
    network::check_address(&address).map_err(|why| fields.wrong("bind_address", why))?;
    fields.finish()?;
    Ok(address)
}

fn jwt_key_refresh_interval(mut fields: Fields<'_>) -> Result<Duration, ConfigError> {
    let interval = fields.duration("key_refresh_interval")?.unwrap_or(Duration::from_secs(1800));
    if interval < Duration::from_secs(1) || interval > Duration::from_secs(86_400) {
        return Err(fields.wrong("key_refresh_interval", "must be from 1s to 24h"));
    }
    fields.finish()?;
    Ok(interval)
}

fn state_directory(mut fields: Fields<'_>, ledger: &Path) -> Result<PathBuf, ConfigError> {
    let directory = fields.file("directory")?.unwrap_or_else(|| {
        let mut name = ledger.as_os_str().to_owned();
        name.push(".state");
        name.into()
    });
    if lies_in(&directory, ledger) {
        return Err(
            fields.wrong("directory", "lies in ledger.directory, where only chunk files lie: choose another one")
        );
    }
    fields.finish()?;
    Ok(directory)
}

/// Whether a path is that of a directory, or lies below it.
fn lies_in(path: &Path, directory: &Path) -> bool {
    let plain = |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
    plain(path).starts_with(plain(directory))
}

impl NodeCertificate {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let curves = [("Secp384R1", Curve::P384), ("Secp256R1", Curve::P256)];
        let days = fields.number("initial_validity_days", 1, 3650)?.unwrap_or(1);
        let certificate = Self {
            subject_name: fields.text("subject_name")?.unwrap_or_else(|| "CN=CCF Node".into()),
            subject_alt_names: fields.texts("subject_alt_names")?,
            curve: fields.choice("curve_id", &curves)?.unwrap_or(Curve::P384),
            initial_validity_days: u32::try_from(days).unwrap_or(1),
        };
        for (index, name) in certificate.subject_alt_names.iter().enumerate() {
            let known = name.strip_prefix("dNSName:").is_some_and(|name| !name.is_empty())
                || name.strip_prefix("iPAddress:").is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok());
            if !known {
                let why = format!("is {name:?}, must be like iPAddress:127.0.0.1 or dNSName:localhost");
                return Err(fields.wrong(&format!("subject_alt_names[{index}]"), why));
            }
        }
        fields.finish()?;
        Ok(certificate)
    }
}

impl Attestation {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let attestation = Self {
            snp_endorsements_servers: fields.list("snp_endorsements_servers", EndorsementsServer::read)?,
            snp_security_policy_file: fields.file("snp_security_policy_file")?,
            snp_uvm_endorsements_file: fields.file("snp_uvm_endorsements_file")?,
            snp_endorsements_file: fields.file("snp_endorsements_file")?,
        };
        fields.finish()?;
        Ok(attestation)
    }
}

impl EndorsementsServer {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let server = Self {
            kind: fields.text("type")?.unwrap_or_else(|| "Azure".into()),
            url: fields.text("url")?,
            max_retries_count: fields.number("max_retries_count", 0, 1000)?.unwrap_or(3),
        };
        fields.finish()?;
        Ok(server)
    }
}

impl Ledger {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let chunk_size = fields.size("chunk_size")?.unwrap_or_else(|| Size { bytes: 5 << 20, text: "5MB".into() });
        if chunk_size.bytes == 0 || chunk_size.bytes > 1 << 30 {
            return Err(fields.wrong("chunk_size", format!("is {}, must be from 1B to 1GB", chunk_size.text)));
        }
        let ledger = Self { directory: fields.file("directory")?.unwrap_or_else(|| "ledger".into()), chunk_size };
        fields.refuse(&["read_only_directories"], "all chunk files must be in ledger.directory")?;
        fields.finish()?;
        Ok(ledger)
    }
}

impl OutputFiles {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let node_certificate_file = fields.file("node_certificate_file")?.unwrap_or_else(|| "nodecert.pem".into());
        let files = Self {
            node_certificate_file,
            pid_file: fields.file("pid_file")?,
            node_to_node_address_file: fields.file("node_to_node_address_file")?,
            rpc_addresses_file: fields.file("rpc_addresses_file")?,
        };
        let why = "the state directory holds what is sealed (node_state.directory)";
        fields.refuse(&["sealed_ledger_secret_location"], why)?;
        fields.finish()?;
        Ok(files)
    }
}

impl LogFormat {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let format = fields.choice("format", &[("Text", Self::Text), ("Json", Self::Json)])?.unwrap_or(Self::Text);
        fields.ignore(&["host_level"], "the level is an argument of the command line");
        fields.finish()?;
        Ok(format)
    }
}
