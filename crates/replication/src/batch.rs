use bytes::{BufMut, Bytes, BytesMut};
use kv::TxId;

use crate::types::Batch;

/// The version of this layout.
const VERSION: u8 = 1;
const HEADER: usize = 1 + 8 + 8;

/// What a raft log entry holds: consecutive ledger entries, the last of which is a signature transaction.
///
/// Layout, little-endian: version (1), view (8), first seqno (8), then the entries back to back; each knows its length.
/// The view and the first seqno say where the batch belongs: a batch that does not fit there is skipped, by every node
/// alike.
#[derive(Debug, Clone)]
pub(crate) struct BatchContent {
    pub(crate) first: TxId,
    pub(crate) entries: Bytes,
}

impl BatchContent {
    /// Starts a batch whose entries take about `capacity` bytes.
    pub(crate) fn start(first: TxId, capacity: usize) -> BytesMut {
        let mut bytes = BytesMut::with_capacity(HEADER + capacity);
        bytes.put_u8(VERSION);
        bytes.put_u64_le(first.view);
        bytes.put_u64_le(first.seqno);
        bytes
    }

    /// Reads a batch; `None` if it is not one.
    pub(crate) fn read(batch: &Batch) -> Option<Self> {
        let (version, rest) = batch.0.split_first()?;
        let (view, rest) = rest.split_first_chunk::<8>()?;
        let (seqno, _) = rest.split_first_chunk::<8>()?;
        let first = TxId::new(u64::from_le_bytes(*view), u64::from_le_bytes(*seqno));
        (*version == VERSION).then(|| Self { first, entries: batch.0.slice(HEADER..) })
    }

    /// Whether the batch comes right behind `last`.
    pub(crate) fn follows(&self, last: TxId) -> bool {
        self.first.seqno == last.seqno + 1 && self.first.view >= last.view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let mut bytes = BatchContent::start(TxId::new(2, 7), 3);
        bytes.extend_from_slice(b"abc");
        let read = BatchContent::read(&Batch(bytes.freeze())).unwrap();
        assert_eq!((read.first, &read.entries[..]), (TxId::new(2, 7), &b"abc"[..]));
        assert!(read.follows(TxId::new(1, 6)) && read.follows(TxId::new(2, 6)));
        assert!(!read.follows(TxId::new(3, 6)) && !read.follows(TxId::new(2, 7)));
        assert!(BatchContent::read(&Batch(Bytes::from_static(b"\x01short"))).is_none());
        assert!(BatchContent::read(&Batch(Bytes::from_static(&[2; 32]))).is_none());
    }
}
