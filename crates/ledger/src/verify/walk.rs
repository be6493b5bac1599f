use std::io::{Read, Seek};

use crypto::Digest;

use super::{
    Options, Progress, Report, VerifyError,
    check::{Check, in_parallel},
    snapshot::Watched,
    validator::{Validator, check_private},
};
use crate::{
    LedgerError,
    chunk::{ChunkName, ChunkReader, Positioned},
    entry::{self, Entry, FLAG_CHUNK_AFTER, FLAG_CHUNK_BEFORE},
    secrets::LedgerSecrets,
    snapshot::Snapshot,
    tables,
};

/// Entries that are read before they are worked on: enough for several threads, and few enough for any machine.
const BATCH_BYTES: usize = 8 << 20;
const BATCH_ENTRIES: usize = 8192;

/// Reads a ledger in batches. What needs no order (hashing, decrypting, checking signatures) is done on all processors, what
/// does on one; memory holds one batch.
pub(super) struct Walk<'a, 'b> {
    validator: Validator<'a>,
    names: &'b [ChunkName],
    options: Options<'a>,
    snapshots: Vec<Watched>,
    progress: &'b mut dyn FnMut(Progress),
    bytes: u64,
}

/// An entry, taken apart.
struct Prepared<'a> {
    entry: Entry<'a>,
    leaf: Digest,
}

/// Why reading stopped.
enum Stop {
    Full,
    End,
    Fault(LedgerError),
}

impl<'a, 'b> Walk<'a, 'b> {
    pub(super) fn new(
        names: &'b [ChunkName],
        snapshots: Vec<Snapshot>,
        options: Options<'a>,
        progress: &'b mut dyn FnMut(Progress),
    ) -> Self {
        let snapshots = snapshots.into_iter().map(Watched::new).collect();
        Self { validator: Validator::new(options), names, options, snapshots, progress, bytes: 0 }
    }

    pub(super) fn check_start(&self) -> Result<(), VerifyError> {
        let differs = |got: String| LedgerError::differs("first chunk", "ledger_1…", got);
        match self.names.first() {
            Some(name) if name.start == 1 => Ok(()),
            Some(name) => Err(self.fault(*name, None, differs(name.to_string()))),
            None => Err(VerifyError { file: "ledger".into(), seqno: None, source: differs("nothing".into()) }),
        }
    }

    pub(super) fn chunk<R: Read + Seek>(&mut self, mut reader: ChunkReader<R>) -> Result<(), VerifyError> {
        let name = reader.name();
        let (mut next, mut last) = (name.start, Last::default());
        loop {
            let (batch, stop) = read_batch(&mut reader);
            last = self.batch(name, &batch, last)?;
            next += batch.len() as u64;
            (self.progress)(Progress { file: name, seqno: next - 1, bytes: self.bytes });
            match stop {
                Stop::Full => {}
                Stop::End => break,
                Stop::Fault(LedgerError::IncompleteTail { bytes, .. }) if self.options.incomplete_tail => {
                    self.validator.note_incomplete_tail(bytes);
                    break;
                }
                Stop::Fault(source) => return Err(self.fault(name, Some(next), source)),
            }
        }
        if name.end.is_some() || reader.is_complete() {
            last.check_end(name).map_err(|source| self.fault(name, Some(next - 1), source))?;
        }
        Ok(())
    }

    /// Checks the entries of a batch, and reports the first fault in the order of the ledger.
    fn batch(&mut self, name: ChunkName, batch: &[Positioned], mut last: Last) -> Result<Last, VerifyError> {
        let secrets = self.options.secrets;
        let prepared = in_parallel(batch, |positioned| prepare(positioned, secrets));
        let (mut checks, mut found, mut fault) = (Vec::new(), Vec::new(), None);
        for (positioned, prepared) in batch.iter().zip(prepared) {
            let taken = prepared.and_then(|prepared| self.entry(name, positioned, &prepared, last, &mut found));
            checks.extend(found.drain(..).map(|check| (positioned.seqno, check)));
            match taken {
                Ok(next) => last = next,
                Err(source) => {
                    fault = Some((positioned.seqno, source));
                    break;
                }
            }
        }
        // Where a root differs, the signature over it says nothing more.
        checks.retain(|(seqno, _)| fault.as_ref().is_none_or(|(at, _)| seqno < at));
        let checked = in_parallel(&checks, |(seqno, check)| check.run().map_err(|source| (*seqno, source)));
        if let Some((seqno, source)) = checked.into_iter().find_map(Result::err).or(fault) {
            return Err(self.fault(name, Some(seqno), source));
        }
        self.bytes += batch.iter().map(|positioned| positioned.bytes.len() as u64).sum::<u64>();
        self.validator.forget();
        Ok(last)
    }

