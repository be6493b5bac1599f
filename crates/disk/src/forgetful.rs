//! A disk in memory that forgets what was not synced, by number.

mod content;
mod directory;
mod faults;
mod random;
mod state;

pub use faults::DiskFault;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Disk, DiskError, DiskFile, Lock, Result, parent};
use random::Random;
use state::{FileId, State};

/// A disk in memory for tests of what survives a power loss. A clone is the same disk.
///
/// It keeps apart what is durable and what only the running system sees: unsynced writes of each file, unsynced names
/// of each directory. [`ForgetfulDisk::crash`] then loses the unsynced part, or (by seed) lets some of it survive: whole
/// writes, the beginning of a write, single sectors of it in any order, some of the names.
///
/// Everything is a function of the calls and the seeds.
#[derive(Clone)]
pub struct ForgetfulDisk {
    state: Arc<Mutex<State>>,
}

impl Default for ForgetfulDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl ForgetfulDisk {
    /// An empty disk with the directory `/`.
    #[must_use]
    pub fn new() -> Self {
        Self::with(State::new())
    }

    /// The power fails. Returns the disk as the next start finds it; this one fails every call from now on.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        Self::with(self.take().after_power_loss(&mut Random::new(seed)))
    }

    /// The process is killed and started again while the machine runs on: nothing is lost, but nothing becomes durable
    /// by that either. This disk fails every call from now on; use the one returned.
    #[must_use]
    pub fn restart(&self) -> Self {
        let mut state = self.take();
        state.repair();
        Self::with(state)
    }

    /// Another disk with the same on it, durable and not: as a host could make one. This one goes on.
    #[must_use]
    pub fn copy(&self) -> Self {
        let mut state = self.state().clone();
        state.repair();
        Self::with(state)
    }

    /// Lets `operations` more changes (writes, creations, renames, removals, syncs) succeed and then fails every call.
    pub fn fail_after(&self, operations: u64) {
        self.state().faults.fail_after(operations);
    }

    /// Lets the sync after the next `syncs` fail with an input/output error. As on Linux, what it should have made
    /// durable is lost even if a later sync succeeds; and if it was that of a directory, nothing can be changed any more
    /// until the machine starts again ([`ForgetfulDisk::crash`]), as with a journal that was aborted.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.state().faults.fail_sync_after(syncs);
    }

    /// Lets the change after the next `operations` (as counted by [`ForgetfulDisk::fail_after`]) end with an error.
    pub fn fail_operation(&self, operations: u64, fault: DiskFault) {
        self.state().faults.fail_operation(operations, fault);
    }

    /// Lets the reading after the next `reads` end with an input/output error, once.
    pub fn fail_read_after(&self, reads: u64) {
        self.state().faults.fail_read_after(reads);
    }

    /// Whether nothing can be changed any more, since the sync of a directory has failed.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.state().faults.is_read_only()
    }

    /// There is space again after [`DiskFault::NoSpace`].
    pub fn free_space(&self) {
        self.state().faults.free_space();
    }

    /// Errors so far that were ordered, since the disk was made, crashed, copied or restarted: as in
    /// [`ForgetfulDisk::trace`].
    #[must_use]
    pub fn failures(&self) -> Vec<(&'static str, PathBuf)> {
        self.state().faults.failures().to_vec()
    }

    /// The changes that [`ForgetfulDisk::operations`] counts: what was done (the `what` of a sync), and to what.
    #[must_use]
    pub fn trace(&self) -> Vec<(&'static str, PathBuf)> {
        self.state().faults.trace().to_vec()
    }

    /// Makes every sync with this `what` take effect only when so many more operations were done, and report success at
    /// once: as if the code did other things first. With 1, a rename that follows comes before it.
    pub fn delay_syncs(&self, what: &'static str, operations: u64) {
        self.state().faults.delay_syncs(what, operations);
    }

    /// Makes every sync with this `what` do nothing and report success: as if the code left it out.
    pub fn ignore_syncs(&self, what: &'static str) {
        self.state().faults.ignore_syncs(what);
    }

    /// Every `what` of a sync so far, also before crashes.
    #[must_use]
    pub fn syncs_seen(&self) -> BTreeSet<&'static str> {
        self.state().faults.syncs_seen().clone()
    }

    /// Changes so far (as counted by [`ForgetfulDisk::fail_after`]) since the disk was made, crashed or restarted.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.state().faults.operations()
    }

    fn with(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn take(&self) -> State {
        let mut state = self.state();
        let dead = State::dead(&state.faults);
        std::mem::replace(&mut *state, dead)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, path: &Path, id: FileId, writable: bool) -> Box<dyn DiskFile> {
        Box::new(ForgetfulFile { disk: self.clone(), path: path.to_owned(), id, writable, poisoned: false })
    }
}

impl Disk for ForgetfulDisk {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let id = self.state().create(path)?;
        Ok(self.file(path, id, true))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let id = self.state().find(path)?;
        Ok(self.file(path, id, true))
    }

    fn open_read(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let id = self.state().find(path)?;
        Ok(self.file(path, id, false))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let mut state = self.state();
        let id = state.find(path)?;
        state.faults.read(path)?;
        Ok(state.content(id, path)?.now().to_vec())
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        self.state().exists(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.state().list(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        if parent(from) != parent(to) {
            return Err(DiskError::AcrossDirectories { from: from.to_owned(), to: to.to_owned() });
        }
        self.state().rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.state().remove(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.state().create_dir(path)
    }

    fn sync_dir(&self, dir: &Path, what: &'static str) -> Result<()> {
        self.state().sync_dir(dir, what)
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        self.state().lock(path)?;
        Ok(Lock { _held: Box::new(HeldLock { disk: self.clone(), path: path.to_owned() }) })
    }
}

struct HeldLock {
    disk: ForgetfulDisk,
    path: PathBuf,
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.disk.state().unlock(&self.path);
    }
}

struct ForgetfulFile {
    disk: ForgetfulDisk,
    path: PathBuf,
    id: FileId,
    writable: bool,
    poisoned: bool,
}

impl ForgetfulFile {
    fn check_writable(&self) -> Result<()> {
        if self.poisoned {
            return Err(DiskError::Poisoned { path: self.path.clone() });
        }
        if !self.writable {
            let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Err(DiskError::io("write to", &self.path, source));
        }
        Ok(())
    }

    fn sync(&mut self, what: &'static str) -> Result<()> {
        self.check_writable()?;
        let result = self.disk.state().sync_file(self.id, &self.path, what);
        self.poisoned = result.is_err();
        result
    }
}

impl DiskFile for ForgetfulFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check_writable()?;
        self.disk.state().write(self.id, &self.path, offset, bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut state = self.disk.state();
        state.faults.read(&self.path)?;
        state.content(self.id, &self.path)?.read(offset, buffer).map_err(|e| DiskError::io("read", &self.path, e))
    }

    fn len(&self) -> Result<u64> {
        Ok(self.disk.state().content(self.id, &self.path)?.now().len() as u64)
    }

    fn set_len(&mut self, len: u64) -> Result<()> {
        self.check_writable()?;
        self.disk.state().set_len(self.id, &self.path, len)
    }

    fn sync_data(&mut self, what: &'static str) -> Result<()> {
        self.sync(what)
    }

    fn sync_all(&mut self, what: &'static str) -> Result<()> {
        self.sync(what)
    }
}

#[cfg(test)]
mod tests;
