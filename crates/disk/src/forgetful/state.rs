use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use super::content::Content;
use super::directory::{Change, Directory, Node};
use super::faults::{Faults, SyncOutcome};
use super::random::Random;
use crate::{DiskError, Result};

pub(super) type FileId = u64;
pub(super) type DirId = u64;

const ROOT: DirId = 0;

/// Everything on a forgetful disk.
pub(super) struct State {
    files: BTreeMap<FileId, Content>,
    dirs: BTreeMap<DirId, Directory>,
    locks: BTreeSet<PathBuf>,
    next_id: u64,
    pub(super) faults: Faults,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            dirs: BTreeMap::from([(ROOT, Directory::default())]),
            locks: BTreeSet::new(),
            next_id: ROOT + 1,
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
        self.faults.repair();
        self.unlock_all();
        self.files = self.files.into_iter().map(|(id, file)| (id, file.after_power_loss(random))).collect();
        self.dirs = self.dirs.into_iter().map(|(id, dir)| (id, dir.after_power_loss(random))).collect();
        self
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
        self.faults.operation(path)?;
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
        self.faults.operation(from)?;
        let change = Change::Rename(name(from)?, name(to)?, node);
        self.parent(from)?.change(change);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Result<()> {
        self.find(path)?;
        self.faults.operation(path)?;
        let change = Change::Remove(name(path)?);
        self.parent(path)?.change(change);
        Ok(())
    }

    pub(super) fn content(&mut self, id: FileId, path: &Path) -> Result<&mut Content> {
        self.faults.alive(path)?;
        self.files.get_mut(&id).ok_or_else(|| DiskError::NotFound { path: path.to_owned() })
    }

    pub(super) fn sync_file(&mut self, id: FileId, path: &Path, what: &'static str) -> Result<()> {
        let outcome = self.faults.sync(path, what)?;
        let content = self.content(id, path)?;
        match outcome {
            SyncOutcome::Work => content.sync(),
            SyncOutcome::Ignore => {}
            SyncOutcome::Fail => {
                content.lose_pending();
                return Err(sync_failed(path, what));
            }
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path, what: &'static str) -> Result<()> {
        let outcome = self.faults.sync(path, what)?;
        let dir = self.dir(path)?;
        match outcome {
            SyncOutcome::Work => dir.sync(),
            SyncOutcome::Ignore => {}
            SyncOutcome::Fail => {
                dir.lose_pending();
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

    pub(super) fn unlock_all(&mut self) {
        self.locks.clear();
    }

    fn parent(&mut self, path: &Path) -> Result<&mut Directory> {
        self.dir(crate::parent(path))
    }

    fn dir(&mut self, path: &Path) -> Result<&mut Directory> {
        let id = match self.resolve(path)? {
            Some(Node::Dir(id)) => id,
            Some(Node::File(_)) => return Err(DiskError::io("use", path, io::ErrorKind::NotADirectory.into())),
            None => return Err(DiskError::NotFound { path: path.to_owned() }),
        };
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
