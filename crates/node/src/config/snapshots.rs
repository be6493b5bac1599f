use std::path::{Path, PathBuf};

use super::{ConfigError, fields::Fields, lies_in};

/// Transactions between two snapshots unless configured (CCF).
const TX_COUNT: u64 = 10_000;

/// `snapshots`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshots {
    /// Where they are written, and where a start looks for one.
    pub directory: PathBuf,
    /// Where a start looks too. Nothing is written there.
    pub read_only_directory: Option<PathBuf>,
    /// Transactions between two snapshots, at least (D34).
    pub tx_count: u64,
}

impl Snapshots {
    /// `taken` are other directories with the settings that name them, which are for something else.
    pub(super) fn read(mut fields: Fields<'_>, taken: &[(&str, &Path)]) -> Result<Self, ConfigError> {
        let snapshots = Self {
            directory: fields.file("directory")?.unwrap_or_else(|| "snapshots".into()),
            read_only_directory: fields.file("read_only_directory")?,
            tx_count: fields.number("tx_count", 1, u64::MAX)?.unwrap_or(TX_COUNT),
        };
        let both = [
            Some(("directory", &snapshots.directory)),
            snapshots.read_only_directory.as_ref().map(|read_only| ("read_only_directory", read_only)),
        ];
        for (field, directory) in both.into_iter().flatten() {
            if let Some((other, _)) = taken.iter().find(|(_, other)| lies_in(directory, other)) {
                let why = format!("lies in {other}, where nothing but that may be: choose another one");
                return Err(fields.wrong(field, why));
            }
        }
        fields.finish()?;
        Ok(snapshots)
    }
}
