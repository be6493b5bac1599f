use std::time::{Duration, Instant};

use std::io::IsTerminal;

use serde_json::json;

use crate::{error::CliError, output::Output};

/// A pause after each line, for readers at a terminal.
const PAUSE: Duration = Duration::from_millis(90);
const WIDTH: usize = 17;

/// Tells what happens, when, and who did it.
#[derive(Debug)]
pub(super) struct Timeline {
    output: Output,
    started: Instant,
    pause: Option<Duration>,
}

impl Timeline {
    pub(super) fn start(output: Output, fast: bool) -> Self {
        let watched = !fast && !output.is_json() && std::io::stdout().is_terminal();
        Self { output, started: Instant::now(), pause: watched.then_some(PAUSE) }
    }

    /// One event. Further lines of `what` are indented under the first.
    pub(super) async fn tell(&mut self, who: &str, what: impl Into<String>) -> Result<(), CliError> {
        let (seconds, what) = (self.started.elapsed().as_secs_f64(), what.into());
        if self.output.is_json() {
            self.output.line(json!({ "seconds": seconds, "who": who, "what": what }))?;
        } else {
            let indent = format!("\n{:1$}", "", WIDTH + 12);
            self.output.line(format!("{seconds:6.2} s  {who:WIDTH$}  {}", what.trim_end().replace('\n', &indent)))?;
        }
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// A remark between events, for people only.
    pub(super) fn say(&self, text: impl std::fmt::Display) -> Result<(), CliError> {
        if self.output.is_json() { Ok(()) } else { Ok(self.output.line(text)?) }
    }

    pub(super) fn end(&self) -> Result<(), CliError> {
        let seconds = self.started.elapsed().as_secs_f64();
        self.say(format!("\nFrom an empty directory to an accepted, proven contract in {seconds:.1} s.\n"))
    }
}
