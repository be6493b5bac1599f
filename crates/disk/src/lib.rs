//! What the node asks of a file system, on a real one or on one that forgets what was not synced.
//!
//! Whatever must survive a power loss goes through [`Disk`], so that the same code runs on [`RealDisk`] in production
//! and on [`ForgetfulDisk`] in tests, where every crash that the rules allow can be had by number.
//!
//! The rules, which are those of POSIX and no more:
//!
//! - The content of a file is durable after [`DiskFile::sync_data`] or [`DiskFile::sync_all`]. Before that, any part of
//!   any write may or may not survive, in any order.
//! - The name of a file (created, renamed, removed) is durable after [`Disk::sync_dir`] of its directory; syncing the
//!   file says nothing about its name.
//! - **After a failed sync nothing is known.** The kernel may have dropped the pages and report success next time. The
//!   handle is poisoned: it refuses all further writes and syncs, and the process that holds it must stop and read
//!   back what the disk really has.
//!
//! Every sync says what it is for (`what`). Operators read it in the error, and tests use it to leave that one out.

mod error;
mod forgetful;
mod real;

use std::path::Path;

pub use error::DiskError;
pub use forgetful::{DiskFault, ForgetfulDisk};
pub use real::RealDisk;

/// The result of everything that can fail here.
pub type Result<T> = std::result::Result<T, DiskError>;

/// A file system, as far as a node needs one. Files are made with mode 0600, directories with 0700.
pub trait Disk: Send + Sync + 'static {
    /// Makes a new empty file. Its name is durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`DiskError::Exists`] if the name is taken; [`DiskError::Io`].
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; [`DiskError::Io`].
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>>;

    /// Opens an existing file for reading; writes to it fail.
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; [`DiskError::Io`].
    fn open_read(&self, path: &Path) -> Result<Box<dyn DiskFile>>;

    /// The whole content of a file.
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; [`DiskError::Io`].
    fn read(&self, path: &Path) -> Result<Vec<u8>>;

    /// Whether there is a file or directory of this name.
    ///
    /// # Errors
    /// [`DiskError::Io`] if that cannot be found out.
    fn exists(&self, path: &Path) -> Result<bool>;

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; [`DiskError::Io`].
    fn list(&self, dir: &Path) -> Result<Vec<String>>;

    /// Gives a file another name in the same directory, atomically replacing what had it. Durable after
    /// [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`DiskError::AcrossDirectories`], since no single sync could make that durable; [`DiskError::NotFound`];
    /// [`DiskError::Io`].
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;

    /// Removes a file. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`DiskError::NotFound`]; [`DiskError::Io`].
    fn remove(&self, path: &Path) -> Result<()>;

    /// Makes a directory with mode 0700. Durable after [`Disk::sync_dir`] of its parent.
    ///
    /// # Errors
    /// [`DiskError::Exists`]; [`DiskError::Io`].
    fn create_dir(&self, path: &Path) -> Result<()>;

    /// Makes the names in a directory durable. `what` says what for.
    ///
    /// # Errors
    /// [`DiskError::SyncFailed`]: the process must stop.
    fn sync_dir(&self, dir: &Path, what: &'static str) -> Result<()>;

    /// Takes the lock file of a directory, making it if needed, so that one process at a time uses the directory. The
    /// lock lasts until the answer is dropped or the process ends, however it ends.
    ///
    /// # Errors
    /// [`DiskError::Locked`] if another holder has it; [`DiskError::Io`].
    fn lock(&self, path: &Path) -> Result<Lock>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes all bytes at an offset, growing the file (with zeros) if needed.
    ///
    /// # Errors
    /// [`DiskError::Poisoned`] after a failed sync; [`DiskError::Io`], after which part of the bytes may be there.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Writes all bytes behind the end and returns the offset they begin at.
    ///
    /// # Errors
    /// As [`DiskFile::write_at`].
    fn append(&mut self, bytes: &[u8]) -> Result<u64> {
        let end = self.len()?;
        self.write_at(end, bytes)?;
        Ok(end)
    }

    /// Fills the whole buffer from an offset.
    ///
    /// # Errors
    /// [`DiskError::Io`], also if the file ends before the buffer is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// Bytes in the file.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    fn len(&self) -> Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file, or grows it with a hole that reads as zeros.
    ///
    /// # Errors
    /// As [`DiskFile::write_at`].
    fn set_len(&mut self, len: u64) -> Result<()>;

    /// Grows the file to `len` bytes with real zeros, so that later writes inside change no metadata and `sync_data`
    /// has only the data to wait for. A longer file stays as it is.
    ///
    /// # Errors
    /// As [`DiskFile::write_at`]; most likely the disk is full.
    fn preallocate(&mut self, len: u64) -> Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = self.len()?;
        while at < len {
            let step = usize::try_from(len - at).unwrap_or(usize::MAX).min(ZEROS.len());
            self.write_at(at, ZEROS.get(..step).unwrap_or(&ZEROS))?;
            at += step as u64;
        }
        Ok(())
    }

    /// Makes content and length durable. `what` says what for.
    ///
    /// # Errors
    /// [`DiskError::SyncFailed`]: the process must stop. [`DiskError::Poisoned`] if one failed before.
    fn sync_data(&mut self, what: &'static str) -> Result<()>;

    /// As [`DiskFile::sync_data`], with all metadata: for a file that was just made or grown.
    ///
    /// # Errors
    /// As [`DiskFile::sync_data`].
    fn sync_all(&mut self, what: &'static str) -> Result<()>;
}

/// A held lock, see [`Disk::lock`].
pub struct Lock {
    _held: Box<dyn Send + Sync>,
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lock")
    }
}

