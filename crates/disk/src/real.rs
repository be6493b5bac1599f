use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{Disk, DiskError, DiskFile, Lock, Result, parent};

/// The file system of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        open_with(path, "create", options.read(true).write(true).create_new(true).mode(0o600))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        open_with(path, "open", OpenOptions::new().read(true).write(true))
    }

    fn open_read(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        open_with(path, "open", OpenOptions::new().read(true))
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path).map_err(|e| DiskError::io("read", path, e))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        path.try_exists().map_err(|e| DiskError::io("look for", path, e))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let failed = |e| DiskError::io("list", dir, e);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        if parent(from) != parent(to) {
            return Err(DiskError::AcrossDirectories { from: from.to_owned(), to: to.to_owned() });
        }
        std::fs::rename(from, to).map_err(|e| DiskError::io("rename", from, e))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path).map_err(|e| DiskError::io("remove", path, e))
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        DirBuilder::new().mode(0o700).create(path).map_err(|e| DiskError::io("create directory", path, e))
    }

    fn sync_dir(&self, dir: &Path, what: &'static str) -> Result<()> {
        File::open(dir).and_then(|opened| opened.sync_all()).map_err(|e| sync_failed(dir, what, e))
    }

    fn lock(&self, path: &Path) -> Result<Lock> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).map_err(|e| DiskError::io("open", path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _held: Box::new(file) }),
            Err(TryLockError::WouldBlock) => Err(DiskError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(e)) => Err(DiskError::io("lock", path, e)),
        }
    }
}

struct RealFile {
    file: File,
    path: PathBuf,
    poisoned: bool,
}

impl RealFile {
    fn writable(&self) -> Result<()> {
        if self.poisoned { Err(DiskError::Poisoned { path: self.path.clone() }) } else { Ok(()) }
    }

    fn io<T>(&self, action: &'static str, result: io::Result<T>) -> Result<T> {
        result.map_err(|e| DiskError::io(action, &self.path, e))
    }

    fn synced(&mut self, what: &'static str, result: io::Result<()>) -> Result<()> {
        self.poisoned = result.is_err();
        result.map_err(|e| sync_failed(&self.path, what, e))
    }
}

impl DiskFile for RealFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.writable()?;
        self.io("write to", self.file.write_all_at(bytes, offset))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.io("read", self.file.read_exact_at(buffer, offset))
    }

    fn len(&self) -> Result<u64> {
        self.io("measure", self.file.metadata().map(|metadata| metadata.len()))
    }

    fn set_len(&mut self, len: u64) -> Result<()> {
        self.writable()?;
        self.io("resize", self.file.set_len(len))
    }

    fn sync_data(&mut self, what: &'static str) -> Result<()> {
        self.writable()?;
        let result = self.file.sync_data();
        self.synced(what, result)
    }

    fn sync_all(&mut self, what: &'static str) -> Result<()> {
        self.writable()?;
        let result = self.file.sync_all();
        self.synced(what, result)
    }
}

fn open_with(path: &Path, action: &'static str, options: &OpenOptions) -> Result<Box<dyn DiskFile>> {
    let file = options.open(path).map_err(|e| DiskError::io(action, path, e))?;
    Ok(Box::new(RealFile { file, path: path.to_owned(), poisoned: false }))
}

fn sync_failed(path: &Path, what: &'static str, source: io::Error) -> DiskError {
    DiskError::SyncFailed { path: path.to_owned(), what, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_and_directories_are_for_the_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        RealDisk.create_dir(&dir).unwrap();
        RealDisk.create_new(&dir.join("key")).unwrap();
        let _lock = RealDisk.lock(&dir.join("lock")).unwrap();
        assert_eq!([mode(&dir), mode(&dir.join("key")), mode(&dir.join("lock"))], [0o700, 0o600, 0o600]);
    }

    #[test]
    fn a_lock_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = RealDisk.lock(&path).unwrap();
        assert!(matches!(RealDisk.lock(&path), Err(DiskError::Locked { .. })));
        drop(held);
        RealDisk.lock(&path).unwrap();
    }

    #[test]
    fn a_file_reads_back_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut file = RealDisk.create_new(&path).unwrap();
        file.preallocate(100_000).unwrap();
        file.write_at(99_998, b"end").unwrap();
        assert_eq!(file.append(b"!").unwrap(), 100_001);
        file.sync_data("test").unwrap();
        file.sync_all("test").unwrap();
        RealDisk.sync_dir(dir.path(), "test").unwrap();

        let mut buffer = [0xff; 5];
        RealDisk.open(&path).unwrap().read_at(99_997, &mut buffer).unwrap();
        assert_eq!(&buffer, b"\0end!");
        assert!(file.read_at(100_000, &mut buffer).is_err());
        file.set_len(1).unwrap();
        assert_eq!(RealDisk.read(&path).unwrap(), [0]);
        assert!(matches!(RealDisk.create_new(&path), Err(DiskError::Exists { .. })));
    }

    #[test]
    fn names_change_within_a_directory_only() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        RealDisk.create_new(&a).unwrap();
        RealDisk.rename(&a, &b).unwrap();
        assert_eq!(RealDisk.list(dir.path()).unwrap(), ["b"]);
        let elsewhere = Path::new("/elsewhere");
        assert!(matches!(RealDisk.rename(&b, elsewhere), Err(DiskError::AcrossDirectories { .. })));
        RealDisk.remove(&b).unwrap();
        assert!(!RealDisk.exists(&b).unwrap());
        assert!(RealDisk.open_read(&b).is_err_and(|e| e.is_not_found()));
        assert!(RealDisk.remove(&b).is_err_and(|e| e.is_not_found()));
    }

    #[test]
    fn a_failed_sync_poisons_the_file() {
        // A pipe cannot be synced.
        let (reader, _writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(reader));
        let mut file = RealFile { file, path: "/pipe".into(), poisoned: false };
        assert!(matches!(file.sync_data("test"), Err(DiskError::SyncFailed { what: "test", .. })));
        assert!(matches!(file.sync_data("test"), Err(DiskError::Poisoned { .. })));
        assert!(matches!(file.write_at(0, b"x"), Err(DiskError::Poisoned { .. })));
    }
}
