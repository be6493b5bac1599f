use std::{
    io,
    path::{Path, PathBuf},
};

use disk::{Disk, DiskError, DiskFile};
use ledger::snapshot::SnapshotName;

use super::Queue;

/// In front of the names of files that are not complete.
const UNFINISHED: &str = "unfinished_";
/// Bytes that are written before they are synced: what the disk has to do at once, while batches wait for it too.
const SYNC_EVERY: u64 = 16 << 20;
/// Why bytes are synced.
const CONTENT: &str = "content of a snapshot";

/// A snapshot file that has no proper name yet.
pub(super) struct Unfinished<'a> {
    disk: &'a dyn Disk,
    directory: &'a Path,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    written: u64,
    synced: u64,
    queue: &'a Queue,
}

impl<'a> Unfinished<'a> {
    /// Begins a file. Writing to it fails once `queue` is closed.
    pub(super) fn create(
        disk: &'a dyn Disk,
        directory: &'a Path,
        seqno: u64,
        queue: &'a Queue,
    ) -> Result<Self, DiskError> {
        let path = directory.join(format!("{UNFINISHED}{seqno}"));
        if disk.exists(&path)? {
            disk.remove(&path)?;
        }
        let file = disk.create_new(&path)?;
        Ok(Self { disk, directory, path, file, written: 0, synced: 0, queue })
    }

    /// Puts the receipt behind what was written, and gives the file its name. When this returns, it is durable.
    pub(super) fn finish(mut self, name: SnapshotName, receipt: &[u8]) -> Result<u64, DiskError> {
        self.file.write_at(self.written, receipt)?;
        self.file.sync_all(CONTENT)?;
        self.disk.rename(&self.path, &self.directory.join(name.to_string()))?;
        self.disk.sync_dir(self.directory, "name of a snapshot")?;
        Ok(self.written + receipt.len() as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_at(self.written, bytes)?;
        self.written += bytes.len() as u64;
        if self.written - self.synced >= SYNC_EVERY {
            self.file.sync_data(CONTENT)?;
            self.synced = self.written;
        }
        Ok(())
    }
}

impl io::Write for Unfinished<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.queue.is_closed() {
            return Err(io::Error::other("the node stops"));
        }
        self.append(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes what was not completed, by an earlier process or just now.
pub(crate) fn remove_unfinished(disk: &dyn Disk, directory: &Path) -> Result<(), DiskError> {
    for name in disk.list(directory)?.iter().filter(|name| name.starts_with(UNFINISHED)) {
        disk.remove(&directory.join(name))?;
    }
    Ok(())
}
