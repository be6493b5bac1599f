use std::io;
use std::path::{Path, PathBuf};

/// Why the disk did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// There is nothing of this name.
    #[error("{} does not exist", path.display())]
    NotFound {
        /// The name asked for.
        path: PathBuf,
    },
    /// The name is taken.
    #[error("{} exists already", path.display())]
    Exists {
        /// The name asked for.
        path: PathBuf,
    },
    /// Another process, or another part of this one, holds the lock.
    #[error("{} is locked by another process: stop that process, or give this one a directory of its own", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A rename from one directory to another.
    #[error("cannot rename {} to {}: both names must be in one directory", from.display(), to.display())]
    AcrossDirectories {
        /// The present name.
        from: PathBuf,
        /// The name asked for.
        to: PathBuf,
    },
    /// A sync failed, so what the disk holds is unknown.
    #[error(
        "syncing {} ({what}) failed: {source}. What the disk holds is unknown now: this process must stop; check the \
         disk, then start it again",
        path.display()
    )]
    SyncFailed {
        /// The file or directory.
        path: PathBuf,
        /// What the sync was for.
        what: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A sync of this file failed before, so it is not written any more.
    #[error("{} takes no more writes since a sync of it failed: this process must stop", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
    /// Anything else the operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as "write to".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl DiskError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            _ => Self::Io { action, path, source },
        }
    }

    /// Whether there is nothing of the name asked for.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
