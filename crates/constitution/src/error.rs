//! How a script can fail.

use crate::wire::Failure;

/// Why a script gave no result. [`ScriptError::is_scripts_fault`] says whether the script or the service is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// An exception left the script.
    #[error("{reason}")]
    Threw {
        /// The exception as text, such as `Error: boom`.
        reason: String,
        /// Where it was thrown, one `    at function (module:line:column)` a line.
        trace: Option<String>,
    },
    /// The time budget of the request was used up.
    #[error("Operation took too long to complete.")]
    TimeLimit,
    /// The script needed more memory than scripts get.
    #[error("InternalError: out of memory")]
    MemoryLimit,
    /// The module is not JavaScript.
    #[error("{reason}")]
    Compile {
        /// What the compiler said.
        reason: String,
    },
    /// The module does not export the function.
    #[error("the module does not export a function '{name}'")]
    MissingExport {
        /// Name of the function.
        name: String,
    },
    /// The script ended the process it ran in, and nothing else did. To be treated like a limit.
    #[error("the script ended its interpreter: {how}")]
    Crashed {
        /// How the process ended.
        how: String,
    },
    /// Too many scripts are waiting already: answer 503 and let the caller try again.
    #[error("too many scripts are waiting ({limit}); try again later")]
    Busy {
        /// The limit that was reached, in scripts.
        limit: usize,
    },
    /// The machine had too little time for the script: it used less than it may, and took many times as long. Nothing is
    /// decided by that; answer 503 and let the caller try again.
    #[error("the machine is too busy to run scripts; try again later")]
    Starved,
    /// The service could not run the script, or the process that runs it did what it must not.
    #[error("scripts cannot be run: {reason}")]
    Host {
        /// What failed.
        reason: String,
    },
}

impl ScriptError {
    /// Whether the script itself is the reason; otherwise the service is, and the same script may succeed later.
    #[must_use]
    pub fn is_scripts_fault(&self) -> bool {
        !matches!(self, Self::Busy { .. } | Self::Starved | Self::Host { .. })
    }

    /// Whether a limit of time or memory ended the script, so that another run might end otherwise (D39, D41).
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::TimeLimit | Self::MemoryLimit | Self::Crashed { .. })
    }

    /// Where an exception was thrown, if that is known.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        match self {
            Self::Threw { trace, .. } => trace.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn host(reason: impl Into<String>) -> Self {
        Self::Host { reason: reason.into() }
    }
}

impl From<Failure> for ScriptError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Threw { reason, trace } => Self::Threw { reason, trace },
            Failure::TimeLimit => Self::TimeLimit,
            Failure::MemoryLimit => Self::MemoryLimit,
            Failure::Compile { reason } => Self::Compile { reason },
            Failure::MissingExport { name } => Self::MissingExport { name },
        }
    }
}
