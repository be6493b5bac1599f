//! What outlives a process, what clients know of it, and whether a disk still has that.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Cursor,
    path::Path,
    sync::Arc,
};

use disk::{Disk, ForgetfulDisk};
use kv::{State, TxId};
use ledger::{
    chunk::{ChunkReader, Selection, sequence},
    receipt::{self, Receipt},
    verify,
};
use replication::{Opened, Replica};

use crate::{
    common::{Keys, has},
    life::has_failed,
    seeds::text,
};

pub(crate) const PLACE: &str = "/node";
pub(crate) const LEDGER: &str = "/node/ledger";
pub(crate) const STATE: &str = "/node/ledger.state";
pub(crate) const MAC_KEY: [u8; 32] = [9; 32];

/// A service and its clients.
pub(crate) struct Service {
    pub(crate) keys: Keys,
    pub(crate) chunk_size: u64,
    /// Keys that were written, whether that was answered or not. The value is a function of the key.
    pub(crate) submitted: BTreeSet<String>,
    /// Writes that were answered.
    pub(crate) writes: BTreeMap<String, TxId>,
    /// Rekeys that were answered.
    pub(crate) rekeys: Vec<TxId>,
    /// Receipts that clients have.
    pub(crate) receipts: Vec<(TxId, Receipt)>,
    /// The last transaction that a reader has seen.
    pub(crate) seen: TxId,
    /// The view of the last process that had one.
    pub(crate) view: u64,
    /// How many processes there were.
    pub(crate) lives: u64,
}

/// What is written under a key.
pub(crate) fn value(key: &str) -> Vec<u8> {
    let digest = crypto::sha256(key.as_bytes());
    let length = 30 + usize::from(digest[0]);
    digest.iter().copied().cycle().take(length).collect()
}

impl Service {
    /// One that was not founded yet.
    pub(crate) fn new(keys: &Keys, chunk_size: u64) -> Self {
        Self {
            keys: keys.copy(),
            chunk_size,
            submitted: BTreeSet::new(),
            writes: BTreeMap::new(),
            rekeys: Vec::new(),
            receipts: Vec::new(),
            seen: TxId::default(),
            view: 0,
            lives: 0,
        }
    }

    /// The same service, for another course of events.
    pub(crate) fn copy(&self) -> Self {
        Self {
            keys: self.keys.copy(),
            submitted: self.submitted.clone(),
            writes: self.writes.clone(),
            rekeys: self.rekeys.clone(),
            receipts: self.receipts.clone(),
            ..*self
        }
    }

    pub(crate) fn answered(&self) -> usize {
        self.writes.len() + self.rekeys.len()
    }

    /// Whether a disk has everything that anybody was told, and nothing that nobody wrote.
    pub(crate) fn check(&self, disk: &ForgetfulDisk) -> Result<TxId, String> {
        let opened = self.keys.open(Arc::new(disk.clone()), PLACE, self.chunk_size);
        let opened = opened.map_err(|why| format!("the start is refused: {why}"))?;
        self.check_answers(&opened)?;
        self.check_origin(opened.state())?;
        Ok(opened.last())
    }

    fn check_answers(&self, opened: &Opened) -> Result<(), String> {
        let (state, last) = (opened.state(), opened.last());
        if let Some((key, tx_id)) = self.writes.iter().find(|(key, tx_id)| !has(state, key, &value(key), **tx_id)) {
            return Err(format!("{key} was answered with {tx_id} and is lost; the ledger ends at {last}"));
        }
        let secrets = opened.secrets();
        if let Some(lost) = self.rekeys.iter().find(|at| secrets.of_version(at.seqno + 1).is_none()) {
            return Err(format!("the ledger secret behind {lost} is lost"));
        }
        if last.seqno < self.seen.seqno {
            return Err(format!("readers have seen {}; the ledger ends at {last}", self.seen));
        }
        Ok(())
    }

    fn check_origin(&self, state: &State) -> Result<(), String> {
        for map in ["public:test.values", "test.secrets"] {
            for (key, found) in state.iter(map) {
                let key = String::from_utf8_lossy(key).into_owned();
                if !self.submitted.contains(&key) || *found.value != *value(&key) {
                    return Err(format!("{map} has {key} with a value that nobody wrote"));
                }
            }
        }
        Ok(())
    }

    /// Whether the receipts that were given are still good, and are given again.
    pub(crate) fn check_receipts(&self, replica: &Replica, disk: &ForgetfulDisk) -> Result<(), String> {
        for (tx_id, given) in &self.receipts {
            let verified = receipt::verify(given, self.keys.service_certificate()).map_err(text)?;
            if verified.tx_id != Some(*tx_id) {
                return Err(format!("the receipt of {tx_id} is one of {:?}", verified.tx_id));
            }
            match replica.receipt(*tx_id) {
                Ok(again) if again == *given => {}
                Ok(_) => return Err(format!("{tx_id} has another receipt now")),
                Err(_) if has_failed(disk) => {}
                Err(why) => return Err(format!("there is no receipt of {tx_id}: {why}")),
            }
        }
        Ok(())
    }

    /// Whether the files verify as a ledger of this service, up to the last transaction.
    pub(crate) fn verify(&self, disk: &ForgetfulDisk) -> Result<(), String> {
        let directory = Path::new(LEDGER);
        let names = disk.list(directory).map_err(text)?;
        let names = sequence(names.iter().map(String::as_str), Selection::default()).map_err(text)?;
        let open = |name: ledger::chunk::ChunkName| {
            ChunkReader::open(name, Cursor::new(disk.read(&directory.join(name.to_string()))?))
        };
        let options = verify::Options {
            service: Some(self.keys.service_certificate()),
            secrets: Some(&self.keys.secrets),
            ..verify::Options::default()
        };
        let report = verify::verify_chunks(&names, open, Vec::new(), options, &mut |_| {}).map_err(text)?;
        if report.verified.is_none_or(|verified| verified.seqno < self.seen.seqno) {
            return Err(format!("the ledger is signed up to {:?}, readers have seen {}", report.verified, self.seen));
        }
        Ok(())
    }
}
