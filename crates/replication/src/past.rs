//! What is asked about transactions that lie in the ledger files.

use std::sync::Arc;

use bytes::Bytes;
use kv::{TxId, UNIT_KEY};
use ledger::{
    LedgerError,
    entry::{self, Entry},
    merkle::Tree,
    receipt::{Components, Receipt},
    signature::NodeSignature,
    tables,
};

use crate::{
    Status,
    history::{Missing, Place, Progress, Range},
    shared::Shared,
    store::{ChunkFile, EntryReader},
};

/// Bytes of entries that are read for a page, beyond its first one.
const MAX_PAGE_BYTES: usize = 8 << 20;

/// Why a question about the past has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// Only committed transactions have receipts.
    #[error("the transaction is {0:?}")]
    NotCommitted(Status),
    /// The node was started from a snapshot and still reads what lies before it. Ask again.
    #[error("the ledger is being indexed: {} of {} transactions", .0.done, .0.total)]
    Indexing(Progress),
    /// What lies before the snapshot that the node was started from cannot be read; the text names the file.
    #[error("{0}")]
    Unreadable(Arc<str>),
    /// The ledger could not be read or is not what was written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<Missing> for Unavailable {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Indexing(progress) => Self::Indexing(progress),
            Missing::Unreadable(why) => Self::Unreadable(why),
        }
    }
}

/// A committed write to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastWrite {
    /// The transaction that wrote it.
    pub seqno: u64,
    /// The value; `None` for a removal.
    pub value: Option<Bytes>,
}

/// Some of the writes in a range, in the order that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The writes; none only if there are none in the range.
    pub writes: Vec<PastWrite>,
    /// The next write in the range, which has no place on this page.
    pub next: Option<u64>,
}

/// Reads what is committed from the ledger files. The host can change those, so an entry counts only if it is the one in
/// the history.
pub(crate) struct Past {
    shared: Arc<Shared>,
    reader: EntryReader,
}

impl Past {
    pub(crate) fn new(shared: Arc<Shared>, reader: EntryReader) -> Self {
        Self { shared, reader }
    }

    /// The receipt of a committed transaction: its path in the tree that the next signature transaction carries.
    pub(crate) fn receipt(&self, id: TxId) -> Result<Receipt, Unavailable> {
        let signed = self.shared.history().signature_for(id.seqno)?;
        let signed = signed.ok_or(Unavailable::NotCommitted(Status::Pending))?;
        let mut chunk = None;
        let bytes = self.read(self.place(signed)?, signed, &mut chunk)?;
        let signing = entry::decode(&bytes)?;
        let signature = NodeSignature::from_json(value(&signing, tables::SIGNATURES))?;
        if signed == id.seqno {
            return Ok(Receipt::of_signature(&signature, Vec::new())?);
        }
        let tree = Tree::parse(value(&signing, tables::TREE))?;
        let bytes = self.read(self.place(id.seqno)?, id.seqno, &mut chunk)?;
        let components = self.components(id, &entry::decode(&bytes)?)?;
        Ok(Receipt::of_transaction(id.seqno, &components, &tree, &signature, Vec::new())?)
    }

    /// The committed writes to a key of a watched map in a range.
    pub(crate) fn writes_to(&self, map: &str, key: &[u8], range: &Range) -> Result<Page, Unavailable> {
        let seqnos = self.seqnos(map, key, range)?;
        let (mut writes, mut read, mut chunk) = (Vec::new(), 0, None);
        for seqno in seqnos {
            if writes.len() >= range.at_most || read > MAX_PAGE_BYTES {
                return Ok(Page { writes, next: Some(seqno) });
            }
            let bytes = self.read(self.place(seqno)?, seqno, &mut chunk)?;
            read += bytes.len();
            // Of the private domain nothing is watched.
            let value = entry::decode(&bytes)?.public.get(map, key).flatten().cloned();
            writes.push(PastWrite { seqno, value });
        }
        Ok(Page { writes, next: None })
    }

    /// Where the committed writes to a key of a watched map in a range are: as many as the range allows, and one more if
    /// there is one.
    pub(crate) fn seqnos(&self, map: &str, key: &[u8], range: &Range) -> Result<Vec<u64>, Missing> {
        let committed = self.shared.committed().state.tx_id().seqno;
        let range = Range { to: range.to.min(committed), at_most: range.at_most.max(1), ..*range };
        self.shared.history().writes_to(map, key, &range)
    }

    /// Where an entry is. The history is not kept locked while it is read: the commit thread needs it for each batch.
    fn place(&self, seqno: u64) -> Result<Place, Unavailable> {
        let missing = LedgerError::NoLeaf { index: seqno, first: 0, size: seqno };
        Ok(self.shared.history().place(seqno)?.ok_or(missing)?)
    }

    /// An entry from its chunk file, which is kept open for the next one.
    fn read(&self, place: Place, seqno: u64, chunk: &mut Option<ChunkFile>) -> Result<Vec<u8>, LedgerError> {
        let open = match chunk.take().filter(|open| open.start() == place.chunk) {
            Some(open) => open,
            None => self.reader.open(place.chunk)?,
        };
        let bytes = open.read(place.offset)?;
        *chunk = Some(open);
        let got = entry::decode(&bytes)?.leaf();
        if got == place.leaf {
            return Ok(bytes);
        }
        Err(LedgerError::Changed { seqno, expected: hex::encode(place.leaf), got: hex::encode(got) })
    }

    fn components(&self, id: TxId, entry: &Entry<'_>) -> Result<Components, LedgerError> {
        Ok(Components {
            write_set_digest: entry.write_set_digest(),
            commit_evidence: self.shared.secrets().require(id.seqno)?.commit_evidence(id),
            claims_digest: entry.claims_digest,
        })
    }
}

/// The value of a public table of one value; nothing if the transaction does not write it.
fn value<'a>(entry: &'a Entry<'_>, table: &str) -> &'a [u8] {
    entry.public.get(table, &UNIT_KEY).flatten().map_or(&[], |value| value.as_ref())
}
