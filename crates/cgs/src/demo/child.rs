use std::{
    fs::OpenOptions,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::CliError;

const STOP_WITHIN: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(5);

/// A node in a process of its own, which is this program again.
#[derive(Debug)]
pub(super) struct NodeProcess {
    child: Option<Child>,
}

impl NodeProcess {
    /// Starts `cgs node` in a directory. Unless it is to outlive this process, it ends with it, however that ends.
    pub(super) fn spawn(directory: &Path, log: &Path, outlives: bool) -> Result<Self, CliError> {
        let log = OpenOptions::new().create(true).append(true).open(log).map_err(CliError::file(log))?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["node", "--config", "node.json"]).current_dir(directory);
        if !outlives {
            command.arg("--stop-with-parent");
        }
        // A process group of its own: Ctrl-C at the terminal reaches the demonstration only, which stops the node.
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { child: Some(command.spawn()?) })
    }

    /// How it ended, if it did.
    pub(super) fn has_ended(&mut self) -> Result<Option<ExitStatus>, CliError> {
        match &mut self.child {
            Some(child) => Ok(child.try_wait()?),
            None => Ok(None),
        }
    }

    /// Asks it to stop, and kills it if it does not.
    pub(super) async fn stop(mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Errors mean that it is gone already.
        let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        let deadline = tokio::time::Instant::now() + STOP_WITHIN;
        while tokio::time::Instant::now() < deadline {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Lets it run on; returns its process id.
    pub(super) fn leave(mut self) -> u32 {
        self.child.take().map_or(0, |child| child.id())
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
