use crypto::{GcmStream, Zeroizing};
use kv::Map;

use super::{PIECE, padding};
use crate::LedgerError;

/// A map with the length of its entries.
#[derive(Clone, Copy)]
pub(super) struct Laid<'a> {
    name: &'a str,
    map: &'a Map,
    entries_len: u64,
}

impl<'a> Laid<'a> {
    pub(super) fn new(name: &'a str, map: &'a Map) -> Self {
        let padded = |len: usize| len as u64 + padding(len as u64);
        let entries = map.iter().map(|(key, versioned)| 24 + padded(key.len()) + padded(versioned.value.len()));
        Self { name, map, entries_len: entries.sum() }
    }

    pub(super) fn is_public(&self) -> bool {
        kv::is_public(self.name)
    }

    /// Bytes of the map's record.
    pub(super) fn len(&self) -> u64 {
        24 + self.name.len() as u64 + self.entries_len
    }

    pub(super) fn put(&self, pieces: &mut Pieces<'_>) -> Result<(), LedgerError> {
        pieces.put_number(self.name.len() as u64)?;
        pieces.put(self.name.as_bytes())?;
        pieces.put_number(self.map.changed().seqno)?;
        pieces.put_number(self.entries_len)?;
        for (key, versioned) in self.map.iter() {
            pieces.put_number(key.len() as u64)?;
            pieces.put_padded(key)?;
            pieces.put_number(8 + versioned.value.len() as u64)?;
            pieces.put_number(versioned.written.seqno)?;
            pieces.put_padded(&versioned.value)?;
        }
        Ok(())
    }
}

/// Collects fields in pieces, which go through GCM and out.
pub(super) struct Pieces<'o> {
    piece: Zeroizing<Vec<u8>>,
    gcm: GcmStream,
    is_private: bool,
    out: &'o mut dyn FnMut(&[u8]) -> Result<(), LedgerError>,
}

impl<'o> Pieces<'o> {
    pub(super) fn new(gcm: GcmStream, out: &'o mut dyn FnMut(&[u8]) -> Result<(), LedgerError>) -> Self {
        Self { piece: Zeroizing::new(Vec::with_capacity(PIECE)), gcm, is_private: false, out }
    }

    /// From here on, everything is encrypted.
    pub(super) fn begin_private(&mut self) -> Result<(), LedgerError> {
        self.pass_on()?;
        self.is_private = true;
        Ok(())
    }

    /// Passes on what is left, and returns the tag.
    pub(super) fn finish(mut self) -> Result<[u8; 16], LedgerError> {
        self.pass_on()?;
        Ok(self.gcm.finish())
    }

    pub(super) fn put_number(&mut self, number: u64) -> Result<(), LedgerError> {
        self.put(&number.to_le_bytes())
    }

    pub(super) fn put(&mut self, mut bytes: &[u8]) -> Result<(), LedgerError> {
        while !bytes.is_empty() {
            let room = PIECE.saturating_sub(self.piece.len());
            let (now, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.piece.extend_from_slice(now);
            if self.piece.len() >= PIECE {
                self.pass_on()?;
            }
            bytes = rest;
        }
        Ok(())
    }

    fn put_padded(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.put(bytes)?;
        let zeros = usize::try_from(padding(bytes.len() as u64)).unwrap_or_default();
        self.put([0; 8].get(..zeros).unwrap_or_default())
    }

    fn pass_on(&mut self) -> Result<(), LedgerError> {
        if self.is_private {
            self.gcm.encrypt(&mut self.piece)?;
        } else {
            self.gcm.aad(&self.piece)?;
        }
        (self.out)(&self.piece)?;
        self.piece.clear();
        Ok(())
    }
}
