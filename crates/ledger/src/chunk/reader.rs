use std::io::{BufReader, Read, Seek, SeekFrom};

use super::{CHUNK_HEADER_LEN, ChunkName};
use crate::{
    LedgerError,
    entry::{HEADER_LEN, Header},
};

/// An entry with its place in a chunk file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Positioned {
    /// The seqno that the place stands for; whether the entry says so too is for the reader's user to check.
    pub seqno: u64,
    /// Where the entry starts in the file.
    pub offset: u64,
    /// The entry.
    pub bytes: Vec<u8>,
}

/// Reads a chunk from front to back, and checks its structure on the way.
#[derive(Debug)]
pub struct ChunkReader<R> {
    name: ChunkName,
    reader: BufReader<R>,
    /// Where the next entry starts.
    at: u64,
    /// Where the entries end.
    end: u64,
    /// The position table of a complete chunk.
    positions: Option<Vec<u32>>,
    next_seqno: u64,
}

impl<R: Read + Seek> ChunkReader<R> {
    /// Opens a chunk and reads its position table, if it has one.
    ///
    /// # Errors
    /// A table that lies outside the file or has not as many positions as the name says; no table in a chunk whose name
    /// says that it is complete; an I/O error.
    pub fn open(name: ChunkName, mut reader: R) -> Result<Self, LedgerError> {
        let io = |error| LedgerError::io(name, error);
        let len = reader.seek(SeekFrom::End(0)).map_err(io)?;
        reader.rewind().map_err(io)?;
        if len < CHUNK_HEADER_LEN {
            return Err(LedgerError::Truncated { field: "header of the chunk" });
        }
        let mut header = [0; 8];
        reader.read_exact(&mut header).map_err(io)?;
        let table = u64::from_le_bytes(header);
        let positions = if table == 0 { None } else { Some(read_positions(&mut reader, name, table, len)?) };
        check_positions(name, positions.as_deref())?;
        reader.seek(SeekFrom::Start(CHUNK_HEADER_LEN)).map_err(io)?;
        let end = if table == 0 { len } else { table };
        let reader = BufReader::with_capacity(1 << 16, reader);
        Ok(Self { name, reader, at: CHUNK_HEADER_LEN, end, positions, next_seqno: name.start })
    }

    /// The name that the chunk was opened with.
    #[must_use]
    pub fn name(&self) -> ChunkName {
        self.name
    }

    /// Whether the chunk has a position table, so that nothing is written to it any more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.positions.is_some()
    }

    /// Where the next entry starts, which behind the last one is where an open chunk goes on.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// The next entry, or `None` behind the last one.
    ///
    /// # Errors
    /// [`LedgerError::IncompleteTail`] where an open chunk ends inside an entry; another position than the table says;
    /// an entry that reaches beyond the entries' end; an I/O error.
    pub fn next_entry(&mut self) -> Result<Option<Positioned>, LedgerError> {
        let index = usize::try_from(self.next_seqno - self.name.start).unwrap_or(usize::MAX);
        let listed = self.positions.as_ref().map(|positions| positions.get(index).copied());
        if self.at == self.end {
            return match listed.flatten() {
                Some(position) => {
                    Err(LedgerError::differs("number of positions", index, format!("more, with {position}")))
                }
                None => Ok(None),
            };
        }
        if let Some(listed) = listed.filter(|listed| listed.map(u64::from) != Some(self.at)) {
            let got = listed.map_or("missing".to_owned(), |position| position.to_string());
            return Err(LedgerError::differs("position of the entry in the position table", self.at, got));
        }
        let bytes = self.read_entry()?;
        let entry = Positioned { seqno: self.next_seqno, offset: self.at, bytes };
        self.at += entry.bytes.len() as u64;
        self.next_seqno += 1;
        Ok(Some(entry))
    }

    fn read_entry(&mut self) -> Result<Vec<u8>, LedgerError> {
        let left = self.end - self.at;
        if left < HEADER_LEN as u64 {
            return Err(self.cut_off(left));
        }
        let io = |error| LedgerError::io(self.name, error);
        let mut header = [0; HEADER_LEN];
        self.reader.read_exact(&mut header).map_err(io)?;
        let size = Header::from_bytes(header)?.size;
        if size > left - HEADER_LEN as u64 {
            return Err(self.cut_off(left));
        }
        read_rest(&mut self.reader, header, size).map_err(io)
    }

    fn cut_off(&self, bytes: u64) -> LedgerError {
        match self.positions {
            Some(_) => LedgerError::Truncated { field: "entry (the position table follows)" },
            None => LedgerError::IncompleteTail { offset: self.at, bytes },
        }
    }
}

/// The rest of an entry behind its header. Memory is taken as the bytes come.
fn read_rest(reader: &mut impl Read, header: [u8; HEADER_LEN], size: u64) -> std::io::Result<Vec<u8>> {
    let capacity = usize::try_from(size).unwrap_or(usize::MAX).min(1 << 20) + HEADER_LEN;
    let mut bytes = Vec::with_capacity(capacity);
    bytes.extend_from_slice(&header);
    let read = reader.take(size).read_to_end(&mut bytes)?;
    if read as u64 == size { Ok(bytes) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
}

fn read_positions(
    reader: &mut (impl Read + Seek),
    name: ChunkName,
    at: u64,
    len: u64,
) -> Result<Vec<u32>, LedgerError> {
    let io = |error| LedgerError::io(name, error);
    if at < CHUNK_HEADER_LEN || at > len || !(len - at).is_multiple_of(4) {
        let expected = format!("0, or 8 to {len} with a multiple of 4 bytes behind it");
        return Err(LedgerError::differs("offset of the position table", expected, at));
    }
    reader.seek(SeekFrom::Start(at)).map_err(io)?;
    let mut bytes = Vec::new();
    reader.take(len - at).read_to_end(&mut bytes).map_err(io)?;
    let (positions, _) = bytes.as_chunks::<4>();
    Ok(positions.iter().map(|position| u32::from_le_bytes(*position)).collect())
}

fn check_positions(name: ChunkName, positions: Option<&[u32]>) -> Result<(), LedgerError> {
    let Some(end) = name.end else { return Ok(()) };
    let expected = end - name.start + 1;
    match positions {
        Some(positions) if positions.len() as u64 == expected => Ok(()),
        Some(positions) => Err(LedgerError::differs("number of positions", expected, positions.len())),
        None => Err(LedgerError::differs("offset of the position table", "that of a complete chunk", 0)),
    }
}

/// Reads one entry whose place is known, for example from an index.
///
/// # Errors
/// No entry at `offset`, or an I/O error.
pub fn read_entry_at(name: ChunkName, reader: &mut (impl Read + Seek), offset: u64) -> Result<Vec<u8>, LedgerError> {
    let io = |error| LedgerError::io(name, error);
    reader.seek(SeekFrom::Start(offset)).map_err(io)?;
    let mut header = [0; HEADER_LEN];
    reader.read_exact(&mut header).map_err(io)?;
    let size = Header::from_bytes(header)?.size;
    read_rest(reader, header, size).map_err(io)
}
