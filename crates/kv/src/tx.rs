use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{ReadSet, State, TxId, WriteSet};

/// A transaction in the making: a view of one state that sees its own writes.
///
/// Running it has no effect on anything else; it ends as a [`ReadSet`] and a [`WriteSet`].
#[derive(Debug, Clone)]
pub struct Tx {
    base: State,
    reads: ReadSet,
    writes: WriteSet,
}

impl Tx {
    /// A transaction on `base`.
    #[must_use]
    pub fn new(base: State) -> Self {
        Self { base, reads: ReadSet::default(), writes: WriteSet::default() }
    }

    /// The state that the transaction runs on.
    #[must_use]
    pub fn base(&self) -> &State {
        &self.base
    }

    /// The value of `key`, own writes included.
    pub fn get(&mut self, map: &str, key: &[u8]) -> Option<Bytes> {
        if let Some(own) = self.writes.get(map, key) {
            return own.cloned();
        }
        let found = self.base.get(map, key);
        self.reads.key(map, key, found.map(|versioned| versioned.written));
        found.map(|versioned| versioned.value.clone())
    }

    /// Whether `key` exists, own writes included.
    pub fn has(&mut self, map: &str, key: &[u8]) -> bool {
        self.get(map, key).is_some()
    }

    /// The transaction that last wrote `key` before this one; `None` if the key did not exist.
    pub fn written(&mut self, map: &str, key: &[u8]) -> Option<TxId> {
        let version = self.base.get(map, key).map(|versioned| versioned.written);
        self.reads.key(map, key, version);
        version
    }

    /// All entries of a map in key order, own writes included.
    pub fn entries(&mut self, map: &str) -> Vec<(Bytes, Bytes)> {
        self.reads.map(map, self.base.changed(map));
        let stored = self.base.iter(map).map(|(key, versioned)| (key.clone(), versioned.value.clone()));
        let Some(own) = self.writes.map(map) else {
            return stored.collect();
        };
        let mut merged: BTreeMap<Bytes, Bytes> = stored.collect();
        for (key, value) in own {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        merged.into_iter().collect()
    }

    /// Writes a value.
    pub fn put(&mut self, map: &str, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.writes.put(map, key, value);
    }

    /// Removes a key; this is recorded even if the key does not exist.
    pub fn remove(&mut self, map: &str, key: impl Into<Bytes>) {
        self.writes.remove(map, key);
    }

    /// Makes the transaction valid only right behind the state it runs on: any transaction in between is a conflict.
    pub fn require_exact_base(&mut self) {
        self.reads.exactly(self.base.tx_id());
    }

    /// Whether anything was written.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.writes.is_empty()
    }

    /// What the transaction has written so far.
    #[must_use]
    pub fn writes(&self) -> &WriteSet {
        &self.writes
    }

    /// Takes back what was written since `writes` were the transaction's own; what was read meanwhile stays recorded,
    /// because the decision to take it back depends on it.
    pub fn restore_writes(&mut self, writes: WriteSet) {
        self.writes = writes;
    }

    /// What the transaction saw and what it changes.
    #[must_use]
    pub fn into_parts(self) -> (ReadSet, WriteSet) {
        (self.reads, self.writes)
    }
}
