//! A node as a process.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Api, Finished, Member, Result, Settings, cgs_binary, run};

const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);
const LOG_LINES_SHOWN: usize = 40;

/// A `cgs node` in a directory of its own. It is killed when this is dropped; the directory stays.
pub struct Node {
    directory: PathBuf,
    settings: Settings,
    child: Option<Child>,
}

impl Node {
    /// Prepares a directory. Nothing runs yet.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn prepare(directory: &Path, keys: &Path, settings: Settings) -> Result<Self> {
        std::fs::create_dir_all(directory)?;
        let config = serde_json::to_vec_pretty(&settings.node_json(keys))?;
        std::fs::write(directory.join("node.json"), config)?;
        Ok(Self { directory: directory.to_path_buf(), settings, child: None })
    }

    /// Starts the process, without waiting for it.
    ///
    /// # Errors
    /// If the binary cannot be run.
    pub fn spawn(&mut self) -> Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_file())?;
        let binary = cgs_binary();
        let child = Command::new(&binary)
            .args(["node", "--config", "node.json"])
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .spawn()
            .map_err(|why| format!("{} cannot be run ({why}): cargo build -p cgs", binary.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Starts the process and waits until it answers.
    ///
    /// # Errors
    /// With the end of the node's log, if it ends instead, or takes too long.
    pub async fn start(&mut self) -> Result<()> {
        self.spawn()?;
        self.wait_until_answering().await
    }

    /// Waits until `/node/network` answers.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn wait_until_answering(&mut self) -> Result<()> {
        let started = Instant::now();
        while started.elapsed() < START_LIMIT {
            if self.has_ended()? {
                return Err(format!("the node ended instead of starting:\n{}", self.log_end()).into());
            }
            if let Ok(api) = self.api(None)
                && api.get("/node/network").await.is_ok_and(|answer| answer.status == 200)
            {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("the node does not answer after {START_LIMIT:?}:\n{}", self.log_end()).into())
    }

    /// Whether the process is gone.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn has_ended(&mut self) -> Result<bool> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?.is_some()),
            None => Ok(true),
        }
    }

    /// SIGKILL: the process gets no chance to do anything.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM, and waits until the process has ended by itself.
    ///
    /// # Errors
    /// If it does not end in time, or not with status 0.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let pid = Pid::from_child(child);
        kill_process(pid, Signal::TERM)?;
        let asked = Instant::now();
        while asked.elapsed() < STOP_LIMIT {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                if status.success() {
                    return Ok(());
                }
                return Err(format!("the node stopped with {status}:\n{}", self.log_end()).into());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(format!("the node does not stop within {STOP_LIMIT:?} of SIGTERM:\n{}", self.log_end()).into())
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A client of this node, as a member or as nobody.
    ///
    /// # Errors
    /// While the node has not written its service certificate yet.
    pub fn api(&self, member: Option<&Member>) -> Result<Api> {
        Api::new(&self.url(), &self.service_certificate(), member)
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.settings.port)
    }

    /// What it is started with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.settings.port
    }

    /// The directory that everything of this node lies in.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of the chunk files.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.directory.join("ledger")
    }

    /// The service certificate, which the node writes at its first start.
    #[must_use]
    pub fn service_certificate(&self) -> PathBuf {
        self.directory.join("service_cert.pem")
    }

    /// Verifies the ledger with the command of the product.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn verify_ledger(&self) -> Result<Finished> {
        run(Command::new(cgs_binary()).args(["ledger", "verify"]).arg(self.ledger()))
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("node.log")
    }

    /// The last lines that the node printed.
    #[must_use]
    pub fn log_end(&self) -> String {
        let text = File::open(self.log_file()).and_then(std::io::read_to_string).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Err(why) = self.kill() {
            eprintln!("the node in {} may still be running: {why}", self.directory.display());
        }
    }
}
