use std::path::{Path, PathBuf};

use disk::{Disk, DiskFile};

use super::{CHUNK_HEADER_LEN, ChunkName};
use crate::{LedgerError, entry::split_first};

/// The header of a chunk that has no position table yet.
const EMPTY_HEADER: [u8; CHUNK_HEADER_LEN as usize] = [0; CHUNK_HEADER_LEN as usize];

/// Writes one chunk of committed entries.
///
/// Appending does not sync: until a chunk is complete its entries must be durable elsewhere, and after a crash the
/// open chunk is cut or written again from there. Once [`ChunkWriter::complete`] has returned the chunk is durable by itself;
/// a file named `.committed` is whole after any crash.
pub struct ChunkWriter {
    file: Box<dyn DiskFile>,
    directory: PathBuf,
    name: ChunkName,
    positions: Vec<u32>,
    len: u64,
}

impl std::fmt::Debug for ChunkWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkWriter").field("name", &self.name).field("len", &self.len).finish_non_exhaustive()
    }
}

impl ChunkWriter {
    /// Starts the chunk whose first entry is `start`: `ledger_<start>` with an empty header.
    ///
    /// # Errors
    /// The file exists, or cannot be written.
    pub fn create(disk: &dyn Disk, directory: &Path, start: u64) -> Result<Self, LedgerError> {
        let name = ChunkName::open(start);
        let mut file = disk.create_new(&directory.join(name.to_string()))?;
        file.append(&EMPTY_HEADER)?;
        Ok(Self { file, directory: directory.to_owned(), name, positions: Vec::new(), len: CHUNK_HEADER_LEN })
    }

    /// Goes on with `ledger_<start>` behind the entries at `positions`, the last of which ends at `len`. Everything
    /// behind that is cut off, a position table included.
    ///
    /// # Errors
    /// The file does not exist, or cannot be written.
    pub fn resume(
        disk: &dyn Disk,
        directory: &Path,
        start: u64,
        positions: Vec<u32>,
        len: u64,
    ) -> Result<Self, LedgerError> {
        let name = ChunkName::open(start);
        let mut file = disk.open(&directory.join(name.to_string()))?;
        file.write_at(0, &EMPTY_HEADER)?;
        file.set_len(len)?;
        Ok(Self { file, directory: directory.to_owned(), name, positions, len })
    }

    /// Seqno of the first entry.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.name.start
    }

    /// Seqno of the entry that comes next.
    #[must_use]
    pub fn next_seqno(&self) -> u64 {
        self.name.start + self.positions.len() as u64
    }

    /// Bytes written, header included; the signature that crosses the configured chunk size ends the chunk.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no entry yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Appends one or more whole entries with one write, and says where each of them starts.
    ///
    /// # Errors
    /// Bytes that are not entries, or a chunk of more than 4 GiB: nothing is written then. The file cannot be written:
    /// part of the bytes may be there.
    pub fn append(&mut self, entries: &[u8]) -> Result<&[u32], LedgerError> {
        let positions = positions(entries, self.len)?;
        self.file.write_at(self.len, entries)?;
        self.len += entries.len() as u64;
        let known = self.positions.len();
        self.positions.extend(positions);
        Ok(self.positions.get(known..).unwrap_or_default())
    }

    /// Makes what was appended durable, for an orderly stop.
    ///
    /// # Errors
    /// The file cannot be synced.
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        Ok(self.file.sync_all("entries of the open chunk")?)
    }

    /// Completes the chunk: position table, its offset in the header, sync, rename to
    /// `ledger_<start>-<end>.committed`, sync of the name. The last entry must be a signature.
    ///
    /// # Errors
    /// There is no entry, or the file system fails.
    pub fn complete(mut self, disk: &dyn Disk) -> Result<ChunkName, LedgerError> {
        if self.is_empty() {
            return Err(LedgerError::differs("number of entries of a complete chunk", "at least one", 0));
        }
        let done = ChunkName::committed(self.start(), self.next_seqno() - 1);
        let table: Vec<u8> = self.positions.iter().flat_map(|position| position.to_le_bytes()).collect();
        self.file.write_at(self.len, &table)?;
        self.file.write_at(0, &self.len.to_le_bytes())?;
        // Before the rename, so that no crash leaves half a file under the name of a committed one.
        self.file.sync_all("entries and positions of a complete chunk")?;
        disk.rename(&self.directory.join(self.name.to_string()), &self.directory.join(done.to_string()))?;
        disk.sync_dir(&self.directory, "name of a complete chunk")?;
        Ok(done)
    }
}

