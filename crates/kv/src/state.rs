use bytes::Bytes;
use imbl::OrdMap;

use crate::{TxId, WriteSet};

/// Longest value that is looked for beside the key, in bytes.
const SHARED: usize = 256;

/// A value and the transaction that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The bytes as written.
    pub value: Bytes,
    /// The transaction that wrote them.
    pub written: TxId,
}

/// The entries of one map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map {
    pub(crate) entries: OrdMap<Bytes, Versioned>,
    pub(crate) changed: TxId,
}

impl Map {
    /// The last transaction that wrote to this map or removed from it.
    #[must_use]
    pub fn changed(&self) -> TxId {
        self.changed
    }

    /// The entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&Bytes, &Versioned)> {
        self.entries.iter()
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries (any more).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// All maps as of one transaction. Immutable in effect: a clone is cheap and stays what it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub(crate) maps: OrdMap<String, Map>,
    pub(crate) tx_id: TxId,
}

impl State {
    /// The last transaction that this state contains.
    #[must_use]
    pub fn tx_id(&self) -> TxId {
        self.tx_id
    }

    /// The value of `key` with its version.
    #[must_use]
    pub fn get(&self, map: &str, key: &[u8]) -> Option<&Versioned> {
        self.maps.get(map)?.entries.get(key)
    }

    /// The entries of a map in key order.
    pub fn iter(&self, map: &str) -> impl Iterator<Item = (&Bytes, &Versioned)> {
        self.maps.get(map).into_iter().flat_map(|map| map.entries.iter())
    }

    /// All maps that were ever written, in the order of their names.
    pub fn maps(&self) -> impl Iterator<Item = (&str, &Map)> {
        self.maps.iter().map(|(name, map)| (name.as_str(), map))
    }

    /// The names of all maps that were ever written, in order.
    pub fn map_names(&self) -> impl Iterator<Item = &str> {
        self.maps.keys().map(String::as_str)
    }

    /// The number of entries of a map.
    #[must_use]
    pub fn len(&self, map: &str) -> usize {
        self.maps.get(map).map_or(0, |map| map.entries.len())
    }

    /// Whether a map has no entries.
    #[must_use]
    pub fn is_empty(&self, map: &str) -> bool {
        self.len(map) == 0
    }

    /// The last transaction that changed a map; `0.0` if none did.
    #[must_use]
    pub fn changed(&self, map: &str) -> TxId {
        self.maps.get(map).map_or_else(TxId::default, |map| map.changed)
    }

    /// Makes this the state after transaction `tx_id`, which writes `writes`.
    pub fn apply(&mut self, tx_id: TxId, writes: &WriteSet) {
        for (name, writes) in writes.maps() {
            let map = match self.maps.get_mut(name) {
                Some(map) => map,
                None => self.maps.entry(name.to_owned()).or_default(),
            };
            map.changed = tx_id;
            for (key, value) in writes {
                match value {
                    Some(value) => {
                        let versioned = Versioned { value: shared(&map.entries, key, value), written: tx_id };
                        map.entries.insert(key.clone(), versioned);
                    }
                    None => {
                        map.entries.remove(key);
                    }
                }
            }
        }
        self.tx_id = tx_id;
    }
}

/// The value, as it is kept: in the memory of the one beside it if that is the same, as where a map says who wrote what.
fn shared(entries: &OrdMap<Bytes, Versioned>, key: &Bytes, value: &Bytes) -> Bytes {
    let beside = if value.len() > SHARED { None } else { entries.get_prev(key) };
    match beside {
        Some((_, beside)) if beside.value == *value => beside.value.clone(),
        _ => value.clone(),
    }
}
