//! What is known of complete chunks, kept beside the ledger so that no start has to read them for it.
//!
//! An index file is derived data: it is encrypted and authenticated, and it counts only if all of them together lead to
//! the root at the snapshot that the node has started from. So nothing here is synced, and whatever is missing, torn,
//! changed or of another ledger is made again from the chunk files, which must then lead to that root themselves.

mod chunks;
mod files;
mod indexer;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread::JoinHandle,
};

use disk::Disk;

pub(crate) use indexer::Indexer;

use crate::{Background, ReplicationError, sealer::lock, shared::Shared};

/// Where index files are kept.
pub(crate) struct Place {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) directory: PathBuf,
    /// From which the key of the files is derived.
    pub(crate) mac_key: [u8; 32],
    pub(crate) background: Background,
}

/// Whoever reads and writes the index files.
pub(crate) enum Index {
    /// A thread, and how it is told that there is something to do.
    Thread { wake: Mutex<Option<SyncSender<()>>>, ends: Arc<AtomicBool>, thread: Mutex<Option<JoinHandle<()>>> },
    /// Whoever says that there is something to do.
    Inline(Mutex<Indexer>),
}

impl Index {
    /// Begins with the work.
    pub(crate) fn start(
        indexer: Indexer,
        background: Background,
        shared: &Arc<Shared>,
    ) -> Result<Self, ReplicationError> {
        if background == Background::Inline {
            return Ok(Self::Inline(Mutex::new(indexer)));
        }
        // One word is enough: the indexer looks itself what there is to do.
        let (wake, woken) = mpsc::sync_channel(1);
        let ends = Arc::new(AtomicBool::new(false));
        let (shared, told, mut indexer) = (shared.clone(), ends.clone(), indexer);
        let work = move || {
            let go_on = || !told.load(Ordering::Relaxed);
            indexer.work(&shared, &go_on);
            while woken.recv().is_ok() {
                indexer.work(&shared, &go_on);
            }
        };
        let thread = std::thread::Builder::new().name("index".into()).spawn(work);
        let thread = Mutex::new(Some(thread.map_err(ReplicationError::Thread)?));
        Ok(Self::Thread { wake: Mutex::new(Some(wake)), ends, thread })
    }

    /// A chunk is complete, or the work is to begin.
    pub(crate) fn wake(&self, shared: &Shared) {
        match self {
            Self::Inline(indexer) => lock(indexer).work(shared, &|| true),
            // If it was told before, it will look.
            Self::Thread { wake, .. } => drop(lock(wake).as_ref().map(|wake| wake.try_send(()))),
        }
    }

    /// Ends the work, at the latest behind the chunk that it is at.
    pub(crate) fn end(&self) {
        let Self::Thread { wake, ends, thread } = self else { return };
        ends.store(true, Ordering::Relaxed);
        lock(wake).take();
        // A panic there was reported where it happened.
        let _ = lock(thread).take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests;
