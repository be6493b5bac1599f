//! openraft's own tests of a log, on real files, opened anew before every call.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::path::PathBuf;

use disk::RealDisk;
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::testing::{StoreBuilder, Suite};
use openraft::{OptionalSend, RaftLogReader, StorageError};
use tempfile::TempDir;

use super::machine::Machine;
use super::*;
use crate::types::TypeConfig;

/// A log that lives in its files only: each call opens it, and drops it afterwards.
#[derive(Clone)]
struct Reopened {
    dir: PathBuf,
}

impl Reopened {
    fn log(&self) -> SegmentLog {
        // Small segments, so that the suite crosses them often.
        SegmentLog::open(Arc::new(RealDisk), self.dir.clone(), options(700)).unwrap().0
    }
}

impl RaftLogReader<TypeConfig> for Reopened {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, StorageError<u64>> {
        self.log().get_log_reader().await.try_get_log_entries(range).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError<u64>> {
        self.log().limited_get_log_entries(start, end).await
    }
}

impl RaftLogStorage<TypeConfig> for Reopened {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError<u64>> {
        self.log().get_log_state().await
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), StorageError<u64>> {
        self.log().save_vote(vote).await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError<u64>> {
        self.log().read_vote().await
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Result<(), StorageError<u64>>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.log().append(entries, callback).await
    }

    async fn truncate(&mut self, log_id: LogId) -> Result<(), StorageError<u64>> {
        self.log().truncate(log_id).await
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), StorageError<u64>> {
        self.log().purge(log_id).await
    }
}

struct Anew;

impl StoreBuilder<TypeConfig, Reopened, Machine, TempDir> for Anew {
    async fn build(&self) -> Result<(TempDir, Reopened, Machine), StorageError<u64>> {
        let root = tempfile::tempdir().unwrap();
        let log = Reopened { dir: root.path().join("log") };
        Ok((root, log, Machine::default()))
    }
}

struct Kept;

impl StoreBuilder<TypeConfig, SegmentLog, Machine, TempDir> for Kept {
    async fn build(&self) -> Result<(TempDir, SegmentLog, Machine), StorageError<u64>> {
        let root = tempfile::tempdir().unwrap();
        let log = Reopened { dir: root.path().join("log") }.log();
        Ok((root, log, Machine::default()))
    }
}

#[test]
fn passes_the_suite_of_openraft_opened_anew_before_every_call() {
    Suite::test_all(Anew).unwrap();
}

#[test]
fn passes_the_suite_of_openraft() {
    Suite::test_all(Kept).unwrap();
}
