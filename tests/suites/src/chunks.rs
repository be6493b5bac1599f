//! A reader of ledger chunks that shares no code with the one under test: the layout of CCF's files, as documented by
//! CCF, and nothing but `std`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Result;

const HEADER: usize = 8;
const TAG: usize = 16;
const IV: usize = 12;

/// One entry: a transaction.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Sequence number, of the initialisation vector.
    pub seqno: u64,
    /// View, of the initialisation vector.
    pub view: u32,
    /// Initialisation vector of AES-GCM.
    pub iv: [u8; IV],
    /// Authentication tag of AES-GCM.
    pub tag: [u8; TAG],
    /// The public domain, which is also the additional authenticated data.
    pub public: Vec<u8>,
    /// The private domain, encrypted.
    pub private: Vec<u8>,
    /// All bytes, header included.
    pub bytes: Vec<u8>,
}

/// Writes of one table: a removed key has no value.
pub type Table = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Entry {
    /// `view.seqno`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}.{}", self.view, self.seqno)
    }

    /// Digest of the commit evidence, in entries that have claims too (type 4).
    #[must_use]
    pub fn commit_evidence_digest(&self) -> Option<[u8; 32]> {
        let (kind, rest) = self.public.split_first()?;
        rest.get(8 + 32..)?.first_chunk().copied().filter(|_| *kind == 4)
    }

    /// The public tables that this transaction wrote.
    ///
    /// # Errors
    /// If the bytes are not of the documented form.
    pub fn public_tables(&self) -> Result<BTreeMap<String, Table>> {
        let mut cursor = Cursor { rest: &self.public };
        let kind = cursor.bytes(1)?[0];
        cursor.u64()?;
        let digests = match kind {
            0 => 0,
            2 | 3 => 32,
            4 => 64,
            other => return Err(format!("{}: entry type {other}", self.id()).into()),
        };
        cursor.bytes(digests)?;
        cursor.u64()?;
        let mut tables = BTreeMap::new();
        while !cursor.rest.is_empty() {
            let name = String::from_utf8(cursor.sized()?.to_vec())?;
            tables.insert(name, cursor.table()?);
        }
        Ok(tables)
    }
}

/// All entries of a ledger directory in order, those of the open chunk included.
///
/// # Errors
/// If a file is not of the documented form, or the sequence numbers leave a gap.
pub fn read(ledger: &Path) -> Result<Vec<Entry>> {
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    for file in std::fs::read_dir(ledger)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(range) = name.strip_prefix("ledger_") else { continue };
        if !name.ends_with(".ignored") {
            let start = range.split(['-', '.']).next().unwrap_or_default();
            files.push((start.parse().map_err(|_| format!("no start in {name}"))?, path));
        }
    }
    files.sort();
    let mut entries = Vec::new();
    for (_, path) in files {
        read_chunk(&std::fs::read(&path)?, &mut entries).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    for (index, entry) in entries.iter().enumerate() {
        if entry.seqno != index as u64 + 1 {
            return Err(format!("entry {} has seqno {}", index + 1, entry.seqno).into());
        }
    }
    Ok(entries)
}

fn read_chunk(bytes: &[u8], entries: &mut Vec<Entry>) -> Result<()> {
    let mut cursor = Cursor { rest: bytes };
    let table = usize::try_from(cursor.u64()?)?;
    if table != 0 {
        cursor.rest = bytes.get(HEADER..table).ok_or("the position table lies outside")?;
    }
    while !cursor.rest.is_empty() {
        let whole = cursor.rest;
        let header = cursor.bytes(HEADER)?;
        let mut size = [0; 8];
        size[..6].copy_from_slice(&header[2..]);
        let size = usize::try_from(u64::from_le_bytes(size))?;
        let body = cursor.bytes(size)?;
        entries.push(read_entry(&whole[..HEADER + size], body)?);
    }
    Ok(())
}

fn read_entry(bytes: &[u8], body: &[u8]) -> Result<Entry> {
    let mut cursor = Cursor { rest: body };
    let tag = cursor.bytes(TAG)?.try_into()?;
    let iv: [u8; IV] = cursor.bytes(IV)?.try_into()?;
    let public = cursor.sized()?.to_vec();
    let seqno = u64::from_le_bytes(iv[..8].try_into()?);
    let view = u32::from_le_bytes(iv[8..].try_into()?) & 0x7fff_ffff;
    Ok(Entry { seqno, view, iv, tag, public, private: cursor.rest.to_vec(), bytes: bytes.to_vec() })
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("the bytes end in the middle of an entry")?;
        self.rest = rest;
        Ok(taken)
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(8)?.try_into()?))
    }

    fn sized(&mut self) -> Result<&'a [u8]> {
        let size = usize::try_from(self.u64()?)?;
        self.bytes(size)
    }

    fn table(&mut self) -> Result<Table> {
        self.u64()?;
        if self.u64()? != 0 {
            return Err("an entry must not hold reads".into());
        }
        let mut table = Table::new();
        for _ in 0..self.u64()? {
            let key = self.sized()?.to_vec();
            table.insert(key, Some(self.sized()?.to_vec()));
        }
        for _ in 0..self.u64()? {
            table.insert(self.sized()?.to_vec(), None);
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genuine(name: &str) -> Vec<Entry> {
        read(&crate::repository().join("tests/data/ccf-ledgers").join(name).join("ledger")).unwrap()
    }

    #[test]
    fn reads_the_ledger_of_a_genuine_service() {
        let entries = genuine("cose_flipflop_service");
        assert_eq!(entries.len(), 46);
        assert_eq!(entries[16].id(), "2.17");
        let genesis = entries[0].public_tables().unwrap();
        assert!(genesis.contains_key("public:ccf.gov.service.info"));
        let signature = entries[1].public_tables().unwrap();
        assert!(signature.contains_key("public:ccf.internal.signatures"));
    }

    #[test]
    fn refuses_a_chunk_that_ends_in_an_entry() {
        let entry = genuine("cose_flipflop_service").remove(0);
        let mut chunk = vec![0; 8];
        chunk.extend(&entry.bytes);
        chunk.pop();
        assert!(read_chunk(&chunk, &mut Vec::new()).is_err());
    }
}
