//! Where things are, and other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap_or(here).to_path_buf()
}

/// The binary under test.
#[must_use]
pub fn cgs_binary() -> PathBuf {
    match std::env::var_os("CGS_BIN") {
        Some(path) => path.into(),
        None => target_directory().join("debug/cgs"),
    }
}

/// A Python that has `ccf`, `cryptography` and `cbor2<6`.
#[must_use]
pub fn python() -> PathBuf {
    match std::env::var_os("CGS_PYTHON") {
        Some(path) => path.into(),
        None => target_directory().join("venv/bin/python"),
    }
}

/// The genuine evidence that the scenario of the conformance kit plays a clean room with.
#[must_use]
pub fn evidence() -> PathBuf {
    repository().join("tests/data/attestation/caci/encryption")
}

/// An empty directory of this name below `target/suites`. What a previous run left there is deleted; what this one
/// leaves stays, to be looked at after a failure.
///
/// # Errors
/// Those of the file system.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let directory = target_directory().join("suites").join(name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// Copies a directory as a host would: file by file, while nobody is writing.
///
/// # Errors
/// Those of the file system.
pub fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    let permissions = std::fs::metadata(from)?.permissions();
    std::fs::set_permissions(to, permissions)?;
    Ok(())
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit status; -1 where a signal ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Finished {
    /// What it printed, if it ended well.
    ///
    /// # Errors
    /// Everything it said, otherwise.
    pub fn succeeded(self, what: &str) -> Result<String> {
        if self.code == 0 {
            return Ok(self.stdout);
        }
        Err(format!("{what} ended with {}\n{}\n{}", self.code, self.stdout, self.stderr).into())
    }
}

/// Runs a program to its end.
///
/// # Errors
/// If it cannot be started.
pub fn run(command: &mut Command) -> Result<Finished> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|why| format!("{} cannot be started: {why}", command.get_program().display()))?;
    Ok(Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
