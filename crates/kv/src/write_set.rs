use std::collections::BTreeMap;

use bytes::Bytes;

/// The writes of one transaction to one map: key to new value, or to `None` for a removal.
pub type MapWrites = BTreeMap<Bytes, Option<Bytes>>;

/// What a transaction changes: for each map, in name order, its writes in key order.
///
/// The orders are those of the ledger (CCF), so the same write set always has the same bytes. The last write to a key
/// wins; a removal is kept even where the key did not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSet {
    maps: BTreeMap<String, MapWrites>,
}

impl WriteSet {
    /// Records that `key` gets `value`.
    pub fn put(&mut self, map: &str, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.set(map, key.into(), Some(value.into()));
    }

    /// Records that `key` is removed.
    pub fn remove(&mut self, map: &str, key: impl Into<Bytes>) {
        self.set(map, key.into(), None);
    }

    /// Records a write or a removal.
    pub fn set(&mut self, map: &str, key: Bytes, value: Option<Bytes>) {
        match self.maps.get_mut(map) {
            Some(writes) => writes.insert(key, value),
            None => self.maps.entry(map.to_owned()).or_default().insert(key, value),
        };
    }

    /// What this write set does to `key`: `None` nothing, `Some(None)` removes it, `Some(Some(value))` writes it.
    #[must_use]
    pub fn get(&self, map: &str, key: &[u8]) -> Option<Option<&Bytes>> {
        self.maps.get(map)?.get(key).map(Option::as_ref)
    }

    /// The writes to one map.
    #[must_use]
    pub fn map(&self, map: &str) -> Option<&MapWrites> {
        self.maps.get(map)
    }

    /// All maps with at least one write, in name order.
    pub fn maps(&self) -> impl Iterator<Item = (&str, &MapWrites)> {
        self.maps.iter().map(|(name, writes)| (name.as_str(), writes))
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.maps.is_empty()
    }
}
