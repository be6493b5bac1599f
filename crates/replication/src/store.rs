//! The ledger directory: chunk files and nothing else.

use std::{
    collections::BTreeMap,
    io::Cursor,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use disk::{Disk, DiskFile};
use ledger::{
    LedgerError,
    chunk::{self, CHUNK_HEADER_LEN, ChunkName, ChunkReader, ChunkWriter, Selection},
};

use crate::{
    ReplicationError, overlap,
    planted::{self, Fault},
};

/// Writes the ledger directory.
///
/// Entries are not synced one by one: until their chunk is complete they are in the raft log. So after a start the open
/// chunk is written anew from there, once it is certain that what is left of it says nothing else. Nothing is written
/// before [`LedgerStore::write_recovered`].
pub(crate) struct LedgerStore {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    reader: EntryReader,
    complete: Vec<ChunkName>,
    /// What an earlier process had left of its open chunk, by first seqno.
    left: BTreeMap<u64, Vec<u8>>,
    /// Chunks that are put together from the raft log.
    recovered: Vec<Recovered>,
    /// Whether nothing may be written yet.
    recovering: bool,
    writer: Option<ChunkWriter>,
}

/// A chunk as the raft log has it.
struct Recovered {
    start: u64,
    entries: Vec<u8>,
    /// The last seqno, if the chunk ends there.
    end: Option<u64>,
}

impl LedgerStore {
    /// Looks at what is in the directory, which need not be there.
    pub(crate) fn open(disk: Arc<dyn Disk>, directory: PathBuf) -> Result<Self, ReplicationError> {
        let names = if disk.exists(&directory)? { disk.list(&directory)? } else { Vec::new() };
        let failed = |why| ReplicationError::ledger(directory.display(), 0, why);
        let sequence = chunk::sequence(names.iter().map(String::as_str), Selection::default()).map_err(failed)?;
        let (complete, open): (Vec<_>, Vec<_>) = sequence.into_iter().partition(|name| name.committed);
        let mut left = BTreeMap::new();
        for name in open {
            if name.end.is_some() {
                return Err(ReplicationError::ledger(name, name.start, never_written(name)));
            }
            left.insert(name.start, disk.read(&directory.join(name.to_string()))?);
        }
        let known = complete.iter().map(|name| (name.start, *name)).collect();
        let reader =
            EntryReader { disk: disk.clone(), directory: directory.clone(), names: Arc::new(RwLock::new(known)) };
        Ok(Self { disk, directory, reader, complete, left, recovered: Vec::new(), recovering: true, writer: None })
    }

    /// The ledger directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The chunks that do not change any more, in order.
    pub(crate) fn complete_chunks(&self) -> impl Iterator<Item = ChunkName> + '_ {
        self.complete.iter().copied()
    }

    /// Whether there is any chunk.
    pub(crate) fn is_empty(&self) -> bool {
        self.complete.is_empty() && self.left.is_empty()
    }

    /// Reads a whole chunk.
    pub(crate) fn read_chunk(&self, name: ChunkName) -> Result<ChunkReader<Cursor<Vec<u8>>>, ReplicationError> {
        self.reader.read_chunk(name)
    }

    /// For reading single entries, also while this writes.
    pub(crate) fn reader(&self) -> &EntryReader {
        &self.reader
    }

    /// Bytes of entries in the open chunk.
    pub(crate) fn chunk_bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.len() - CHUNK_HEADER_LEN)
    }

    /// Appends entries, the first of which is `seqno`, and says at which offset they start.
    pub(crate) fn append(&mut self, seqno: u64, entries: &[u8]) -> Result<u64, ReplicationError> {
        if self.recovering {
            return Ok(self.recover(seqno, entries));
        }
        let failed = |why| ReplicationError::ledger(ChunkName::open(seqno), seqno, why);
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.create(seqno).map_err(failed)?,
        };
        let offset = writer.len();
        writer.append(entries).map_err(failed)?;
        self.writer = Some(writer);
        Ok(offset)
    }

    fn recover(&mut self, seqno: u64, entries: &[u8]) -> u64 {
        match self.recovered.last_mut().filter(|chunk| chunk.end.is_none()) {
            Some(chunk) => {
                let offset = CHUNK_HEADER_LEN + chunk.entries.len() as u64;
                chunk.entries.extend_from_slice(entries);
                offset
            }
            None => {
                self.recovered.push(Recovered { start: seqno, entries: entries.to_vec(), end: None });
                CHUNK_HEADER_LEN
            }
        }
    }

    /// Completes the open chunk, which ends with `last`. When this returns, it is durable.
    pub(crate) fn complete(&mut self, last: u64) -> Result<(), ReplicationError> {
        if self.recovering {
            self.recovered.last_mut().into_iter().for_each(|chunk| chunk.end = Some(last));
            return Ok(());
        }
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let start = writer.start();
        let mut names = self.reader.names.write().unwrap_or_else(PoisonError::into_inner);
        writer.complete(&*self.disk).map_err(|why| ReplicationError::ledger(ChunkName::open(start), last, why))?;
        names.insert(start, ChunkName::committed(start, last));
        Ok(())
    }

    /// The raft log has been read: checks that nothing else is there than it says. `last` is the last seqno.
    pub(crate) fn check_recovered(&self, last: u64) -> Result<(), ReplicationError> {
        for (start, left) in &self.left {
            match self.recovered.iter().find(|chunk| chunk.start == *start) {
                Some(chunk) => overlap::check(*start, left, &chunk.entries, chunk.end.is_some())?,
                None if overlap::is_blank(left) => {}
                None => {
                    let file = ChunkName::open(*start).to_string();
                    return Err(ReplicationError::Diverged { file, seqno: last + 1 });
                }
            }
        }
        Ok(())
    }

    /// Writes the chunks that the raft log has. From now on this can be written to.
    pub(crate) fn write_recovered(&mut self) -> Result<(), ReplicationError> {
        self.recovering = false;
        for Recovered { start, mut entries, end } in std::mem::take(&mut self.recovered) {
            let failed = |why| ReplicationError::ledger(ChunkName::open(start), start, why);
            let mut writer = match self.left.remove(&start) {
                Some(left) if planted::is(Fault::OpenChunkTrusted) && entries.len() + 8 == left.len() => {
                    let positions = overlap::positions(&entries);
                    entries = Vec::new();
                    ChunkWriter::resume(&*self.disk, &self.directory, start, positions, left.len() as u64)
                        .map_err(failed)?
                }
                Some(_) => ChunkWriter::resume(&*self.disk, &self.directory, start, Vec::new(), CHUNK_HEADER_LEN)
                    .map_err(failed)?,
                None => self.create(start).map_err(failed)?,
            };
            self.reader.note(ChunkName::open(start));
            writer.append(&entries).map_err(failed)?;
            self.writer = Some(writer);
            if let Some(last) = end {
                self.complete(last)?;
            }
        }
        for start in std::mem::take(&mut self.left).into_keys() {
            self.disk.remove(&self.directory.join(ChunkName::open(start).to_string()))?;
        }
        Ok(())
    }

    fn create(&mut self, start: u64) -> Result<ChunkWriter, LedgerError> {
        let writer = ChunkWriter::create(&*self.disk, &self.directory, start)?;
        self.reader.note(ChunkName::open(start));
        Ok(writer)
    }
}

