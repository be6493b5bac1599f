use std::{io, path::PathBuf, time::Duration};

use attestation::Rejection;

/// Why there is no evidence. Each text says what to look at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// A file or directory is not to be had.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The kernel answers with something else than a report of SEV-SNP.
    #[error("{}: {found}; this machine must be a guest of SEV-SNP", path.display())]
    Kernel {
        /// The directory of the request.
        path: PathBuf,
        /// What it has.
        found: String,
    },
    /// Somebody does not answer in time, or not at all.
    #[error("{url} does not answer: {why}")]
    Unreachable {
        /// Who.
        url: String,
        /// What happened.
        why: String,
    },
    /// Nothing came for too long.
    #[error("{url}: no complete answer within {0:?}", limit)]
    Slow {
        /// Who.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// Somebody refuses.
    #[error("{url} answers {status}{}", if *status == 429 { ": it was asked too often, try again later" } else { "" })]
    Refused {
        /// Who.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// An answer is larger than any genuine one.
    #[error("{url} answers more than {limit} bytes")]
    TooLarge {
        /// Who.
        url: String,
        /// The limit.
        limit: usize,
    },
    /// An answer is not what was asked for.
    #[error("{place}: {why}")]
    Malformed {
        /// Which file or address.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// The chain of a processor cannot be looked for.
    #[error("the certificates of the processor cannot be looked for: {0}")]
    Unnamed(&'static str),
    /// The chain of a processor was not found.
    #[error("no certificates for the processor: {0}")]
    NotFound(String),
    /// What was obtained does not prove anything.
    #[error("{place} gives evidence that does not verify: {source}")]
    NotProven {
        /// Where it came from.
        place: String,
        /// The check that fails.
        source: Rejection,
    },
    /// Canned evidence binds its own key.
    #[error("{} binds the key that is in it and no other; use that one", path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
}

impl EvidenceError {
    /// A file could not be read.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Something is not what it should be.
    pub(crate) fn malformed(place: impl Into<String>, why: impl ToString) -> Self {
        Self::Malformed { place: place.into(), why: why.to_string() }
    }
}
