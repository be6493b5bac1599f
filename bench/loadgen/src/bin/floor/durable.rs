//! Group commit: many requests, one append, one fdatasync.

use axum::body::Bytes;
use rustix::fs::{fallocate, FallocateFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::{Builder, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// The file is allocated in steps of this many bytes, so that an append as a
/// rule changes no length and costs the file system no journal entry for it.
const STEP: u64 = 256 * 1024 * 1024;
/// Requests that may wait for the writer, and the most that one commit takes.
const QUEUE: usize = 1024;

/// The way to the writer thread. The thread ends when the last clone is gone.
#[derive(Clone)]
pub struct Log {
    queue: mpsc::Sender<Entry>,
}

struct Entry {
    body: Bytes,
    synced: oneshot::Sender<()>,
}

impl Log {
    /// Makes the file, which must not exist yet, and starts the writer thread.
    ///
    /// After a failed write or sync nothing can be promised any more: the
    /// thread says why and ends the process.
    pub fn create(path: &Path) -> Result<(Log, JoinHandle<()>), String> {
        let name = path.display().to_string();
        let mut writer = Writer::create(path, STEP).map_err(|e| format!("{name}: {e}"))?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let thread = Builder::new()
            .name("writer".into())
            .spawn(move || {
                if let Err(error) = writer.run(waiting) {
                    eprintln!("floor: {name}: {error}");
                    std::process::exit(1);
                }
            })
            .map_err(|e| format!("cannot start the writer thread: {e}"))?;
        Ok((Log { queue }, thread))
    }

    /// True once the body is in the file and synced; false if it never will be.
    pub async fn append(&self, body: Bytes) -> bool {
        let (synced, done) = oneshot::channel();
        self.queue.send(Entry { body, synced }).await.is_ok() && done.await.is_ok()
    }
}

struct Writer {
    file: File,
    /// Where the next body goes.
    end: u64,
    /// Length of the file; from `end` on it reads as zeros.
    allocated: u64,
    step: u64,
    /// The bodies of one commit; kept for its capacity.
    batch: Vec<u8>,
}

impl Writer {
    fn create(path: &Path, step: u64) -> io::Result<Writer> {
        let mut writer = Writer { file: File::create_new(path)?, end: 0, allocated: 0, step, batch: Vec::new() };
        match writer.reserve(1) {
            Ok(()) => Ok(writer),
            Err(error) => {
                std::fs::remove_file(path)?;
                Err(error)
            }
        }
    }

    fn run(&mut self, mut queue: mpsc::Receiver<Entry>) -> io::Result<()> {
        let mut waiting = Vec::with_capacity(QUEUE);
        while queue.blocking_recv_many(&mut waiting, QUEUE) > 0 {
            self.commit(waiting.iter().map(|entry| &entry.body))?;
            for entry in waiting.drain(..) {
                // A client that has gone away does not need the answer.
                let _ = entry.synced.send(());
            }
        }
        self.finish()
    }

    fn commit<'a>(&mut self, bodies: impl Iterator<Item = &'a Bytes>) -> io::Result<()> {
        self.batch.clear();
        for body in bodies {
            self.batch.extend_from_slice(body);
        }
        let end = self.end + self.batch.len() as u64;
        self.reserve(end)?;
        self.file.write_all_at(&self.batch, self.end)?;
        self.file.sync_data()?;
        self.end = end;
        Ok(())
    }

    /// Makes the file at least `length` long, in whole steps.
    fn reserve(&mut self, length: u64) -> io::Result<()> {
        if length > self.allocated {
            let missing = (length - self.allocated).next_multiple_of(self.step);
            fallocate(&self.file, FallocateFlags::empty(), self.allocated, missing)?;
            self.file.sync_all()?;
            self.allocated += missing;
        }
        Ok(())
    }

    /// Cuts the file to what was written.
    fn finish(&self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_in_steps_and_keeps_the_order() {
        let path = std::env::temp_dir().join(format!("floor-test-{}", std::process::id()));
        let mut writer = Writer::create(&path, 4096).unwrap();
        let bodies: Vec<Bytes> = (0..5u8).map(|n| vec![b'a' + n; 1000].into()).collect();
        writer.commit(bodies[..4].iter()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 4096);
        writer.commit(bodies[4..].iter()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 8192);
        writer.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bodies.concat());
        assert!(Writer::create(&path, 4096).is_err(), "the file exists");
        std::fs::remove_file(&path).unwrap();
    }
}
