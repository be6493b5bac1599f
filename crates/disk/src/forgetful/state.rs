use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::content::Content;
use super::directory::{Change, Directory, Node};
use super::faults::{self, Faults, SyncOutcome, WriteOutcome};
use super::random::Random;
use crate::{DiskError, Result};

pub(super) type FileId = u64;
pub(super) type DirId = u64;

const ROOT: DirId = 0;

/// Everything on a forgetful disk.
#[derive(Clone)]
pub(super) struct State {
    files: BTreeMap<FileId, Content>,
    dirs: BTreeMap<DirId, Directory>,
    locks: BTreeSet<PathBuf>,
    next_id: u64,
    /// Syncs that take effect when so many operations were done.
    late: Vec<(u64, Node)>,
    pub(super) faults: Faults,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            dirs: BTreeMap::from([(ROOT, Directory::default())]),
            locks: BTreeSet::new(),
            next_id: ROOT + 1,
            late: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// What remains behind the handles of a machine that crashed.
    pub(super) fn dead(faults: &Faults) -> Self {
        let mut faults = faults.clone();
        faults.die();
        Self { faults, ..Self::new() }
    }

    pub(super) fn after_power_loss(mut self, random: &mut Random) -> Self {
        self.catch_up();
        self.repair();
        self.faults.remount();
        self.files = self.files.into_iter().map(|(id, file)| (id, file.after_power_loss(random))).collect();
        self.dirs = self.dirs.into_iter().map(|(id, dir)| (id, dir.after_power_loss(random))).collect();
        self
    }

    /// Ordered failures and locks are over; a sync that is late stays away.
    pub(super) fn repair(&mut self) {
        self.late.clear();
        self.faults.repair();
        self.locks.clear();
    }

    /// What late syncs have made durable by now.
    fn catch_up(&mut self) {
        let done = self.faults.operations();
        for (_, node) in self.late.extract_if(.., |(due, _)| *due < done) {
            match node {
                Node::File(id) => self.files.get_mut(&id).into_iter().for_each(Content::sync),
                Node::Dir(id) => self.dirs.get_mut(&id).into_iter().for_each(Directory::sync),
            }
        }
    }

    fn operation(&mut self, path: &Path, change: faults::Change) -> Result<()> {
        self.faults.operation(path, change)?;
        self.catch_up();
        Ok(())
    }