/// Where each of the entries starts in a chunk, if the first one starts at `at`.
fn positions(entries: &[u8], at: u64) -> Result<Vec<u32>, LedgerError> {
    let (mut rest, mut at, mut positions) = (entries, at, Vec::new());
    while !rest.is_empty() {
        let too_large = |_| {
            let field = "position of an entry in its chunk";
            LedgerError::TooLarge { field, value: at, max: u64::from(u32::MAX) }
        };
        positions.push(u32::try_from(at).map_err(too_large)?);
        let (entry, behind) = split_first(rest)?;
        at += entry.len() as u64;
        rest = behind;
    }
    Ok(positions)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use disk::ForgetfulDisk;

    use super::*;
    use crate::chunk::ChunkReader;

    const ENTRIES: [&[u8]; 3] =
        [&[1, 0, 3, 0, 0, 0, 0, 0, 7, 7, 7], &[1, 0, 0, 0, 0, 0, 0, 0], &[1, 0, 1, 0, 0, 0, 0, 0, 9]];

    fn root() -> &'static Path {
        Path::new("/")
    }

    fn write(disk: &ForgetfulDisk) -> Result<ChunkName, LedgerError> {
        let mut writer = ChunkWriter::create(disk, root(), 5)?;
        assert_eq!(writer.append(ENTRIES[0])?, [8]);
        assert_eq!(writer.append(&ENTRIES[1..].concat())?, [19, 27]);
        writer.complete(disk)
    }

    fn read(disk: &ForgetfulDisk, name: ChunkName) -> Result<Vec<Vec<u8>>, LedgerError> {
        let mut reader = ChunkReader::open(name, Cursor::new(disk.read(&root().join(name.to_string()))?))?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next_entry()? {
            entries.push(entry.bytes);
        }
        Ok(entries)
    }

    #[test]
    fn a_chunk_reads_as_it_was_written() {
        let disk = ForgetfulDisk::new();
        let name = write(&disk).unwrap();
        assert_eq!(name.to_string(), "ledger_5-7.committed");
        assert_eq!(read(&disk, name).unwrap(), ENTRIES);
        assert_eq!(disk.list(root()).unwrap(), ["ledger_5-7.committed"]);
    }

    #[test]
    fn an_open_chunk_is_cut_and_goes_on() {
        let disk = ForgetfulDisk::new();
        let mut writer = ChunkWriter::create(&disk, root(), 5).unwrap();
        writer.append(&ENTRIES.concat()).unwrap();
        writer.append(&[2; 9]).unwrap_err();
        drop(writer);
        let mut file = disk.open(&root().join("ledger_5")).unwrap();
        file.append(&[1, 0, 3, 0]).unwrap();

        let mut reader =
            ChunkReader::open(ChunkName::open(5), Cursor::new(disk.read(&root().join("ledger_5")).unwrap())).unwrap();
        let mut positions = Vec::new();
        let cut = loop {
            match reader.next_entry() {
                Ok(Some(entry)) => positions.push(entry.offset as u32),
                Ok(None) => unreachable!(),
                Err(LedgerError::IncompleteTail { offset, bytes }) => break (offset, bytes),
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!((cut, reader.offset()), ((36, 4), 36));
        let mut writer = ChunkWriter::resume(&disk, root(), 5, positions, reader.offset()).unwrap();
        assert_eq!(writer.next_seqno(), 8);
        writer.append(ENTRIES[1]).unwrap();
        let name = writer.complete(&disk).unwrap();
        assert_eq!(read(&disk, name).unwrap(), [&ENTRIES[..], &ENTRIES[1..2]].concat());
    }

    #[test]
    fn an_empty_chunk_is_never_complete() {
        let disk = ForgetfulDisk::new();
        assert!(ChunkWriter::create(&disk, root(), 1).unwrap().complete(&disk).is_err());
        assert!(ChunkWriter::create(&disk, root(), 1).is_err(), "it exists");
    }

    /// Stops somewhere in between, loses the power, and says whether what is there may be there.
    fn survives(seed: u64, ignored: Option<&'static str>) -> bool {
        let disk = ForgetfulDisk::new();
        if let Some(what) = ignored {
            disk.ignore_syncs(what);
        }
        disk.fail_after(seed % 10);
        let written = write(&disk);
        let disk = disk.crash(seed);
        let name = ChunkName::committed(5, 7);
        let exists = disk.exists(&root().join(name.to_string())).unwrap();
        (exists || written.is_err()) && (!exists || read(&disk, name).is_ok_and(|entries| entries == ENTRIES))
    }

    #[test]
    fn a_committed_chunk_is_whole_after_any_crash() {
        for seed in 0..400 {
            assert!(survives(seed, None), "seed {seed}");
        }
    }

    #[test]
    fn every_sync_is_needed() {
        let disk = ForgetfulDisk::new();
        write(&disk).unwrap();
        let syncs = disk.syncs_seen();
        assert_eq!(syncs.len(), 2);
        for what in syncs {
            assert!((0..400).any(|seed| !survives(seed, Some(what))), "nothing notices when this is left out: {what}");
        }
    }
}
