use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use disk::Disk;

use super::frame::{self, Chain, Keys};
use super::record::{self, Record, Summary};
use super::segment::{self, Active, Closed, PREAMBLE};
use super::{LogError, MAX_FRAME_BYTES};
use crate::planted::{self, Fault as Planted};

/// Writes frames behind each other, and knows which segments they are in.
pub(super) struct Writer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) keys: Keys,
    pub(super) segment_bytes: u64,
    pub(super) chain: Chain,
    pub(super) closed: VecDeque<Closed>,
    pub(super) active: Active,
    /// The first failure, if there was one.
    pub(super) poisoned: Option<String>,
}

impl Writer {
    /// Makes the first segment of a new log.
    pub(super) fn create(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        keys: Keys,
        segment_bytes: u64,
        summary: Summary,
    ) -> Result<Self, LogError> {
        let (first, chain) = first_frame(&keys, Chain::START, 1, summary)?;
        let active = Active::create(&*disk, &dir, 1, segment_bytes.max(first_len(&first)), &first)?;
        Ok(Self { disk, dir, keys, segment_bytes, chain, closed: VecDeque::new(), active, poisoned: None })
    }

    /// Writes the records as one frame and syncs it. `summary` is the state before them.
    pub(super) fn write(&mut self, records: &[Record], summary: Summary) -> Result<(), LogError> {
        self.usable()?;
        let body = encode(records)?;
        let result = self.write_body(&body, summary);
        self.poison(result)?;
        records.iter().for_each(|record| self.account(record));
        Ok(())
    }

    /// Removes the oldest segments as far as all their entries are purged. The purge mark is durable already.
    pub(super) fn remove_purged(&mut self, upto: Option<u64>) -> Result<(), LogError> {
        self.usable()?;
        while self.closed.front().is_some_and(|segment| segment.last <= upto) {
            let Some(segment) = self.closed.pop_front() else { break };
            // Synced one by one: a gap between the segments that are left would look like a lost file.
            let result = self.disk.remove(&segment.path);
            self.poison(result.map_err(LogError::from))?;
            let result = self.disk.sync_dir(&self.dir, "removal of a purged segment of the raft log");
            self.poison(result.map_err(LogError::from))?;
        }
        Ok(())
    }

    fn account(&mut self, record: &Record) {
        segment::account(self.closed.iter_mut().map(|segment| &mut segment.last), &mut self.active.last, record);
    }

    fn write_body(&mut self, body: &[u8], summary: Summary) -> Result<(), LogError> {
        let len = frame::frame_len(body.len()) as u64;
        if self.active.offset + len > self.active.size {
            self.roll(len, summary)?;
        }
        let mut bytes = Vec::new();
        let chain = frame::seal(&self.keys, self.chain, body, &mut bytes);
        let written = self.active.file.write_at(self.active.offset, &bytes);
        if !planted::is(Planted::FailedWriteIgnored) {
            written?;
        }
        let synced = self.active.file.sync_data("frame of the raft log");
        if planted::is(Planted::FailedSyncIgnored) && synced.is_err() {
            self.active.file = self.disk.open(&self.active.path)?;
        } else {
            synced?;
        }
        self.active.offset += len;
        self.chain = chain;
        Ok(())
    }

    /// Goes on in a new segment, long enough for a frame of `len` bytes.
    fn roll(&mut self, len: u64, summary: Summary) -> Result<(), LogError> {
        let number = self.active.number + 1;
        let (first, chain) = first_frame(&self.keys, self.chain, number, summary)?;
        let size = self.segment_bytes.max(first_len(&first) + len);
        let active = Active::create(&*self.disk, &self.dir, number, size, &first)?;
        self.chain = chain;
        self.closed.push_back(std::mem::replace(&mut self.active, active).close());
        if planted::is(Planted::CutBeforeChunk) {
            self.remove_purged(Some(u64::MAX))?;
        }
        Ok(())
    }

    fn usable(&self) -> Result<(), LogError> {
        self.poisoned.as_ref().map_or(Ok(()), |first| Err(LogError::Poisoned { first: first.clone() }))
    }

    fn poison<T>(&mut self, result: Result<T, LogError>) -> Result<T, LogError> {
        result.inspect_err(|e| self.poisoned = Some(e.to_string()))
    }
}

fn first_frame(keys: &Keys, after: Chain, number: u64, summary: Summary) -> Result<(Vec<u8>, Chain), LogError> {
    let body = encode(&[Record::Segment { number, summary }])?;
    let mut bytes = Vec::new();
    let chain = frame::seal(keys, after, &body, &mut bytes);
    Ok((bytes, chain))
}

fn first_len(first_frame: &[u8]) -> u64 {
    (PREAMBLE + first_frame.len()) as u64
}

fn encode(records: &[Record]) -> Result<Vec<u8>, LogError> {
    let mut body = Vec::new();
    for record in records {
        record::encode(record, &mut body)?;
    }
    let (bytes, limit) = (body.len(), MAX_FRAME_BYTES);
    if bytes > limit { Err(LogError::FrameTooLong { bytes, limit }) } else { Ok(body) }
}
