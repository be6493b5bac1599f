use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use disk::Disk;
use openraft::{BasicNode, LogId, StoredMembership};
use serde::{Deserialize, Serialize};

use crate::{
    ReplicationError,
    planted::{self, Fault},
    sealer::lock,
};

/// How far complete, synced chunk files reach, and where that is in the raft log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Covered {
    /// The last seqno in a complete chunk.
    pub(crate) seqno: u64,
    /// The raft log entry that held it.
    pub(crate) log_id: Option<LogId<u64>>,
    /// The membership at that entry.
    pub(crate) membership: StoredMembership<u64, BasicNode>,
}

/// The file that says how far the chunk files reach: a line of hex (HMAC-SHA256 of the rest), then JSON.
///
/// The raft log is cut only behind what this file says, so it is written and synced first. A host that puts back an
/// older one is noticed: the log no longer reaches back that far.
pub(crate) struct CoveredFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    mac_key: [u8; 32],
    current: Mutex<Option<Covered>>,
}

impl CoveredFile {
    /// Reads the file, if it exists.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: PathBuf, mac_key: [u8; 32]) -> Result<Self, ReplicationError> {
        let current = if disk.exists(&path)? { Some(read(&path, &disk.read(&path)?, &mac_key)?) } else { None };
        Ok(Self { disk, path, mac_key, current: Mutex::new(current) })
    }

    pub(crate) fn get(&self) -> Option<Covered> {
        lock(&self.current).clone()
    }

    pub(crate) fn write(&self, covered: Covered) -> Result<(), ReplicationError> {
        let json = serde_json::to_vec(&covered).map_err(|why| self.wrong(why))?;
        let mut bytes = hex::encode(crypto::hmac_sha256(&self.mac_key, &json)).into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(&json);
        if !planted::is(Fault::CoveredNotWritten) {
            disk::write_atomically(&*self.disk, &self.path, &bytes)?;
        }
        *lock(&self.current) = Some(covered);
        Ok(())
    }

    /// Checks that the raft log, which starts behind `purged` and ends with `last`, continues what this file says.
    pub(crate) fn check(&self, purged: Option<LogId<u64>>, last: Option<LogId<u64>>) -> Result<(), ReplicationError> {
        let reaches = self.get().and_then(|covered| covered.log_id).map(|reaches| reaches.index);
        if purged.is_some_and(|purged| reaches.is_none_or(|reaches| reaches < purged.index)) {
            return Err(self.wrong("it is older than the raft log"));
        }
        if reaches.is_some_and(|reaches| last.is_none_or(|last| last.index < reaches)) {
            return Err(self.wrong("the raft log beside it is older"));
        }
        Ok(())
    }

    fn wrong(&self, why: impl ToString) -> ReplicationError {
        ReplicationError::Covered { file: self.path.clone(), why: why.to_string() }
    }
}

fn read(path: &Path, bytes: &[u8], mac_key: &[u8; 32]) -> Result<Covered, ReplicationError> {
    let wrong = |why: String| ReplicationError::Covered { file: path.to_owned(), why };
    let (mac, json) = bytes.split_at_checked(65).ok_or_else(|| wrong("it is too short".into()))?;
    let expected = hex::encode(crypto::hmac_sha256(mac_key, json));
    if mac.strip_suffix(b"\n") != Some(expected.as_bytes()) {
        return Err(wrong("its MAC does not match: another node wrote it, or it was changed".into()));
    }
    serde_json::from_slice(json).map_err(|why| wrong(why.to_string()))
}
