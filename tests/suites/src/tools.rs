//! Where things are, and other programs.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Result;

/// Nothing that a suite starts and waits for takes longer.
pub const PROGRAM_LIMIT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(5);

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

/// Runs a command of the product, with profiles of its own.
///
/// # Errors
/// As [`run`].
pub fn cgs(profiles: &Path, arguments: &[&str]) -> Result<Finished> {
    run(Command::new(cgs_binary()).arg("--profile-dir").arg(profiles).args(arguments))
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

/// Runs a program to its end, which has to come within [`PROGRAM_LIMIT`].
///
/// # Errors
/// If it cannot be started, or takes too long: then it is killed.
pub fn run(command: &mut Command) -> Result<Finished> {
    let name = command.get_program().display().to_string();
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|why| format!("{name} cannot be started: {why}"))?;
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > PROGRAM_LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(
                format!("{name} did not end within {PROGRAM_LIMIT:?}\n{}{}", stdout.text(), stderr.text()).into()
            );
        }
        std::thread::sleep(POLL);
    };
    Ok(Finished { code: status.code().unwrap_or(-1), stdout: stdout.text(), stderr: stderr.text() })
}

/// What a thread reads from a pipe, so that the program never waits for its reader.
struct Collected(Option<JoinHandle<String>>);

impl Collected {
    fn text(self) -> String {
        self.0.and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Collected {
    Collected(pipe.map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before a failure is still worth showing.
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }))
}
