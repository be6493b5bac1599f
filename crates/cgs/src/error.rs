use std::{io, path::PathBuf};

use client::ClientError;
use ledger::{receipt::ReceiptError, verify::VerifyError};

use crate::exit::Exit;

/// Why a command did not do what it was asked. Each text says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// Talking to the service failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A key or certificate is not good.
    #[error(transparent)]
    Crypto(#[from] crypto::CryptoError),
    /// Arguments that parse and make no sense.
    #[error("{0}")]
    Usage(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// Printing, or starting a process.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The contract was changed since it was read.
    #[error("{0}")]
    Conflict(String),
    /// The state is not the one that was judged or promised.
    #[error("{0}")]
    NotAsExpected(String),
    /// A receipt proves nothing.
    #[error("{}: the receipt does not verify: {source}", path.display())]
    Receipt {
        /// The file.
        path: PathBuf,
        /// The step that fails.
        source: ReceiptError,
    },
    /// A ledger does not verify.
    #[error("the ledger does not verify. {0}")]
    Ledger(#[from] VerifyError),
    /// A ledger cannot be read.
    #[error("the ledger cannot be read: {0}")]
    ReadLedger(#[from] ledger::LedgerError),
    /// The node could not be started, or ended by itself.
    #[error("{0}")]
    Node(String),
    /// A step of the demonstration did not come out as it must.
    #[error("the demonstration failed: {0}")]
    Demo(String),
    /// The verdict is printed already.
    #[error("the verdict is {0:?}")]
    Verdict(Exit),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl CliError {
    /// Something a person typed.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// A file could not be read or written.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// What to print on standard error; nothing if the person knows already.
    pub(crate) fn to_show(&self) -> Option<String> {
        match self {
            Self::Verdict(_) => None,
            Self::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            other => Some(other.to_string()),
        }
    }

    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => of_client(error),
            Self::Conflict(_) => Exit::Conflict,
            Self::NotAsExpected(_) => Exit::NotAsExpected,
            Self::Receipt { .. } | Self::Ledger(_) => Exit::ProofFailed,
            Self::Verdict(exit) => *exit,
            Self::Interrupted => Exit::Interrupted,
            _ => Exit::Failed,
        }
    }
}

fn of_client(error: &ClientError) -> Exit {
    match error {
        ClientError::Unreachable { .. } => Exit::Unreachable,
        ClientError::Refused { status: 409 | 412, .. } => Exit::Conflict,
        ClientError::Refused { .. } => Exit::Refused,
        ClientError::NotYet { .. } => Exit::NotYet,
        ClientError::ServiceChanged { .. } => Exit::ServiceChanged,
        ClientError::Forked { .. } => Exit::Forked,
        ClientError::Receipt { .. } | ClientError::OtherReceipt { .. } => Exit::ProofFailed,
        _ => Exit::Failed,
    }
}
