//! The contents of a ledger for people: what each transaction writes.

use std::{
    fmt,
    io::{Read, Seek},
    ops::RangeInclusive,
    path::Path,
};

use serde::{Serialize, Serializer};

use crate::{
    LedgerError,
    chunk::{ChunkReader, Selection},
    entry::{Entry, decode},
    files,
    secrets::LedgerSecrets,
};

/// What is shown.
pub struct Filter<'a> {
    /// Which files are read.
    pub selection: Selection,
    /// Which transactions.
    pub seqnos: RangeInclusive<u64>,
    /// Which tables; a transaction that writes none of them is left out. `None` for all, and all transactions.
    pub table: Option<&'a dyn Fn(&str) -> bool>,
    /// With the ledger secrets private tables are shown too.
    pub secrets: Option<&'a LedgerSecrets>,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Self { selection: Selection::default(), seqnos: 1..=u64::MAX, table: None, secrets: None }
    }
}

impl fmt::Debug for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("seqnos", &self.seqnos).finish_non_exhaustive()
    }
}

/// One transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Position in the ledger.
    pub seqno: u64,
    /// View.
    pub view: u64,
    /// Flags of the entry: 1 a new chunk starts behind it, 2 a new chunk starts before it.
    pub flags: u8,
    /// Size of the entry in bytes.
    pub size: usize,
    /// Hex of the digest of the application's claims, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims_digest: Option<String>,
    /// The tables that it writes, in name order.
    pub tables: Vec<Table>,
    /// Bytes of its encrypted part.
    pub private_bytes: usize,
}

/// The writes to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Name of the table.
    pub name: String,
    /// Its writes, in key order.
    pub writes: Vec<Write>,
}

/// One write or removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// The key.
    pub key: Shown,
    /// The new value; `None` for a removal.
    pub value: Option<Shown>,
}

/// Bytes as text if they are printable UTF-8, otherwise as hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Printable text, line breaks and tabs included.
    Text(String),
    /// Hex digits.
    Hex(String),
}

impl From<&[u8]> for Shown {
    fn from(bytes: &[u8]) -> Self {
        let printable = |text: &&str| text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        match std::str::from_utf8(bytes).ok().filter(printable) {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Hex(hex::encode(bytes)),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Hex(hex) => write!(f, "0x{hex}"),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Hands the transactions of a directory that pass the filter to `each`, in order.
///
/// Nothing is verified but the structure of what is read. An unfinished entry at the end of the last chunk is left out.
///
/// # Errors
/// A fault of the structure, or a secret that does not open a private part.
pub fn show_directory(directory: &Path, filter: &Filter<'_>, mut each: impl FnMut(Record)) -> Result<(), LedgerError> {
    for name in files::chunks(directory, filter.selection)? {
        let behind = name.end.is_some_and(|end| end < *filter.seqnos.start());
        if !behind && name.start <= *filter.seqnos.end() {
            show_chunk(files::open(directory, name)?, filter, &mut each)?;
        }
    }
    Ok(())
}

/// Hands the transactions of a chunk that pass the filter to `each`, in order.
///
/// # Errors
/// As [`show_directory`].
pub fn show_chunk<R: Read + Seek>(
    mut reader: ChunkReader<R>,
    filter: &Filter<'_>,
    each: &mut impl FnMut(Record),
) -> Result<(), LedgerError> {
    loop {
        let next = match reader.next_entry() {
            Err(LedgerError::IncompleteTail { .. }) => None,
            next => next?,
        };
        let Some(next) = next.filter(|next| next.seqno <= *filter.seqnos.end()) else { return Ok(()) };
        if filter.seqnos.contains(&next.seqno) {
            record(&decode(&next.bytes)?, filter)?.into_iter().for_each(&mut *each);
        }
    }
}

/// A transaction for people, unless the filter leaves it out.
///
/// # Errors
/// A secret that does not open the private part.
pub fn record(entry: &Entry<'_>, filter: &Filter<'_>) -> Result<Option<Record>, LedgerError> {
    let opened = filter.secrets.map(|secrets| entry.open(secrets)).transpose()?;
    let wanted = |name: &str| filter.table.is_none_or(|table| table(name));
    let tables: Vec<Table> = opened
        .as_ref()
        .unwrap_or(&entry.public)
        .maps()
        .filter(|(name, _)| wanted(name))
        .map(|(name, writes)| Table { name: name.to_owned(), writes: writes.iter().map(write).collect() })
        .collect();
    if tables.is_empty() && filter.table.is_some() {
        return Ok(None);
    }
    Ok(Some(Record {
        seqno: entry.tx_id.seqno,
        view: entry.tx_id.view,
        flags: entry.header.flags,
        size: entry.bytes().len(),
        claims_digest: entry.claims_digest.filter(|digest| *digest != [0; 32]).map(hex::encode),
        tables,
        private_bytes: entry.private.len(),
    }))
}

fn write((key, value): (&bytes::Bytes, &Option<bytes::Bytes>)) -> Write {
    Write { key: Shown::from(key.as_ref()), value: value.as_ref().map(|value| Shown::from(value.as_ref())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_other_bytes_become_hex() {
        assert_eq!(Shown::from(b"a \xc3\xa9\n".as_slice()), Shown::Text("a é\n".into()));
        assert_eq!(Shown::from([0; 8].as_slice()).to_string(), "0x0000000000000000");
        assert_eq!(Shown::from([0xff].as_slice()), Shown::Hex("ff".into()));
    }
}
