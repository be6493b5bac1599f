use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::{Arc, PoisonError};

use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{AnyError, OptionalSend, RaftLogReader, StorageError, StorageIOError};

use super::{Entry, LogError, LogId, SegmentLog, Shared, Vote};
use crate::types::TypeConfig;

/// Bytes of batches given to a peer at once, unless a single one is longer.
const READ_BYTES: usize = 4 * 1024 * 1024;

type Result<T> = std::result::Result<T, StorageError<u64>>;

/// Reads the entries of a [`SegmentLog`] from memory, beside its writer.
#[derive(Clone)]
pub struct LogReader {
    memory: Shared,
}

impl LogReader {
    fn read(&self, range: &impl RangeBounds<u64>, limit: usize) -> Vec<Entry> {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        memory.range_limited(range, limit)
    }
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>> {
        Ok(self.read(&range, usize::MAX))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>> {
        Ok(self.read(&(start..end), READ_BYTES))
    }
}

impl RaftLogReader<TypeConfig> for SegmentLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>> {
        Ok(self.memory().range(&range))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>> {
        Ok(self.memory().range_limited(&(start..end), READ_BYTES))
    }
}

impl RaftLogStorage<TypeConfig> for SegmentLog {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>> {
        let memory = self.memory();
        Ok(LogState { last_purged_log_id: memory.purged(), last_log_id: memory.last() })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader { memory: Arc::clone(&self.memory) }
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<()> {
        self.set_vote(*vote).map_err(|e| StorageIOError::write_vote(AnyError::new(&e)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>> {
        Ok(self.vote())
    }

    /// Kept in memory only: a node that starts again learns from its leader what is committed.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<()> {
        self.memory_mut().set_committed(committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>> {
        Ok(self.memory().committed())
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        match self.append_entries(entries.into_iter().collect()) {
            Ok(()) => {
                callback.log_io_completed(Ok(()));
                Ok(())
            }
            Err(e) => {
                callback.log_io_completed(Err(std::io::Error::other(e.to_string())));
                Err(write_failed(&e))
            }
        }
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<()> {
        self.truncate_since(log_id.index).map_err(|e| write_failed(&e))
    }

    async fn purge(&mut self, log_id: LogId) -> Result<()> {
        self.purge_upto(log_id).map_err(|e| write_failed(&e))
    }
}

fn write_failed(error: &LogError) -> StorageError<u64> {
    StorageIOError::write_logs(AnyError::new(error)).into()
}
