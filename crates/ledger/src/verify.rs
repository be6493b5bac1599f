//! Verification of a whole ledger, offline: structure of the files, order of the transactions, every signature, and
//! that nothing was changed, left out or added since it was signed.

mod network;
mod validator;

pub use network::ServiceSeen;
pub use validator::Validator;

use std::{
    fmt,
    io::{Read, Seek},
    path::Path,
};

use crypto::Certificate;
use kv::TxId;

use crate::{
    LedgerError,
    chunk::{ChunkName, ChunkReader, Positioned, Selection},
    entry::{self, FLAG_CHUNK_AFTER, FLAG_CHUNK_BEFORE},
    files,
    secrets::LedgerSecrets,
    tables,
};

/// What is verified, and against what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Which files are read.
    pub selection: Selection,
    /// The service that must be the one at the end of the ledger. Without it anybody's ledger verifies that is
    /// consistent in itself, so the caller has to compare the services in the report.
    pub service: Option<&'a Certificate>,
    /// Ledger secrets: private domains are decrypted too, and commit evidence is recomputed.
    pub secrets: Option<&'a LedgerSecrets>,
    /// A chunk that is still written may end inside an entry: the ledger of a node that runs or was killed.
    pub incomplete_tail: bool,
}

/// What a verified ledger contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of chunk files.
    pub chunks: usize,
    /// The first transaction.
    pub first: Option<TxId>,
    /// The last transaction.
    pub last: Option<TxId>,
    /// The last signature transaction. Everything before it is verified; of this transaction itself, the signed parts.
    pub verified: Option<TxId>,
    /// Number of signature transactions.
    pub signatures: u64,
    /// Number of those that the service signed too (COSE).
    pub cose_signatures: u64,
    /// Number of transactions with private writes.
    pub private: u64,
    /// Each certificate and status of the service, in the order of the ledger.
    pub services: Vec<ServiceSeen>,
    /// Bytes of an unfinished entry at the end ([`Options::incomplete_tail`]).
    pub incomplete_tail: u64,
}

impl Report {
    /// The number of transactions behind the last signature: nothing vouches for them yet.
    #[must_use]
    pub fn unverified_tail(&self) -> u64 {
        let seqno = |tx_id: Option<TxId>| tx_id.map_or(0, |tx_id| tx_id.seqno);
        seqno(self.last) - seqno(self.verified)
    }
}

/// Why a ledger does not verify: where, and what differs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub struct VerifyError {
    /// The chunk file, or the directory if it is about several files.
    pub file: String,
    /// The transaction, if it is about one.
    pub seqno: Option<u64>,
    /// What differs.
    pub source: LedgerError,
}

impl VerifyError {
    /// A fault in a file.
    pub fn new(file: impl fmt::Display, seqno: Option<u64>, source: LedgerError) -> Self {
        Self { file: file.to_string(), seqno, source }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(seqno) = self.seqno {
            write!(f, ", seqno {seqno}")?;
        }
        write!(f, ": {}", self.source)
    }
}

/// Verifies the ledger in a directory.
///
/// # Errors
/// The first fault, with file and seqno.
pub fn verify_directory(directory: &Path, options: Options<'_>) -> Result<Report, VerifyError> {
    let fault = |source| VerifyError { file: directory.display().to_string(), seqno: None, source };
    let names = files::chunks(directory, options.selection).map_err(fault)?;
    verify_chunks(&names, |name| files::open(directory, name), options)
}

/// Verifies a ledger whose chunks are opened by `open`; `names` come from [`sequence`](crate::chunk::sequence).
///
/// # Errors
/// The first fault, with file and seqno.
pub fn verify_chunks<R: Read + Seek>(
    names: &[ChunkName],
    mut open: impl FnMut(ChunkName) -> Result<ChunkReader<R>, LedgerError>,
    options: Options<'_>,
) -> Result<Report, VerifyError> {
    let mut walk = Walk { validator: Validator::new(options), names, options };
    walk.check_start()?;
    for name in names {
        let reader = open(*name).map_err(|source| walk.fault(*name, None, source))?;
        walk.chunk(reader)?;
    }
    let last = names.last().map_or_else(|| ChunkName::open(1), |name| *name);
    walk.validator
        .finish()
        .map_err(|source| walk.fault(last, None, source))
        .map(|report| Report { chunks: names.len(), ..report })
}

struct Walk<'a, 'b> {
    validator: Validator<'a>,
    names: &'b [ChunkName],
    options: Options<'a>,
}

impl Walk<'_, '_> {
    fn check_start(&self) -> Result<(), VerifyError> {
        let differs = |got: String| LedgerError::differs("first chunk", "ledger_1…", got);
        match self.names.first() {
            Some(name) if name.start == 1 => Ok(()),
            Some(name) => Err(self.fault(*name, None, differs(name.to_string()))),
            None => Err(VerifyError { file: "ledger".into(), seqno: None, source: differs("nothing".into()) }),
        }
    }

    fn chunk<R: Read + Seek>(&mut self, mut reader: ChunkReader<R>) -> Result<(), VerifyError> {
        let name = reader.name();
        let mut seqno = name.start;
        let mut last = Last::default();
        loop {
            let at = Some(seqno);
            let entry = match reader.next_entry() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(LedgerError::IncompleteTail { bytes, .. }) if self.options.incomplete_tail => {
                    self.validator.note_incomplete_tail(bytes);
                    break;
                }
                Err(source) => return Err(self.fault(name, at, source)),
            };
            last = self.entry(name, &entry, last).map_err(|source| self.fault(name, at, source))?;
            seqno += 1;
        }
        let fault = |source| self.fault(name, Some(seqno - 1), source);
        if name.end.is_some() || reader.is_complete() {
            last.check_end(name).map_err(fault)?;
        }
        Ok(())
    }

    fn entry(&mut self, name: ChunkName, positioned: &Positioned, last: Last) -> Result<Last, LedgerError> {
        let entry = entry::decode(&positioned.bytes)?;
        if last.flags & FLAG_CHUNK_AFTER != 0 {
            return Err(LedgerError::differs(
                "place of the entry",
                "in the next chunk (flag of the entry before)",
                name,
            ));
        }
        if entry.header.flags & FLAG_CHUNK_BEFORE != 0 && positioned.seqno != name.start {
            return Err(LedgerError::differs("place of the entry", "the start of a chunk (its flag)", name));
        }
        if entry.tx_id.seqno != positioned.seqno {
            return Err(LedgerError::differs("seqno of the entry", positioned.seqno, entry.tx_id.seqno));
        }
        self.validator.add(&entry)?;
        Ok(Last { flags: entry.header.flags, is_signature: entry.public.map(tables::SIGNATURES).is_some() })
    }

    /// A fault in a chunk; one that is found later than where it lies is reported where it lies.
    fn fault(&self, name: ChunkName, seqno: Option<u64>, source: LedgerError) -> VerifyError {
        let LedgerError::Changed { seqno: changed, .. } = source else {
            return VerifyError { file: name.to_string(), seqno, source };
        };
        let file = self.names.iter().rev().find(|name| name.start <= changed).unwrap_or(&name);
        VerifyError { file: file.to_string(), seqno: Some(changed), source }
    }
}

/// What the end of a chunk is judged by.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    flags: u8,
    is_signature: bool,
}

impl Last {
    fn check_end(self, name: ChunkName) -> Result<(), LedgerError> {
        if name.committed && !self.is_signature {
            return Err(LedgerError::differs("last entry of a committed chunk", "a signature", "another transaction"));
        }
        Ok(())
    }
}