/// What is wrong with a chunk that has an end but is not committed: only whole, committed chunks are given an end.
fn never_written(name: ChunkName) -> LedgerError {
    let field = "name of a chunk file";
    LedgerError::Differs { field, expected: format!("{name}.committed, or without an end"), got: name.to_string() }
}

/// Reads single entries of the ledger directory.
#[derive(Clone)]
pub(crate) struct EntryReader {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// First seqno to the name that the chunk has now.
    names: Arc<RwLock<BTreeMap<u64, ChunkName>>>,
}

impl EntryReader {
    /// A whole chunk.
    pub(crate) fn read_chunk(&self, name: ChunkName) -> Result<ChunkReader<Cursor<Vec<u8>>>, ReplicationError> {
        let bytes = self.disk.read(&self.directory.join(name.to_string()))?;
        ChunkReader::open(name, Cursor::new(bytes)).map_err(|why| ReplicationError::ledger(name, name.start, why))
    }

    /// Opens a chunk under the name that it has now: until the file is open, it gets no other.
    pub(crate) fn open(&self, start: u64) -> Result<ChunkFile, LedgerError> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let missing = LedgerError::NoLeaf { index: start, first: 1, size: start };
        let name = *names.get(&start).ok_or(missing)?;
        let io = |why: disk::DiskError| LedgerError::Io { file: name.to_string(), source: std::io::Error::other(why) };
        let file = self.disk.open_read(&self.directory.join(name.to_string())).map_err(io)?;
        Ok(ChunkFile { name, file })
    }

    fn note(&self, name: ChunkName) {
        self.names.write().unwrap_or_else(PoisonError::into_inner).insert(name.start, name);
    }
}

/// A chunk that is open for reading, whatever it is called meanwhile.
pub(crate) struct ChunkFile {
    name: ChunkName,
    file: Box<dyn DiskFile>,
}

impl ChunkFile {
    /// The first seqno.
    pub(crate) fn start(&self) -> u64 {
        self.name.start
    }

    /// The entry at `offset`.
    pub(crate) fn read(&self, offset: u64) -> Result<Vec<u8>, LedgerError> {
        chunk::read_entry_at(self.name, &mut FileAt { file: &*self.file, at: 0 }, offset)
    }
}

/// A file that is read from a position on.
pub(crate) struct FileAt<'a> {
    pub(crate) file: &'a dyn DiskFile,
    pub(crate) at: u64,
}

impl std::io::Read for FileAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.len().map_err(std::io::Error::other)?.saturating_sub(self.at);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let part = buffer.get_mut(..length).unwrap_or_default();
        self.file.read_at(self.at, part).map_err(std::io::Error::other)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl std::io::Seek for FileAt<'_> {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        match to {
            std::io::SeekFrom::Start(at) => self.at = at,
            _ => return Err(std::io::ErrorKind::Unsupported.into()),
        }
        Ok(self.at)
    }
}
