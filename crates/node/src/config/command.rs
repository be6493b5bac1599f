use std::path::PathBuf;

use consortium::{genesis::ResumeMode, members::RecoveryRole, service::ServiceConfiguration};

use super::{ConfigError, Duration, Size, fields::Fields};

/// The section `command`: what the node does when it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The certificate of the service: written by `Start` and `Recover`, read by `Join`.
    pub service_certificate_file: PathBuf,
    /// What to do.
    pub kind: CommandKind,
}

/// `command.type` with its own section.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandKind {
    /// Founds a service, or resumes the one whose ledger is in the configured directory.
    Start(Box<Start>),
    /// Joins a service.
    Join(Join),
    /// Recovers a service from its ledger.
    Recover(Recover),
}

/// `command.start`
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The constitution: these files, one behind the other; none stands for the one that is shipped.
    pub constitution_files: Vec<PathBuf>,
    /// The members to found the service with.
    pub members: Vec<Member>,
    /// Settings that members can change by vote.
    pub service_configuration: ServiceConfiguration,
    /// Validity of the service certificate, in days.
    pub initial_service_certificate_validity_days: u32,
    /// Subject of the service certificate.
    pub service_subject_name: String,
    /// `iss` and `sub` of COSE ledger signatures.
    pub cose_signatures: CoseSignatures,
    /// How the service resumes after a restart (D31); `None` leaves it to the platform.
    pub resume: Option<ResumeMode>,
}

/// One element of `command.start.members`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Certificate, PEM.
    pub certificate_file: PathBuf,
    /// RSA public key for the recovery share, PEM.
    pub encryption_public_key_file: Option<PathBuf>,
    /// What the consortium notes about the member, JSON.
    pub data_json_file: Option<PathBuf>,
    /// Role in a recovery.
    pub recovery_role: Option<RecoveryRole>,
}

/// `cose_signatures`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoseSignatures {
    /// CWT `iss`
    pub issuer: String,
    /// CWT `sub`
    pub subject: String,
}

/// `command.join`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// `host:port` of a node of the service.
    pub target_rpc_address: String,
    /// Pause between attempts.
    pub retry_timeout: Duration,
    /// Whether to go where a node that is not the primary points.
    pub follow_redirect: bool,
    /// Whether to fetch a snapshot first.
    pub fetch_recent_snapshot: bool,
    /// Attempts at fetching it.
    pub fetch_snapshot_max_attempts: u64,
    /// Pause between them.
    pub fetch_snapshot_retry_interval: Duration,
    /// Largest snapshot.
    pub fetch_snapshot_max_size: Size,
}

/// `command.recover`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recover {
    /// Certificate of the service before.
    pub previous_service_identity_file: Option<PathBuf>,
    /// Validity of the new service certificate, in days.
    pub initial_service_certificate_validity_days: u32,
}

/// The longest validity that a configuration may ask for, in days: ten years.
const MAX_DAYS: u64 = 3650;

impl Command {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        #[derive(Clone, Copy)]
        enum Type {
            Start,
            Join,
            Recover,
        }
        let types = [("Start", Type::Start), ("Join", Type::Join), ("Recover", Type::Recover)];
        let service_certificate_file =
            fields.file("service_certificate_file")?.unwrap_or_else(|| "service_cert.pem".into());
        let chosen = fields.choice("type", &types)?.ok_or_else(|| fields.wrong("type", "is missing"))?;
        // CCF's configurations may carry the sections of the other types as well: they are checked all the same.
        let start = fields.optional("start", Start::read)?;
        let join = fields.optional("join", Join::read)?;
        let recover = fields.section("recover", Recover::read)?;
        let missing = |section: &str| fields.wrong(section, "is missing");
        let kind = match chosen {
            Type::Start => CommandKind::Start(Box::new(start.ok_or_else(|| missing("start"))?)),
            Type::Join => CommandKind::Join(join.ok_or_else(|| missing("join"))?),
            Type::Recover => CommandKind::Recover(recover),
        };
        fields.finish()?;
        Ok(Self { service_certificate_file, kind })
    }
}

