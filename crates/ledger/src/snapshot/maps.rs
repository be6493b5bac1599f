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