    pub(super) fn create(&mut self, path: &Path) -> Result<FileId> {
        let id = self.next_id;
        self.put_new(path, Node::File(id))?;
        self.files.insert(id, Content::default());
        Ok(id)
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> Result<()> {
        let id = self.next_id;
        self.put_new(path, Node::Dir(id))?;
        self.dirs.insert(id, Directory::default());
        Ok(())
    }

    fn put_new(&mut self, path: &Path, node: Node) -> Result<()> {
        if self.exists(path)? {
            return Err(DiskError::Exists { path: path.to_owned() });
        }
        self.operation(path, faults::Change::CREATE)?;
        let name = name(path)?;
        self.parent(path)?.change(Change::Put(name, node));
        self.next_id += 1;
        Ok(())
    }

    pub(super) fn find(&self, path: &Path) -> Result<FileId> {
        match self.resolve(path)? {
            Some(Node::File(id)) => Ok(id),
            Some(Node::Dir(_)) => Err(DiskError::io("open", path, io::ErrorKind::IsADirectory.into())),
            None => Err(DiskError::NotFound { path: path.to_owned() }),
        }
    }

    pub(super) fn exists(&self, path: &Path) -> Result<bool> {
        Ok(self.resolve(path)?.is_some())
    }

    pub(super) fn list(&mut self, path: &Path) -> Result<Vec<String>> {
        Ok(self.dir(path)?.now().keys().cloned().collect())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let node = Node::File(self.find(from)?);
        self.operation(from, faults::Change::RENAME)?;
        let change = Change::Rename(name(from)?, name(to)?, node);
        self.parent(from)?.change(change);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<()> {
        self.find(path)?;
        self.operation(path, faults::Change::REMOVE)?;
        let change = Change::Remove(name(path)?);
        self.parent(path)?.change(change);
        Ok(())
    }

    pub(super) fn content(&mut self, id: FileId, path: &Path) -> Result<&mut Content> {
        self.faults.alive(path)?;
        self.files.get_mut(&id).ok_or_else(|| DiskError::NotFound { path: path.to_owned() })
    }

    pub(super) fn write(&mut self, id: FileId, path: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let grows = offset.saturating_add(bytes.len() as u64) > self.content(id, path)?.now().len() as u64;
        let outcome = self.faults.write(path, grows)?;
        self.catch_up();
        let content = self.content(id, path)?;
        match outcome {
            WriteOutcome::Work => content.write(offset, bytes),
            WriteOutcome::Half => {
                content.write(offset, bytes.get(..bytes.len() / 2).unwrap_or_default());
                return Err(self.faults.failed("write to", path));
            }
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, id: FileId, path: &Path, len: u64) -> Result<()> {
        let grows = len > self.content(id, path)?.now().len() as u64;
        self.operation(path, faults::Change { action: "resize", grows })?;
        self.content(id, path)?.set_len(len);
        Ok(())
    }

    pub(super) fn sync_file(&mut self, id: FileId, path: &Path, what: &'static str) -> Result<()> {
        let outcome = self.faults.sync(path, what)?;
        self.catch_up();
        let content = self.content(id, path)?;
        match outcome {
            SyncOutcome::Work => content.sync(),
            SyncOutcome::Ignore => {}
            SyncOutcome::Late(due) => self.late.push((due, Node::File(id))),
            SyncOutcome::Fail => {
                content.lose_pending();
                return Err(sync_failed(path, what));
            }
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path, what: &'static str) -> Result<()> {
        let outcome = self.faults.sync(path, what)?;
        self.catch_up();
        let id = self.dir_id(path)?;
        let dir = self.dir(path)?;
        match outcome {
            SyncOutcome::Work => dir.sync(),
            SyncOutcome::Ignore => {}
            SyncOutcome::Late(due) => self.late.push((due, Node::Dir(id))),
            SyncOutcome::Fail => {
                dir.lose_pending();
                self.faults.set_read_only();
                return Err(sync_failed(path, what));
            }
        }
        Ok(())
    }

    pub(super) fn lock(&mut self, path: &Path) -> Result<()> {
        if !self.exists(path)? {
            self.create(path)?;
        }
        if self.locks.insert(path.to_owned()) { Ok(()) } else { Err(DiskError::Locked { path: path.to_owned() }) }
    }

    pub(super) fn unlock(&mut self, path: &Path) {
        self.locks.remove(path);
    }

    fn parent(&mut self, path: &Path) -> Result<&mut Directory> {
        self.dir(crate::parent(path))
    }

    fn dir_id(&self, path: &Path) -> Result<DirId> {
        match self.resolve(path)? {
            Some(Node::Dir(id)) => Ok(id),
            Some(Node::File(_)) => Err(DiskError::io("use", path, io::ErrorKind::NotADirectory.into())),
            None => Err(DiskError::NotFound { path: path.to_owned() }),
        }
    }

    fn dir(&mut self, path: &Path) -> Result<&mut Directory> {
        let id = self.dir_id(path)?;
        self.dirs.get_mut(&id).ok_or_else(|| DiskError::NotFound { path: path.to_owned() })
    }

    fn resolve(&self, path: &Path) -> Result<Option<Node>> {
        self.faults.alive(path)?;
        let mut node = Node::Dir(ROOT);
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Node::Dir(id) = node else { return Ok(None) };
            let found = self.dirs.get(&id).and_then(|dir| dir.now().get(name.to_string_lossy().as_ref()));
            let Some(found) = found else { return Ok(None) };
            node = *found;
        }
        Ok(Some(node))
    }
}

fn name(path: &Path) -> Result<String> {
    let name = path.file_name().ok_or_else(|| DiskError::io("name", path, io::ErrorKind::InvalidFilename.into()))?;
    Ok(name.to_string_lossy().into_owned())
}

fn sync_failed(path: &Path, what: &'static str) -> DiskError {
    let source = io::Error::other("input/output error (ordered by the test)");
    DiskError::SyncFailed { path: path.to_owned(), what, source }
}
