use std::{io::IsTerminal, path::Path};

use ::ledger::{chunk::ChunkName, files, verify::Progress};

/// One line on a terminal that says how far the verification of a ledger is: a large one takes a while.
pub(super) struct Line {
    /// Bytes of all chunk files; `None` where nobody watches.
    total: Option<u64>,
    percent: Option<u64>,
}

impl Line {
    pub(super) fn for_directory(directory: &Path) -> Self {
        let total = std::io::stderr().is_terminal().then(|| size(directory));
        Self { total, percent: None }
    }

    /// Shows it, if it has changed.
    pub(super) fn show(&mut self, progress: Progress) {
        let Some(total) = self.total else { return };
        let percent = percent(progress.bytes, total);
        if self.percent.replace(percent) != Some(percent) {
            let file = progress.file.to_string();
            eprint!("\r{percent:3} % verified, up to transaction {:<10} in {file:45}", progress.seqno);
        }
    }

    /// Clears the line.
    pub(super) fn end(self) {
        if self.percent.is_some() {
            eprint!("\r{:90}\r", "");
        }
    }
}

/// Position tables count as not read, so that the end may come at 99.
fn percent(done: u64, total: u64) -> u64 {
    (done.saturating_mul(100) / total.max(1)).min(100)
}

/// Bytes of the chunk files; what cannot be read is told by the one who verifies.
fn size(directory: &Path) -> u64 {
    let names = files::names(directory).unwrap_or_default();
    let chunks = names.iter().filter(|name| ChunkName::is_chunk(name));
    chunks.filter_map(|name| std::fs::metadata(directory.join(name)).ok()).map(|file| file.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_its_bounds() {
        assert_eq!([percent(0, 0), percent(5, 10), percent(11, 10)], [0, 50, 100]);
    }
}
