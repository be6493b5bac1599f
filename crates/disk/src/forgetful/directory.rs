use std::collections::BTreeMap;

use super::random::Random;
use super::state::{DirId, FileId};

#[derive(Clone, Copy)]
pub(super) enum Node {
    File(FileId),
    Dir(DirId),
}

#[derive(Clone)]
pub(super) enum Change {
    Put(String, Node),
    Remove(String),
    /// A directory names the file itself, so what survives of a rename cannot come to name another file that had the
    /// old name before.
    Rename(String, String, Node),
}

type Names = BTreeMap<String, Node>;

/// The names in one directory: as they are durable, and as the running system sees them.
#[derive(Clone, Default)]
pub(super) struct Directory {
    synced: Names,
    pending: Vec<Change>,
    now: Names,
}

impl Directory {
    pub(super) fn now(&self) -> &Names {
        &self.now
    }

    pub(super) fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            apply(&mut self.synced, &change);
        }
    }

    /// A sync that failed: the running system goes on seeing the changes, but they will never be written.
    pub(super) fn lose_pending(&mut self) {
        self.pending.clear();
    }

    /// No change survives, or the first so many do, or any of them (a rename is atomic in itself).
    pub(super) fn after_power_loss(mut self, random: &mut Random) -> Self {
        let survives = match random.below(3) {
            0 => 0,
            1 => random.below(self.pending.len() + 1),
            _ => usize::MAX,
        };
        for (number, change) in self.pending.drain(..).enumerate() {
            if number < survives && (survives != usize::MAX || random.coin()) {
                apply(&mut self.synced, &change);
            }
        }
        Self { now: self.synced.clone(), ..self }
    }
}

fn apply(names: &mut Names, change: &Change) {
    match change {
        Change::Put(name, node) => {
            names.insert(name.clone(), *node);
        }
        Change::Remove(name) => {
            names.remove(name);
        }
        Change::Rename(from, to, node) => {
            names.remove(from);
            names.insert(to.clone(), *node);
        }
    }
}
