//! Reading what lies on the disk: complete chunk files, then what the raft log holds beyond them.

use std::path::Path;

use crypto::AesKey;
use ledger::{
    LedgerError,
    chunk::{self, ChunkName},
    entry,
    secrets::LedgerSecrets,
};
use openraft::{BasicNode, EntryPayload, LogId, Membership, StoredMembership};

use crate::{
    ReplicationError,
    batch::BatchContent,
    covered::CoveredFile,
    log::SegmentLog,
    replay::Replay,
    snapshots::{Base, Found},
    store::LedgerStore,
};

/// The last raft log entry that was applied, and the membership there.
pub(crate) type Position = (Option<LogId<u64>>, StoredMembership<u64, BasicNode>);

/// A ledger that is being read.
pub(crate) struct Reading {
    pub(crate) store: LedgerStore,
    pub(crate) replay: Replay,
    /// The snapshot that reading has begun behind.
    pub(crate) base: Option<Base>,
    /// Bytes of entries that were read.
    pub(crate) bytes: u64,
    /// The complete chunk that was compared with last.
    compared: Option<WholeChunk>,
}

impl Reading {
    /// Begins with the first transaction, or behind a snapshot. `secrets` were used, `candidates` may have been.
    pub(crate) fn new(
        store: LedgerStore,
        found: Option<Found>,
        secrets: &LedgerSecrets,
        candidates: &[AesKey],
    ) -> Result<Self, ReplicationError> {
        let (replay, base) = match found {
            None => (Replay::new(secrets, candidates), None),
            Some(found) => {
                let (base, restored) = found.into_parts();
                check_chunks(&store, &base)?;
                let views = restored.view_history;
                let replay = Replay::behind(restored.state, &restored.secrets, candidates, views, restored.tree);
                (replay.map_err(|why| base.wrong(why))?, Some(base))
            }
        };
        Ok(Self { store, replay, base, bytes: 0, compared: None })
    }

    /// Reads the complete chunk files, but for those that the snapshot stands for.
    pub(crate) fn complete_chunks(&mut self) -> Result<(), ReplicationError> {
        let behind = self.replay.last().seqno;
        let names: Vec<_> = self.store.complete_chunks().filter(|name| name.start > behind).collect();
        for name in names {
            let mut reader = self.store.read_chunk(name)?;
            self.replay.history.starts_chunk();
            let file = name.to_string();
            let failed = |seqno, why: LedgerError| ReplicationError::ledger(&file, seqno, why);
            while let Some(found) = reader.next_entry().map_err(|why| failed(self.replay.last().seqno + 1, why))? {
                self.entry(&file, found.offset, &found.bytes)?;
            }
        }
        Ok(())
    }

    /// Checks that the complete chunk files reach as far as they once did.
    pub(crate) fn check_reach(&self, covered: &CoveredFile, directory: &Path) -> Result<(), ReplicationError> {
        let needed = covered.get().map_or(0, |covered| covered.seqno);
        if self.replay.last().seqno >= needed {
            return Ok(());
        }
        let (have, place) = (self.replay.last().seqno, directory.to_owned());
        Err(ReplicationError::Missing {
            place,
            missing: format!("complete chunk files end at seqno {have}, but they reached {needed}"),
        })
    }

    /// Reads the raft log behind the complete chunk files.
    pub(crate) fn log(&mut self, log: &SegmentLog, covered: &CoveredFile) -> Result<Position, ReplicationError> {
        let covered = covered.get();
        let mut last = covered.as_ref().and_then(|covered| covered.log_id);
        let empty = || StoredMembership::new(None, Membership::default());
        let mut membership = covered.map_or_else(empty, |covered| covered.membership);
        let complete = self.replay.last().seqno;
        for found in log.entries() {
            match &found.payload {
                EntryPayload::Blank => {}
                EntryPayload::Membership(found_membership) => {
                    membership = StoredMembership::new(Some(found.log_id), found_membership.clone());
                }
                EntryPayload::Normal(batch) => {
                    let content = BatchContent::read(batch)
                        .ok_or_else(|| ReplicationError::Raft(format!("log entry {} is no batch", found.log_id)))?;
                    self.batch(&content, complete)?;
                }
            }
            last = last.max(Some(found.log_id));
        }
        self.compared = None;
        Ok((last, membership))
    }

    /// Everything is read: checks what only the end shows.
    pub(crate) fn check_end(&self) -> Result<(), ReplicationError> {
        let last = self.replay.last().seqno;
        self.store.check_recovered(last)?;
        self.base.as_ref().map_or(Ok(()), |base| base.check_reached(last))?;
        self.replay.check_last_signature("raft log")
    }

