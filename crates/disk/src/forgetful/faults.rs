use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::{DiskError, Result};

/// An error that a test orders, see [`ForgetfulDisk::fail_operation`](super::ForgetfulDisk::fail_operation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskFault {
    /// An input/output error, once: nothing is done. What a sync should have made durable is lost for good.
    InputOutput,
    /// A write writes the first half of its bytes, then fails; anything else as [`Self::InputOutput`].
    ShortWrite,
    /// From here on there is no space: whatever needs some fails until
    /// [`ForgetfulDisk::free_space`](super::ForgetfulDisk::free_space).
    NoSpace,
}

/// What a sync shall do.
pub(super) enum SyncOutcome {
    Work,
    Ignore,
    /// Take effect when so many operations were done.
    Late(u64),
    Fail,
}

/// What a write shall do.
pub(super) enum WriteOutcome {
    Work,
    Half,
}

/// A change, as it is counted.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) action: &'static str,
    /// Whether it takes space.
    pub(super) grows: bool,
}

impl Change {
    pub(super) const CREATE: Self = Self { action: "create", grows: true };
    pub(super) const RENAME: Self = Self { action: "rename", grows: false };
    pub(super) const REMOVE: Self = Self { action: "remove", grows: false };
}

/// The faults a test has ordered, and counts to place them by.
#[derive(Clone, Default)]
pub(super) struct Faults {
    operations: u64,
    operations_left: Option<u64>,
    syncs_left: Option<u64>,
    reads_left: Option<u64>,
    error: Option<(u64, DiskFault)>,
    full: bool,
    read_only: bool,
    failures: Vec<(&'static str, PathBuf)>,
    dead: bool,
    ignored: BTreeSet<&'static str>,
    late: BTreeMap<&'static str, u64>,
    seen: BTreeSet<&'static str>,
    trace: Vec<(&'static str, PathBuf)>,
}

impl Faults {
    pub(super) fn fail_after(&mut self, operations: u64) {
        self.operations_left = Some(operations);
    }

    pub(super) fn fail_sync_after(&mut self, syncs: u64) {
        self.syncs_left = Some(syncs);
    }

    pub(super) fn fail_operation(&mut self, after: u64, fault: DiskFault) {
        self.error = Some((after, fault));
    }

    pub(super) fn fail_read_after(&mut self, reads: u64) {
        self.reads_left = Some(reads);
    }

    pub(super) fn free_space(&mut self) {
        self.full = false;
    }

    pub(super) fn ignore_syncs(&mut self, what: &'static str) {
        self.ignored.insert(what);
    }

    pub(super) fn delay_syncs(&mut self, what: &'static str, operations: u64) {
        self.late.insert(what, operations);
    }

    pub(super) fn syncs_seen(&self) -> &BTreeSet<&'static str> {
        &self.seen
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn failures(&self) -> &[(&'static str, PathBuf)] {
        &self.failures
    }

    pub(super) fn trace(&self) -> &[(&'static str, PathBuf)] {
        &self.trace
    }

    /// A process that started again: ordered failures are over, syncs that are not done stay so, and so do a lack of
    /// space and a file system that takes no changes.
    pub(super) fn repair(&mut self) {
        let (ignored, late) = (std::mem::take(&mut self.ignored), std::mem::take(&mut self.late));
        let (seen, full, read_only) = (std::mem::take(&mut self.seen), self.full, self.read_only);
        *self = Self { ignored, late, seen, full, read_only, ..Self::default() };
    }

    /// A directory could not be synced: a file system with a journal takes no more changes then, until the machine is
    /// started again.
    pub(super) fn set_read_only(&mut self) {
        self.read_only = true;
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The machine was started again.
    pub(super) fn remount(&mut self) {
        self.read_only = false;
    }

    pub(super) fn die(&mut self) {
        self.dead = true;
    }

    /// Fails if the disk has died.
    pub(super) fn alive(&self, path: &Path) -> Result<()> {
        if self.dead { Err(DiskError::io("reach", path, io::Error::other("the disk has crashed"))) } else { Ok(()) }
    }

    /// Counts a reading, and fails if that was ordered.
    pub(super) fn read(&mut self, path: &Path) -> Result<()> {
        self.alive(path)?;
        if self.reads_left == Some(0) {
            self.reads_left = None;
            return Err(self.failed("read", path));
        }
        self.reads_left = self.reads_left.map(|left| left.saturating_sub(1));
        Ok(())
    }

    /// Counts a change, and fails if it is one too many or an error was ordered for it.
    pub(super) fn operation(&mut self, path: &Path, change: Change) -> Result<()> {
        match self.next(path, change)? {
            None => Ok(()),
            Some(_) => Err(self.failed(change.action, path)),
        }
    }

    /// As [`Self::operation`], for one that can be done in part.
    pub(super) fn write(&mut self, path: &Path, grows: bool) -> Result<WriteOutcome> {
        let change = Change { action: "write to", grows };
        match self.next(path, change)? {
            None => Ok(WriteOutcome::Work),
            Some(DiskFault::ShortWrite) => Ok(WriteOutcome::Half),
            Some(_) => Err(self.failed(change.action, path)),
        }
    }

    pub(super) fn sync(&mut self, path: &Path, what: &'static str) -> Result<SyncOutcome> {
        let ordered = self.next(path, Change { action: what, grows: false })?;
        self.seen.insert(what);
        if ordered.is_some() || self.syncs_left == Some(0) {
            self.syncs_left = None;
            self.failures.push((what, path.to_owned()));
            return Ok(SyncOutcome::Fail);
        }
        self.syncs_left = self.syncs_left.map(|left| left.saturating_sub(1));
        Ok(match self.late.get(what) {
            _ if self.ignored.contains(what) => SyncOutcome::Ignore,
            Some(late) => SyncOutcome::Late(self.operations + late),
            None => SyncOutcome::Work,
        })
    }

    pub(super) fn failed(&mut self, action: &'static str, path: &Path) -> DiskError {
        self.failures.push((action, path.to_owned()));
        DiskError::io(action, path, io::Error::other("input/output error (ordered by the test)"))
    }

    /// Counts a change and says which error it shall end with.
    fn next(&mut self, path: &Path, change: Change) -> Result<Option<DiskFault>> {
        if self.operations_left == Some(0) {
            self.dead = true;
        }
        self.alive(path)?;
        self.operations += 1;
        self.operations_left = self.operations_left.map(|left| left.saturating_sub(1));
        self.trace.push((change.action, path.to_owned()));
        let due = self.error.take_if(|(left, _)| *left == 0).map(|(_, fault)| fault);
        if let Some((left, _)) = &mut self.error {
            *left -= 1;
        }
        if self.read_only {
            self.failures.push((change.action, path.to_owned()));
            return Err(DiskError::io(change.action, path, ErrorKind::ReadOnlyFilesystem.into()));
        }
        self.full |= due == Some(DiskFault::NoSpace);
        if self.full && change.grows {
            self.failures.push((change.action, path.to_owned()));
            return Err(DiskError::io(change.action, path, ErrorKind::StorageFull.into()));
        }
        Ok(due.filter(|due| *due != DiskFault::NoSpace))
    }
}
