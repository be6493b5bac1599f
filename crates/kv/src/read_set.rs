use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{State, TxId};

/// What a transaction saw: the version of each key it looked at (`None` for an absent one), and the maps that it
/// looked through as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    keys: BTreeMap<String, BTreeMap<Bytes, Option<TxId>>>,
    maps: BTreeMap<String, TxId>,
    exact: Option<TxId>,
}

/// Why a transaction has to run again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The key has another version now, or exists now, or no longer.
    #[error("a key of {map} has changed")]
    Key {
        /// The map of the key.
        map: String,
    },
    /// Something in a map that was looked through has changed.
    #[error("{map} has changed")]
    Map {
        /// The map.
        map: String,
    },
    /// The transaction is valid right behind one transaction only, and others came in between.
    #[error("the transaction was made for the state at {wanted}, which is at {actual} now")]
    Moved {
        /// The state that the transaction ran on.
        wanted: TxId,
        /// The state now.
        actual: TxId,
    },
}

impl ReadSet {
    /// Records that `key` was seen with this version.
    pub fn key(&mut self, map: &str, key: &[u8], version: Option<TxId>) {
        if self.is_exact() {
            return;
        }
        let keys = match self.keys.get_mut(map) {
            Some(keys) => keys,
            None => self.keys.entry(map.to_owned()).or_default(),
        };
        if !keys.contains_key(key) {
            keys.insert(Bytes::copy_from_slice(key), version);
        }
    }

    /// Records that the whole map was seen as of its last change.
    pub fn map(&mut self, map: &str, changed: TxId) {
        if !self.is_exact() && !self.maps.contains_key(map) {
            self.maps.insert(map.to_owned(), changed);
        }
    }

    /// Records that the transaction is valid only right behind `tx_id`. Nothing else needs to be recorded from then on.
    pub fn exactly(&mut self, tx_id: TxId) {
        self.exact = Some(tx_id);
    }

    /// Whether the transaction must directly follow the state it ran on.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// Checks that what was seen still holds in `state`.
    ///
    /// # Errors
    /// The first thing that has changed.
    pub fn check(&self, state: &State) -> Result<(), Conflict> {
        if let Some(wanted) = self.exact.filter(|wanted| *wanted != state.tx_id()) {
            return Err(Conflict::Moved { wanted, actual: state.tx_id() });
        }
        for (map, seen) in &self.maps {
            if state.changed(map) != *seen {
                return Err(Conflict::Map { map: map.clone() });
            }
        }
        for (map, keys) in &self.keys {
            let same = |(key, seen): (&Bytes, &Option<TxId>)| state.get(map, key).map(|v| v.written) == *seen;
            if !keys.iter().all(same) {
                return Err(Conflict::Key { map: map.clone() });
            }
        }
        Ok(())
    }

    /// The maps that were read from.
    #[must_use]
    pub fn map_names(&self) -> BTreeSet<&str> {
        self.keys.keys().chain(self.maps.keys()).map(String::as_str).collect()
    }
}