/// Replaces or makes a whole file so that after any crash the old or the new content is there, and the new content is
/// durable when this returns. Uses the name with `.tmp` behind it in between.
///
/// # Errors
/// As the steps: writing, syncing, renaming, syncing the directory.
pub fn write_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    if disk.exists(temporary)? {
        disk.remove(temporary)?; // left by a crash
    }
    let mut file = disk.create_new(temporary)?;
    file.append(bytes)?;
    file.sync_all("content of a replaced file")?;
    disk.rename(temporary, path)?;
    disk.sync_dir(parent(path), "name of a replaced file")
}

/// The directory a path is in; the current one for a bare name.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &[u8] = b"old content";
    const NEW: &[u8] = b"the new content, which is longer";

    /// Kills the second write after `operations`, crashes, and returns what is left.
    fn after_crash(seed: u64, ignored: Option<&'static str>) -> (bool, Option<Vec<u8>>) {
        let path = Path::new("/key");
        let disk = ForgetfulDisk::new();
        if let Some(what) = ignored {
            disk.ignore_syncs(what);
        }
        write_atomically(&disk, path, OLD).unwrap();
        disk.fail_after(seed % 9);
        let written = write_atomically(&disk, path, NEW).is_ok();
        (written, disk.crash(seed).read(path).ok())
    }

    fn holds(seed: u64, ignored: Option<&'static str>) -> bool {
        match after_crash(seed, ignored) {
            (true, left) => left.as_deref() == Some(NEW),
            (false, left) => left.as_deref() == Some(OLD) || left.as_deref() == Some(NEW),
        }
    }

    #[test]
    fn an_atomic_write_leaves_the_old_or_the_new_content() {
        for seed in 0..500 {
            assert!(holds(seed, None), "seed {seed}");
        }
    }

    #[test]
    fn every_sync_of_an_atomic_write_is_needed() {
        let disk = ForgetfulDisk::new();
        write_atomically(&disk, Path::new("/key"), OLD).unwrap();
        let syncs = disk.syncs_seen();
        assert_eq!(syncs.len(), 2);
        for what in syncs {
            assert!((0..500).any(|seed| !holds(seed, Some(what))), "nothing notices when this is left out: {what}");
        }
    }

    #[test]
    fn an_atomic_write_replaces_a_temporary_left_by_a_crash() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(dir.path().join("key.tmp"), b"half").unwrap();
        write_atomically(&RealDisk, &path, NEW).unwrap();
        assert_eq!(RealDisk.list(dir.path()).unwrap(), ["key"]);
        assert_eq!(RealDisk.read(&path).unwrap(), NEW);
    }
}