impl Start {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let resume =
            [("auto", ResumeMode::Auto), ("witnessed", ResumeMode::Witnessed), ("recovery", ResumeMode::Recovery)];
        let start = Self {
            constitution_files: fields.texts("constitution_files")?.into_iter().map(PathBuf::from).collect(),
            members: fields.list("members", Member::read)?,
            service_configuration: fields.section("service_configuration", service_configuration)?,
            initial_service_certificate_validity_days: days(&mut fields)?,
            service_subject_name: fields.text("service_subject_name")?.unwrap_or_else(|| "CN=CCF Service".into()),
            cose_signatures: fields.section("cose_signatures", CoseSignatures::read)?,
            resume: fields.choice("resume", &resume)?,
        };
        if start.members.is_empty() {
            return Err(fields.wrong("members", "is missing: a service needs at least one member"));
        }
        fields.finish()?;
        Ok(start)
    }
}

fn days(fields: &mut Fields<'_>) -> Result<u32, ConfigError> {
    let days = fields.number("initial_service_certificate_validity_days", 1, MAX_DAYS)?.unwrap_or(1);
    Ok(u32::try_from(days).unwrap_or(1))
}

impl Member {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let roles = [
            ("NonParticipant", RecoveryRole::NonParticipant),
            ("Participant", RecoveryRole::Participant),
            ("Owner", RecoveryRole::Owner),
        ];
        let member = Self {
            certificate_file: fields
                .file("certificate_file")?
                .ok_or_else(|| fields.wrong("certificate_file", "is missing"))?,
            encryption_public_key_file: fields.file("encryption_public_key_file")?,
            data_json_file: fields.file("data_json_file")?,
            recovery_role: fields.choice("recovery_role", &roles)?,
        };
        fields.finish()?;
        Ok(member)
    }
}

fn service_configuration(mut fields: Fields<'_>) -> Result<ServiceConfiguration, ConfigError> {
    let configuration = ServiceConfiguration {
        recovery_threshold: fields.number("recovery_threshold", 0, 255)?.unwrap_or(0),
        maximum_node_certificate_validity_days: fields.number("maximum_node_certificate_validity_days", 1, MAX_DAYS)?,
        maximum_service_certificate_validity_days: fields.number(
            "maximum_service_certificate_validity_days",
            1,
            MAX_DAYS,
        )?,
        recent_cose_proposals_window_size: fields.number("recent_cose_proposals_window_size", 1, 10_000)?,
        ..ServiceConfiguration::default()
    };
    fields.finish()?;
    Ok(configuration)
}

impl CoseSignatures {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let signatures = Self {
            issuer: fields.text("issuer")?.unwrap_or_else(|| "service.example.com".into()),
            subject: fields.text("subject")?.unwrap_or_else(|| "ledger.signature".into()),
        };
        fields.finish()?;
        Ok(signatures)
    }
}

impl Join {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let second = Duration::from_secs(1);
        let join = Self {
            target_rpc_address: fields.required("target_rpc_address")?,
            retry_timeout: fields.duration("retry_timeout")?.unwrap_or(second),
            follow_redirect: fields.flag("follow_redirect")?.unwrap_or(true),
            fetch_recent_snapshot: fields.flag("fetch_recent_snapshot")?.unwrap_or(true),
            fetch_snapshot_max_attempts: fields.number("fetch_snapshot_max_attempts", 0, 1000)?.unwrap_or(3),
            fetch_snapshot_retry_interval: fields.duration("fetch_snapshot_retry_interval")?.unwrap_or(second),
            fetch_snapshot_max_size: fields
                .size("fetch_snapshot_max_size")?
                .unwrap_or_else(|| Size { bytes: 10 << 30, text: "10GB".into() }),
        };
        fields.finish()?;
        Ok(join)
    }
}

impl Recover {
    fn read(mut fields: Fields<'_>) -> Result<Self, ConfigError> {
        let recover = Self {
            previous_service_identity_file: fields.file("previous_service_identity_file")?,
            initial_service_certificate_validity_days: days(&mut fields)?,
        };
        fields.refuse(
            &["previous_sealed_ledger_secret_location"],
            "the state directory holds what is sealed (node_state.directory)",
        )?;
        fields.finish()?;
        Ok(recover)
    }
}
