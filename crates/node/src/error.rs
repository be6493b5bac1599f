use std::path::PathBuf;

use crate::{config::ConfigError, tls::TlsError, vault::VaultError};

/// Why a node does not start, or has stopped. Each text says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file that the configuration names cannot be used.
    #[error("{setting}: {file}: {why}")]
    File {
        /// The full name of the setting that names it.
        setting: String,
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// Something that the configuration asks for is not in this version.
    #[error("{what} is not supported by this version: {instead}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// There is a ledger, but the keys that belong to it are not there.
    #[error(
        "{ledger} holds a ledger, but {state} holds no keys of it, and a new service is never made over an old one. Put the state directory back, or choose another ledger directory; a ledger without its keys needs `command.type` Recover, which a later version brings"
    )]
    NoState {
        /// The ledger directory.
        ledger: PathBuf,
        /// The state directory.
        state: PathBuf,
    },
    /// There are files of a service, but not its keys.
    #[error(
        "{left} belongs to a service whose keys (identity.sealed) are not there, and a new service is never made over an old one. Put the state directory back as a whole, or choose another one (`node_state.directory`)"
    )]
    NoIdentity {
        /// What is there.
        left: PathBuf,
    },
    /// The keys are those of another service or node.
    #[error(
        "{state}: identity.sealed holds the keys of another {whose} than the one in the ledger. Restore the state directory as a whole from the copy that belongs to the ledger directory"
    )]
    OtherKeys {
        /// The state directory.
        state: PathBuf,
        /// `service` or `node`.
        whose: &'static str,
    },
    /// The service was founded not to resume like this.
    #[error(
        "the service was founded with `resume: {mode}`, so it does not resume by itself, and this version cannot resume it otherwise. The ledger was not touched: keep the directories until a version that can"
    )]
    Resume {
        /// `witnessed` or `recovery`.
        mode: String,
    },
    /// The ledger does not say how the service resumes.
    #[error("the ledger does not say how its service resumes: it was not written by this program")]
    NoResumeMode,
    /// There is no ledger secret where there must be one.
    #[error(
        "the state directory holds no ledger secret (ledger_secrets.sealed), though there is a ledger: restore it as a whole from the copy that belongs to the ledger"
    )]
    NoSecret,
    /// Keys cannot be had back.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Keys or certificates cannot be made.
    #[error(transparent)]
    Crypto(#[from] crypto::CryptoError),
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
    /// The ledger cannot be opened or written.
    #[error(transparent)]
    Ledger(#[from] replication::ReplicationError),
    /// A part of the ledger cannot be made.
    #[error(transparent)]
    Entry(#[from] ledger::LedgerError),
    /// The first or the resuming transaction cannot be committed.
    #[error("the first transaction cannot be committed: {0}")]
    First(#[from] replication::SubmitError),
    /// The members or settings that the service is to be founded with are wrong.
    #[error(transparent)]
    Consortium(#[from] consortium::ConsortiumError),
    /// The constitution that the service is to be founded with does not work.
    #[error("command.start.constitution_files: together they are no constitution: {why}. Nothing was founded")]
    Constitution {
        /// What is wrong.
        why: String,
    },
    /// Scripts cannot be run.
    #[error("scripts cannot be run: {0}")]
    Scripts(#[from] constitution::ScriptError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {why}. Is another process using it?")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        why: std::io::Error,
    },
    /// The TLS configuration is not usable.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The ledger names a certificate that this node cannot show.
    #[error("{0}")]
    Certificate(String),
    /// The ledger could not be written any more.
    #[error(
        "stopped, since the ledger cannot be written: {0}. Nothing that was answered is lost; check the disk, then start the node again"
    )]
    Stopped(String),
    /// The runtime cannot be started.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}
