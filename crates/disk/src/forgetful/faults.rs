use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::{DiskError, Result};

/// What a sync shall do.
pub(super) enum SyncOutcome {
    Work,
    Ignore,
    Fail,
}

/// The faults a test has ordered, and counts to place them by.
#[derive(Clone, Default)]
pub(super) struct Faults {
    operations: u64,
    operations_left: Option<u64>,
    syncs_left: Option<u64>,
    dead: bool,
    ignored: BTreeSet<&'static str>,
    seen: BTreeSet<&'static str>,
}

impl Faults {
    pub(super) fn fail_after(&mut self, operations: u64) {
        self.operations_left = Some(operations);
    }

    pub(super) fn fail_sync_after(&mut self, syncs: u64) {
        self.syncs_left = Some(syncs);
    }

    pub(super) fn ignore_syncs(&mut self, what: &'static str) {
        self.ignored.insert(what);
    }

    pub(super) fn syncs_seen(&self) -> &BTreeSet<&'static str> {
        &self.seen
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    /// A machine that started again: ordered failures are over, ignored syncs stay ignored.
    pub(super) fn repair(&mut self) {
        self.operations = 0;
        self.operations_left = None;
        self.syncs_left = None;
        self.dead = false;
    }

    pub(super) fn die(&mut self) {
        self.dead = true;
    }

    /// Fails if the disk has died.
    pub(super) fn alive(&self, path: &Path) -> Result<()> {
        if self.dead { Err(DiskError::io("reach", path, io::Error::other("the disk has crashed"))) } else { Ok(()) }
    }

    /// Counts a change, and fails if it is one too many.
    pub(super) fn operation(&mut self, path: &Path) -> Result<()> {
        if self.operations_left == Some(0) {
            self.dead = true;
        }
        self.alive(path)?;
        self.operations += 1;
        self.operations_left = self.operations_left.map(|left| left.saturating_sub(1));
        Ok(())
    }

    pub(super) fn sync(&mut self, path: &Path, what: &'static str) -> Result<SyncOutcome> {
        self.operation(path)?;
        self.seen.insert(what);
        if self.syncs_left == Some(0) {
            self.syncs_left = None;
            return Ok(SyncOutcome::Fail);
        }
        self.syncs_left = self.syncs_left.map(|left| left.saturating_sub(1));
        Ok(if self.ignored.contains(what) { SyncOutcome::Ignore } else { SyncOutcome::Work })
    }
}
