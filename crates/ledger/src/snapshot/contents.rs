use std::{fmt, io::Write};

use crypto::{AesKey, Digest, Hasher};
use kv::{State, TxId};

use super::{
    layout::{Laid, Pieces},
    restored::frontier,
    views::Views,
};
use crate::{
    LedgerError,
    entry::{EntryType, HEADER_LEN, Header, snapshot_iv},
    secrets::LedgerSecrets,
};

/// Bytes in front of the public domain, behind the header: tag, IV, length.
const PREFIX_LEN: u64 = 16 + 12 + 8;
/// Bytes of the public domain in front of the view history: type, seqno, max conflict version, leaf and its length, length
/// of the view history.
const FACTS_LEN: u64 = 1 + 8 + 8 + 8 + 32 + 8;

/// What a snapshot holds.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The state; its last transaction must be a signature.
    pub state: &'a State,
    /// The leaf of that transaction in the Merkle tree.
    pub leaf: Digest,
    /// The first transaction of each view, oldest first. Views without transactions may be there or not, and so may later
    /// ones than that of the state.
    pub view_history: &'a [TxId],
}

impl fmt::Debug for Contents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("state", &self.state.tx_id()).finish_non_exhaustive()
    }
}

impl<'a> Contents<'a> {
    /// The first of two passes: goes through everything to learn lengths and tag, which stand at the front. Nothing is
    /// written, and memory holds one piece.
    ///
    /// # Errors
    /// The state does not end with a signature, the view history is not that of the state, no ledger secret is known for
    /// it, or it is larger than the format can hold.
    pub fn seal(self, secrets: &LedgerSecrets) -> Result<Sealed<'a>, LedgerError> {
        let tx_id = self.state.tx_id();
        frontier(self.state, self.leaf)?;
        let views = Views::up_to(tx_id, self.view_history)?;
        check_views(self.state, &views)?;
        let maps: Vec<_> = self.state.maps().map(|(name, map)| Laid::new(name, map)).collect();
        let len = |public| maps.iter().filter(|map| map.is_public() == public).map(Laid::len).sum::<u64>();
        let public_len = FACTS_LEN + 8 * views.starts().count() as u64 + len(true);
        let size = PREFIX_LEN + public_len + len(false);
        Header { flags: 0, size }.to_bytes()?;
        let key = secrets.require(tx_id.seqno)?.key().clone();
        let mut sealed =
            Sealed { seqno: tx_id.seqno, leaf: self.leaf, views, maps, key, public_len, size, tag: [0; 16] };
        sealed.tag = sealed.pass(&mut |_| Ok(()))?;
        Ok(sealed)
    }
}

/// Transactions are written by their seqno only, so their views must be what the history says.
fn check_views(state: &State, views: &Views) -> Result<(), LedgerError> {
    let check = |tx_id: TxId| match views.of(tx_id.seqno)? {
        expected if expected == tx_id => Ok(()),
        expected => Err(LedgerError::differs("transaction in the state", expected, tx_id)),
    };
    state.maps().try_for_each(|(_, map)| {
        check(map.changed())?;
        map.iter().try_for_each(|(_, versioned)| check(versioned.written))
    })
}

/// A snapshot of which lengths and tag are known.
pub struct Sealed<'a> {
    seqno: u64,
    leaf: Digest,
    views: Views,
    maps: Vec<Laid<'a>>,
    key: AesKey,
    public_len: u64,
    /// Bytes behind the header.
    size: u64,
    tag: [u8; 16],
}

impl fmt::Debug for Sealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed").field("seqno", &self.seqno).field("size", &self.size).finish_non_exhaustive()
    }
}

impl Sealed<'_> {
    /// Bytes of the entry, which is the file without the receipt.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size + HEADER_LEN as u64
    }

    /// The second pass: writes the entry in pieces of 64 KiB, and returns its SHA-256, computed from what was written and not
    /// from what can be read back.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, out: &mut impl Write) -> Result<Digest, LedgerError> {
        let mut hasher = Hasher::default();
        let mut put = |piece: &[u8]| {
            hasher.update(piece);
            out.write_all(piece).map_err(|error| LedgerError::io(format_args!("snapshot at {}", self.seqno), error))
        };
        let header = Header { flags: 0, size: self.size }.to_bytes()?;
        let length = self.public_len.to_le_bytes();
        put(&[&header[..], &self.tag, &snapshot_iv(self.seqno), &length].concat())?;
        let tag = self.pass(&mut put)?;
        if tag != self.tag {
            return Err(LedgerError::differs("GCM tag of the second pass", hex::encode(self.tag), hex::encode(tag)));
        }
        Ok(hasher.finish())
    }

    /// Hands both domains to `out`, encrypted where they are private, and returns the tag.
    fn pass(&self, out: &mut dyn FnMut(&[u8]) -> Result<(), LedgerError>) -> Result<[u8; 16], LedgerError> {
        let mut pieces = Pieces::new(self.key.gcm_stream(&snapshot_iv(self.seqno))?, out);
        pieces.put(&[EntryType::Snapshot as u8])?;
        pieces.put_number(self.seqno)?;
        pieces.put_number(0)?;
        pieces.put_number(self.leaf.len() as u64)?;
        pieces.put(&self.leaf)?;
        pieces.put_number(8 * self.views.starts().count() as u64)?;
        self.views.starts().try_for_each(|start| pieces.put_number(start))?;
        self.maps.iter().filter(|map| map.is_public()).try_for_each(|map| map.put(&mut pieces))?;
        pieces.begin_private()?;
        self.maps.iter().filter(|map| !map.is_public()).try_for_each(|map| map.put(&mut pieces))?;
        pieces.finish()
    }
}
