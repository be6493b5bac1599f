use bytes::Bytes;

use crate::{Map, State, TxId, Versioned};

/// Why entries do not make up a state. No text names a key: it may be that of a private map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Two maps have the same name.
    #[error("map {0:?} appears twice")]
    MapTwice(String),
    /// Two entries of a map have the same key.
    #[error("map {0:?} has a key twice")]
    KeyTwice(String),
    /// A map says that it was last changed before the first or behind the last transaction of the state.
    #[error("map {map:?} was changed by {changed}, which is not a transaction up to {last}")]
    Changed {
        /// The map.
        map: String,
        /// Its last change.
        changed: TxId,
        /// The last transaction of the state.
        last: TxId,
    },
    /// An entry was written before the first transaction, or behind the last change of its map.
    #[error("an entry of map {map:?} was written by {written}, which is not a transaction up to {changed}")]
    Written {
        /// The map.
        map: String,
        /// The transaction of the entry.
        written: TxId,
        /// The last change of the map.
        changed: TxId,
    },
    /// An entry comes before the first map.
    #[error("an entry belongs to no map")]
    NoMap,
}

/// Puts a state together again from what [`State::maps`] gave: one map after another, each followed by its entries, in any
/// order.
#[derive(Debug)]
pub struct StateBuilder {
    state: State,
    open: Option<(String, Map)>,
}

impl StateBuilder {
    /// The state whose last transaction is `tx_id`.
    #[must_use]
    pub fn new(tx_id: TxId) -> Self {
        Self { state: State { tx_id, ..State::default() }, open: None }
    }

    /// Begins a map, which `changed` wrote to last.
    ///
    /// # Errors
    /// The map is there already, or was changed outside the state.
    pub fn map(&mut self, name: &str, changed: TxId) -> Result<(), RestoreError> {
        self.close();
        let last = self.state.tx_id;
        if self.state.maps.contains_key(name) {
            return Err(RestoreError::MapTwice(name.to_owned()));
        }
        if changed.seqno == 0 || changed > last {
            return Err(RestoreError::Changed { map: name.to_owned(), changed, last });
        }
        self.open = Some((name.to_owned(), Map { changed, ..Map::default() }));
        Ok(())
    }

    /// Adds an entry to the map that was begun last.
    ///
    /// # Errors
    /// There is no map yet, it has the key already, or the entry was written outside the life of the map.
    pub fn entry(&mut self, key: Bytes, value: Bytes, written: TxId) -> Result<(), RestoreError> {
        let (name, map) = self.open.as_mut().ok_or(RestoreError::NoMap)?;
        if written.seqno == 0 || written > map.changed {
            return Err(RestoreError::Written { map: name.clone(), written, changed: map.changed });
        }
        match map.entries.insert(key, Versioned { value, written }) {
            None => Ok(()),
            Some(_) => Err(RestoreError::KeyTwice(name.clone())),
        }
    }

    /// What is there so far.
    pub fn so_far(&mut self) -> &State {
        self.close();
        &self.state
    }

    /// The state.
    #[must_use]
    pub fn finish(mut self) -> State {
        self.close();
        self.state
    }

    fn close(&mut self) {
        if let Some((name, map)) = self.open.take() {
            self.state.maps.insert(name, map);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seqno: u64) -> TxId {
        TxId::new(2, seqno)
    }

    fn begun() -> StateBuilder {
        let mut builder = StateBuilder::new(at(9));
        builder.map("m", at(7)).unwrap();
        builder.entry("k".into(), "v".into(), at(7)).unwrap();
        builder
    }

    #[test]
    fn what_no_state_can_hold_is_refused() {
        let entry = |builder: &mut StateBuilder, seqno| builder.entry("k".into(), "v".into(), at(seqno));
        assert_eq!(entry(&mut StateBuilder::new(at(9)), 1), Err(RestoreError::NoMap));
        assert_eq!(entry(&mut begun(), 3), Err(RestoreError::KeyTwice("m".into())));
        for seqno in [0, 8] {
            let refused = RestoreError::Written { map: "m".into(), written: at(seqno), changed: at(7) };
            assert_eq!(entry(&mut begun(), seqno), Err(refused));
        }
        for seqno in [0, 10] {
            let refused = RestoreError::Changed { map: "n".into(), changed: at(seqno), last: at(9) };
            assert_eq!(begun().map("n", at(seqno)), Err(refused));
        }
        assert_eq!(begun().map("m", at(8)), Err(RestoreError::MapTwice("m".into())));
        let mut builder = begun();
        assert_eq!(builder.so_far().len("m"), 1);
        assert_eq!(entry(&mut builder, 3), Err(RestoreError::NoMap), "the map is complete");
        builder.map("n", at(8)).unwrap();
        assert_eq!(builder.map("m", at(8)), Err(RestoreError::MapTwice("m".into())));
    }
}
