use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use crypto::AesKey;
use disk::{Disk, DiskError};

use super::Place;
use crate::{ReplicationError, history::Part};

/// The version of the files.
const VERSION: u8 = 1;

/// The index files, one for each complete chunk: `<first seqno>-<last seqno>`.
///
/// A file is a version byte, then tag, nonce and ciphertext of AES-256-GCM under a key of this node, with version and both
/// seqnos as additional data.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    key: AesKey,
    /// Files that are there, and are no worse than those that would be written.
    there: BTreeSet<String>,
}

impl Files {
    /// Looks at what is there. If that cannot be seen, nothing is.
    pub(super) fn new(place: &Place) -> Result<Self, ReplicationError> {
        let key = AesKey::from_bytes(crypto::hmac_sha256(&place.mac_key, b"cgs: key of the index files"));
        let key = key.map_err(|why| ReplicationError::ledger(place.directory.display(), 0, why))?;
        let there = place.disk.list(&place.directory).unwrap_or_default().into_iter().collect();
        Ok(Self { disk: place.disk.clone(), directory: place.directory.clone(), key, there })
    }

    /// Whether there is a file of this name, good or bad.
    pub(super) fn has(&self, start: u64, last: u64) -> bool {
        self.there.contains(&name(start, last))
    }

    /// What is known of a chunk; `None` if the file is not there or not what this node wrote.
    pub(super) fn read(&self, start: u64, last: u64) -> Option<Part> {
        let name = name(start, last);
        if !self.there.contains(&name) {
            return None;
        }
        let bytes = self.disk.read(&self.directory.join(&name)).ok()?;
        let part = self.open(start, last, &bytes);
        if part.is_none() {
            tracing::warn!(file = %name, "an index file is torn or was changed, and is made again from its chunk");
        }
        part
    }

    fn open(&self, start: u64, last: u64, bytes: &[u8]) -> Option<Part> {
        let blob = bytes.strip_prefix(&[VERSION])?;
        let plain = self.key.open_blob(&bound(start, last), blob).ok()?;
        Part::from_bytes(start, &plain).filter(|part| part.last() == last)
    }

    /// Writes the file of a chunk, in place of one that may be there. What goes wrong is logged: the file can be made later.
    pub(super) fn write(&mut self, part: &Part) {
        let name = name(part.start(), part.last());
        match self.try_write(&name, part) {
            Ok(()) => drop(self.there.insert(name)),
            Err(why) => tracing::warn!(file = %name, error = %why, "an index file cannot be written"),
        }
    }

    fn try_write(&self, name: &str, part: &Part) -> Result<(), ReplicationError> {
        let failed = |why| ReplicationError::ledger(name, part.start(), why);
        let (iv, bound) = (crypto::random_bytes().map_err(failed)?, bound(part.start(), part.last()));
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.key.seal_blob(iv, &bound, &part.to_bytes()).map_err(failed)?);
        Ok(self.replace(name, &bytes)?)
    }

    /// Not synced: a file that a power loss tears is made again.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        if !self.disk.exists(&self.directory)? {
            self.disk.create_dir(&self.directory)?;
        }
        let temporary = self.directory.join(format!("{name}.tmp"));
        if self.disk.exists(&temporary)? {
            self.disk.remove(&temporary)?;
        }
        let written = self.disk.create_new(&temporary).and_then(|mut file| file.append(bytes));
        let renamed = written.and_then(|_| self.disk.rename(&temporary, &self.directory.join(name)));
        if renamed.is_err() {
            // What went wrong is more interesting than whether this does too.
            let _ = self.disk.remove(&temporary);
        }
        renamed
    }
}

fn name(start: u64, last: u64) -> String {
    format!("{start}-{last}")
}

/// What a file is bound to.
fn bound(start: u64, last: u64) -> Vec<u8> {
    [&[VERSION][..], &start.to_le_bytes(), &last.to_le_bytes()].concat()
}