    fn batch(&mut self, content: &BatchContent, complete: u64) -> Result<(), ReplicationError> {
        if content.first.seqno <= complete {
            return self.compare(content);
        }
        if !content.follows(self.replay.last()) {
            return Ok(());
        }
        let mut offset = self.store.append(content.first.seqno, &content.entries)?;
        if offset == chunk::CHUNK_HEADER_LEN {
            self.replay.history.starts_chunk();
        }
        let (mut rest, mut flags) = (&content.entries[..], 0);
        while !rest.is_empty() {
            let seqno = self.replay.last().seqno + 1;
            let (bytes, behind) =
                entry::split_first(rest).map_err(|why| ReplicationError::ledger("raft log", seqno, why))?;
            flags = self.entry("raft log", offset, bytes)?;
            offset += bytes.len() as u64;
            rest = behind;
        }
        if flags & entry::FLAG_CHUNK_AFTER != 0 {
            self.store.complete(self.replay.last().seqno)?;
        }
        Ok(())
    }

    fn entry(&mut self, file: &str, offset: u64, bytes: &[u8]) -> Result<u8, ReplicationError> {
        let replayed = self.replay.entry(file, offset, bytes);
        self.bytes += bytes.len() as u64;
        match &mut self.base {
            None => replayed,
            Some(base) => base.check((self.replay.last(), self.replay.history.last_signature()), bytes, replayed),
        }
    }

    /// A batch that lies in complete chunks too must be the same there.
    fn compare(&mut self, content: &BatchContent) -> Result<(), ReplicationError> {
        let first = content.first.seqno;
        if !self.compared.as_ref().is_some_and(|chunk| chunk.holds(first)) {
            let name = self.store.complete_chunks().find(|name| holds(*name, first));
            let missing = || ReplicationError::Diverged { file: "the last complete chunk file".into(), seqno: first };
            self.compared = Some(WholeChunk::read(&self.store, name.ok_or_else(missing)?)?);
        }
        self.compared.as_ref().map_or(Ok(()), |chunk| chunk.compare(content))
    }
}

/// The chunk files are there from the first transaction on, and one ends where the snapshot was taken: what is read later
/// begins there.
fn check_chunks(store: &LedgerStore, base: &Base) -> Result<(), ReplicationError> {
    let missing = |missing| ReplicationError::Missing { place: store.directory().to_owned(), missing };
    if store.complete_chunks().next().is_none_or(|first| first.start != 1) {
        return Err(missing("the chunk file that begins with seqno 1".to_owned()));
    }
    let seqno = base.name.seqno;
    if store.complete_chunks().any(|name| name.end == Some(seqno)) {
        return Ok(());
    }
    Err(missing(format!("the complete chunk file that ends with seqno {seqno}, where {} was taken", base.name)))
}

fn holds(name: ChunkName, seqno: u64) -> bool {
    name.start <= seqno && name.end.is_some_and(|end| seqno <= end)
}

/// A complete chunk, entry by entry.
struct WholeChunk {
    name: ChunkName,
    entries: Vec<Vec<u8>>,
}

impl WholeChunk {
    fn read(store: &LedgerStore, name: ChunkName) -> Result<Self, ReplicationError> {
        let (mut reader, mut entries) = (store.read_chunk(name)?, Vec::new());
        let failed = |count: usize, why| ReplicationError::ledger(name, name.start + count as u64, why);
        while let Some(found) = reader.next_entry().map_err(|why| failed(entries.len(), why))? {
            entries.push(found.bytes);
        }
        Ok(Self { name, entries })
    }

    fn holds(&self, seqno: u64) -> bool {
        holds(self.name, seqno)
    }

    /// No batch goes beyond the end of a chunk.
    fn compare(&self, content: &BatchContent) -> Result<(), ReplicationError> {
        let mut rest = &content.entries[..];
        for seqno in content.first.seqno.. {
            if rest.is_empty() {
                break;
            }
            let failed = |why| ReplicationError::ledger("raft log", seqno, why);
            let (bytes, behind) = entry::split_first(rest).map_err(failed)?;
            let index = usize::try_from(seqno - self.name.start).unwrap_or(usize::MAX);
            if self.entries.get(index).is_none_or(|stored| stored != bytes) {
                return Err(ReplicationError::Diverged { file: self.name.to_string(), seqno });
            }
            rest = behind;
        }
        Ok(())
    }
}
