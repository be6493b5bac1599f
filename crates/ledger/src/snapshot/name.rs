use std::{fmt, str::FromStr};

use crate::LedgerError;

const PREFIX: &str = "snapshot_";
const COMMITTED: &str = ".committed";
const IGNORED: &str = ".ignored";

/// The name of a snapshot file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotName {
    /// The last transaction that the state contains.
    pub seqno: u64,
    /// The transaction that claims the digest.
    pub evidence: u64,
    /// The receipt of the evidence is in the file.
    pub committed: bool,
}

impl SnapshotName {
    /// Whether a file of this name is a snapshot at all (and must then have a proper name), and not to be skipped.
    #[must_use]
    pub fn is_snapshot(name: &str) -> bool {
        name.starts_with(PREFIX) && !name.ends_with(IGNORED)
    }
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = if self.committed { COMMITTED } else { "" };
        write!(f, "{PREFIX}{}_{}{suffix}", self.seqno, self.evidence)
    }
}

impl FromStr for SnapshotName {
    type Err = LedgerError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let rest = name.strip_prefix(PREFIX)?;
            let (rest, committed) = rest.strip_suffix(COMMITTED).map_or((rest, false), |rest| (rest, true));
            let (seqno, evidence) = rest.split_once('_')?;
            let name = Self { seqno: seqno.parse().ok()?, evidence: evidence.parse().ok()?, committed };
            (name.seqno < name.evidence).then_some(name)
        };
        // Written again it must be the same: no signs, no leading zeros.
        let parsed = parse().filter(|parsed| parsed.to_string() == name);
        parsed.ok_or_else(|| LedgerError::malformed("name of a snapshot file", format!("{name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_what_they_write() {
        for name in ["snapshot_61_62.committed", "snapshot_61_62", "snapshot_1_200000"] {
            assert_eq!(name.parse::<SnapshotName>().unwrap().to_string(), name);
        }
        let others =
            ["snapshot_", "snapshot_1", "snapshot_2_1", "snapshot_01_2", "snapshot_1_2.commited", "snapshot_1_+2"];
        for other in others {
            assert!(other.parse::<SnapshotName>().is_err(), "{other}");
        }
        assert!(
            SnapshotName::is_snapshot("snapshot_x") && !SnapshotName::is_snapshot("snapshot_1_2.committed.ignored")
        );
        assert!(!SnapshotName::is_snapshot("ledger_1"));
    }
}