    fn entry(
        &mut self,
        name: ChunkName,
        positioned: &Positioned,
        prepared: &Prepared<'_>,
        last: Last,
        checks: &mut Vec<Check>,
    ) -> Result<Last, LedgerError> {
        let Prepared { entry, leaf } = prepared;
        if last.flags & FLAG_CHUNK_AFTER != 0 {
            let expected = "in the next chunk (flag of the entry before)";
            return Err(LedgerError::differs("place of the entry", expected, name));
        }
        if entry.header.flags & FLAG_CHUNK_BEFORE != 0 && positioned.seqno != name.start {
            return Err(LedgerError::differs("place of the entry", "the start of a chunk (its flag)", name));
        }
        if entry.tx_id.seqno != positioned.seqno {
            return Err(LedgerError::differs("seqno of the entry", positioned.seqno, entry.tx_id.seqno));
        }
        self.validator.take(entry, *leaf, checks)?;
        self.snapshots.iter_mut().for_each(|snapshot| snapshot.compare(entry, leaf));
        Ok(Last { flags: entry.header.flags, is_signature: entry.public.map(tables::SIGNATURES).is_some() })
    }

    /// A fault in a chunk; one that is found later than where it lies is reported where it lies.
    pub(super) fn fault(&self, name: ChunkName, seqno: Option<u64>, source: LedgerError) -> VerifyError {
        let LedgerError::Changed { seqno: changed, .. } = source else {
            return VerifyError { file: name.to_string(), seqno, source };
        };
        let file = self.names.iter().rev().find(|name| name.start <= changed).unwrap_or(&name);
        VerifyError { file: file.to_string(), seqno: Some(changed), source }
    }
}

impl Walk<'_, '_> {
    /// What was seen, at the end of the ledger.
    pub(super) fn finish(self) -> Result<Report, VerifyError> {
        let last = self.names.last().map_or_else(|| ChunkName::open(1), |name| *name);
        let report = self.validator.finish().map_err(|source| self.fault(last, None, source))?;
        let verified = report.verified.map_or(0, |verified| verified.seqno);
        let services = self.validator.service_certificates();
        let snapshots = self.snapshots.into_iter().map(|snapshot| {
            let name = snapshot.name();
            let seen = snapshot.finish(verified, &services);
            seen.map_err(|source| VerifyError::new(name, Some(name.evidence), source))
        });
        let snapshots = snapshots.collect::<Result<_, _>>()?;
        Ok(Report { chunks: self.names.len(), snapshots, ..report })
    }
}

fn prepare<'e>(positioned: &'e Positioned, secrets: Option<&LedgerSecrets>) -> Result<Prepared<'e>, LedgerError> {
    let entry = entry::decode(&positioned.bytes)?;
    check_private(&entry, secrets)?;
    Ok(Prepared { leaf: entry.leaf(), entry })
}

/// The next entries, and why there are no more of them.
fn read_batch<R: Read + Seek>(reader: &mut ChunkReader<R>) -> (Vec<Positioned>, Stop) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while bytes < BATCH_BYTES && batch.len() < BATCH_ENTRIES {
        match reader.next_entry() {
            Ok(Some(entry)) => {
                bytes += entry.bytes.len();
                batch.push(entry);
            }
            Ok(None) => return (batch, Stop::End),
            Err(fault) => return (batch, Stop::Fault(fault)),
        }
    }
    (batch, Stop::Full)
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
