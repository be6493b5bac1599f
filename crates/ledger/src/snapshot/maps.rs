use std::io::Read;

use kv::{RestoreError, State, StateBuilder};

use super::{fields::Fields, malformed, views::Views};
use crate::LedgerError;

/// Puts the maps of a snapshot together, or only checks them.
pub(super) struct Maps {
    seqno: u64,
    views: Views,
    builder: StateBuilder,
    /// Whether the maps are kept; else only the one that is read at the moment is, to find keys that are there twice.
    keep: bool,
}

impl Maps {
    pub(super) fn new(seqno: u64, views: Views, keep: bool) -> Result<Self, LedgerError> {
        views.check_last(seqno)?;
        let builder = StateBuilder::new(views.of(seqno)?);
        Ok(Self { seqno, views, builder, keep })
    }

    /// Reads all maps of a domain.
    pub(super) fn read(&mut self, fields: &mut Fields<impl Read>, public: bool) -> Result<(), LedgerError> {
        let mut previous = String::new();
        while fields.left() > 0 {
            let name = read_name(fields)?;
            if name <= previous {
                let expected = format!("one behind {previous:?}");
                return Err(LedgerError::differs("name of a map", expected, format!("{name:?}")));
            }
            if kv::is_public(&name) != public {
                let expected = if public { "a public map" } else { "a private map" };
                return Err(LedgerError::differs("name of a map", expected, format!("{name:?}")));
            }
            self.map(fields, &name)?;
            previous = name;
        }
        Ok(())
    }

    fn map(&mut self, fields: &mut Fields<impl Read>, name: &str) -> Result<(), LedgerError> {
        if !self.keep {
            self.builder = StateBuilder::new(self.views.of(self.seqno)?);
        }
        let changed = self.views.of(fields.u64("version of a map")?)?;
        self.builder.map(name, changed).map_err(refused)?;
        let len = fields.u64("length of a map")?;
        let end = fields.left().checked_sub(len).ok_or(LedgerError::Truncated { field: "entries of a map" })?;
        while fields.left() > end {
            self.entry(fields)?;
        }
        // An entry that goes on behind the end of its map.
        if fields.left() < end {
            return Err(malformed(format_args!("the entries of map {name:?} are longer than it says")));
        }
        Ok(())
    }

    fn entry(&mut self, fields: &mut Fields<impl Read>) -> Result<(), LedgerError> {
        let len = fields.u64("length of a key")?;
        let key = fields.padded(len, "key")?;
        // The version counts as part of the value.
        let len = fields.u64("length of a value")?;
        let len = len.checked_sub(8).ok_or_else(|| LedgerError::differs("length of a value", "8 at least", len))?;
        let written = self.views.of(fields.u64("version of a value")?)?;
        let value = fields.padded(len, "value")?;
        self.builder.entry(key.into(), value.into(), written).map_err(refused)
    }

    /// What was read so far, if it is kept.
    pub(super) fn so_far(&mut self) -> &State {
        self.builder.so_far()
    }

    pub(super) fn finish(self) -> (State, Views) {
        (self.builder.finish(), self.views)
    }
}

fn read_name(fields: &mut Fields<impl Read>) -> Result<String, LedgerError> {
    let len = fields.u64("length of the name of a map")?;
    let name = fields.bytes(len, "name of a map")?;
    String::from_utf8(name).map_err(|error| LedgerError::malformed("name of a map", error.utf8_error()))
}

fn refused(error: RestoreError) -> LedgerError {
    malformed(error)
}

#[cfg(test)]
mod tests {
    use kv::{TxId, WriteSet};
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::{
        SnapshotName,
        layout::{Laid, Pieces},
    };

    const NAME: SnapshotName = SnapshotName { seqno: 9, evidence: 10, committed: true };

    fn views() -> Views {
        Views::up_to(TxId::new(3, 9), &[TxId::new(2, 1), TxId::new(3, 6)]).unwrap()
    }

    fn state() -> State {
        let mut state = State::default();
        for seqno in 1..=9 {
            let mut writes = WriteSet::default();
            writes.put("public:a", seqno.to_string(), "x".repeat(seqno));
            writes.put("public:b", "k".repeat(seqno / 2), "");
            writes.remove("public:empty", "");
            state.apply(views().of(seqno as u64).unwrap(), &writes);
        }
        state
    }

    /// The records of all maps.
    fn lay(state: &State) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut take = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        let gcm = crypto::AesKey::from_bytes([0; 32]).unwrap().gcm_stream(&[0; 12]).unwrap();
        let mut pieces = Pieces::new(gcm, &mut take);
        state.maps().for_each(|(name, map)| Laid::new(name, map).put(&mut pieces).unwrap());
        pieces.finish().unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<State, LedgerError> {
        let mut maps = Maps::new(NAME.seqno, views(), true)?;
        maps.read(&mut Fields::new(NAME, bytes, bytes.len() as u64), true)?;
        Ok(maps.finish().0)
    }

    /// No two records mean the same: what is read means exactly the bytes that it was read from, but for the order of
    /// entries.
    fn check(bytes: &[u8]) {
        if let Ok(state) = read(bytes) {
            let (mut expected, mut got) = (lay(&state), bytes.to_vec());
            expected.sort_unstable();
            got.sort_unstable();
            assert_eq!(expected, got);
        }
    }

    #[test]
    fn what_is_laid_is_read() {
        assert_eq!(read(&lay(&state())).unwrap(), state());
    }

    proptest! {
        #[test]
        fn each_byte_has_one_meaning(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let mut bytes = lay(&state());
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            check(&bytes);
        }

        #[test]
        fn anything_is_read_without_panic(bytes in prop::collection::vec(prop_oneof![Just(0u8), Just(8), any::<u8>()], 0..200)) {
            check(&bytes);
        }
    }

    #[test]
    fn lengths_are_not_believed() {
        // Name, entries, a key and a value, each of 2^63 bytes.
        let bytes = lay(&state());
        for at in [0, 24, 32, 48] {
            let mut bytes = bytes.clone();
            bytes[at + 7] = 0x80;
            let error = read(&bytes).unwrap_err();
            assert!(matches!(error, LedgerError::Truncated { .. }), "{at}: {error}");
        }
        // Between two maps a domain may end.
        for length in 0..bytes.len() {
            if let Ok(shorter) = read(&bytes[..length]) {
                assert_eq!(lay(&shorter), &bytes[..length]);
            }
        }
    }
}
