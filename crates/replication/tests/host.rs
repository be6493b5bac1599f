//! What a host can do to single files while no process runs: refused by name, with nothing changed by the refusal.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{Keys, all_writes, has, write};
use disk::{Disk, ForgetfulDisk, RealDisk};
use kv::{Tx, TxId};
use ledger::{
    chunk::{ChunkName, ChunkReader},
    tables,
};
use replication::Transaction;
use tempfile::TempDir;

const CHUNK: u64 = 8 * 1024;

/// Every file and directory below a directory, with what is in it.
type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

struct Place {
    root: TempDir,
    keys: Keys,
}

impl Place {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap(), keys: Keys::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Starts, writes so many transactions, and ends without a word to anybody.
    async fn run(&mut self, writes: usize) -> Vec<(String, TxId)> {
        let directory = self.root.path().to_str().unwrap().to_owned();
        let replica = self.keys.start(Arc::new(RealDisk), &directory, CHUNK).await.unwrap();
        let mut written = Vec::new();
        for number in 0..writes {
            let key = format!("{}-{number}", replica.view());
            let transaction = write(replica.committed().state.clone(), &key, &[b'v'; 300]);
            written.push((key, replica.submit(transaction).await.unwrap()));
        }
        replica.stop().await.unwrap();
        written
    }

    fn refusal(&self) -> String {
        let directory = self.root.path().to_str().unwrap();
        self.keys.open(Arc::new(RealDisk), directory, CHUNK).map(|opened| opened.last()).unwrap_err().to_string()
    }

    /// The refusal to open this, after which everything must be as it was.
    fn refused(&self) -> String {
        let before = image(self.root.path());
        let why = self.refusal();
        let after = image(self.root.path());
        let changed = before.iter().filter(|(path, bytes)| after.get(*path) != Some(bytes)).map(|(path, _)| path);
        let changed: Vec<_> = changed.chain(after.keys().filter(|path| !before.contains_key(*path))).collect();
        assert!(changed.is_empty(), "{why}\nand yet these were changed: {changed:?}");
        why
    }

    fn complete_chunks(&self) -> Vec<PathBuf> {
        let names = image(&self.path("ledger")).into_keys();
        names.filter(|name| name.extension().is_some_and(|end| end == "committed")).collect()
    }

    fn open_chunk(&self) -> PathBuf {
        let is_open = |name: &PathBuf| name.extension().is_none();
        image(&self.path("ledger")).into_keys().find(is_open).unwrap()
    }
}

fn image(directory: &Path) -> Image {
    let mut found = Image::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut image(&path));
            found.insert(path, None);
        } else {
            found.insert(path.clone(), Some(fs::read(&path).unwrap()));
        }
    }
    found
}

fn put_back(image: &Image) {
    for (path, bytes) in image {
        match bytes {
            None => fs::create_dir_all(path).unwrap(),
            Some(bytes) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
        }
    }
}

/// Without the raft log the ledger looks whole up to the last complete chunk, and what was answered after it is gone.
#[tokio::test]
async fn a_raft_log_that_is_gone_is_refused() {
    let mut place = Place::new();
    place.run(30).await;
    assert!(place.complete_chunks().len() > 1);
    let before = image(place.root.path());

    fs::remove_dir_all(place.path("ledger.state/log")).unwrap();
    let why = place.refused();
    assert!(why.contains("ledger.state/log") && why.contains("raft log"), "{why}");

    // The same without the file that says how far the chunks reach, and without the chunk that is still written.
    fs::remove_file(place.path("ledger.state/covered")).unwrap();
    assert!(place.refused().contains("raft log"));
    fs::remove_file(place.open_chunk()).unwrap();
    assert!(place.refused().contains("raft log"));

    put_back(&before);
    fs::remove_dir_all(place.path("ledger.state/log")).unwrap();
    fs::create_dir(place.path("ledger.state/log")).unwrap();
    assert!(place.refused().contains("raft log"));
}

/// Yesterday's raft log beside today's chunks: it must not be gone on with, whatever was written in between is lost in it.
#[tokio::test]
async fn a_raft_log_put_back_alone_is_refused() {
    let mut place = Place::new();
    place.run(10).await;
    let yesterday = image(&place.path("ledger.state/log"));
    place.run(41).await;
    fs::remove_dir_all(place.path("ledger.state/log")).unwrap();
    put_back(&yesterday);
    // The open chunk has more than this log; without it, the complete ones still have.
    place.refusal();
    fs::remove_file(place.open_chunk()).unwrap();
    let why = place.refusal();
    assert!(why.contains("covered") && why.contains("raft log"), "{why}");
}

#[tokio::test]
async fn missing_and_foreign_chunks_are_refused_by_name() {
    let mut place = Place::new();
    place.run(40).await;
    let before = image(place.root.path());
    let chunks = place.complete_chunks();
    let last = chunks.iter().max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap();

    fs::remove_dir_all(place.path("ledger")).unwrap();
    assert!(place.refused().contains("complete chunk files end at seqno 0"));
    put_back(&before);

    fs::rename(last, last.with_extension("committed.ignored")).unwrap();
    let why = place.refused();
    assert!(why.contains("chunk"), "{why}");
    fs::rename(last.with_extension("committed.ignored"), last).unwrap();

    // A chunk that has an end but is not committed: no node of this kind leaves that.
    fs::rename(last, last.with_extension("")).unwrap();
    let why = place.refused();
    assert!(why.contains(last.with_extension("").file_name().unwrap().to_str().unwrap()), "{why}");
}

/// Whether the crash came before a chunk was complete or after: reading writes nothing, only starting does.
#[tokio::test]
async fn a_ledger_that_is_only_read_is_not_touched() {
    let mut interrupted = 0;
    for operations in 0..120 {
        let (disk, mut keys) = (ForgetfulDisk::new(), Keys::new());
        disk.create_dir(Path::new("/node")).unwrap();
        disk.fail_after(operations);
        let Ok(replica) = keys.start(Arc::new(disk.clone()), "/node", CHUNK).await else { continue };
        for number in 0..10 {
            let transaction = write(replica.committed().state.clone(), &number.to_string(), &[b'v'; 300]);
            if replica.submit(transaction).await.is_err() {
                break;
            }
        }
        let _ = replica.stop().await;
        let disk = disk.restart();
        let before = ledger_of(&disk);
        let opened = keys.open(Arc::new(disk.clone()), "/node", CHUNK).unwrap();
        assert!(ledger_of(&disk) == before, "after {operations} operations");
        drop(opened);
        keys.start(Arc::new(disk.clone()), "/node", CHUNK).await.unwrap().stop().await.unwrap();
        interrupted += usize::from(ledger_of(&disk).len() > before.len());
    }
    assert!(interrupted > 0, "no start had a chunk to complete, so this says nothing");
}

fn ledger_of(disk: &ForgetfulDisk) -> Vec<(String, Vec<u8>)> {
    let ledger = Path::new("/node/ledger");
    let names = disk.list(ledger).unwrap().into_iter();
    names.map(|name| (name.clone(), disk.read(&ledger.join(name)).unwrap())).collect()
}

#[tokio::test]
async fn nothing_is_written_before_the_start() {
    let mut place = Place::new();
    let written = place.run(30).await;
    fs::remove_file(place.open_chunk()).unwrap();
    let before = image(&place.path("ledger"));
    let directory = place.root.path().to_str().unwrap();
    let opened = place.keys.open(Arc::new(RealDisk), directory, CHUNK).unwrap();
    assert!(written.iter().all(|(key, tx_id)| has(opened.state(), key, &[b'v'; 300], *tx_id)));
    drop(opened);
    assert!(image(&place.path("ledger")) == before, "the ledger was touched by reading it");
}

/// Both entries are genuine and have the same length, so nothing but the Merkle tree tells which of them belongs where.
#[tokio::test]
async fn an_entry_in_place_of_another_is_noticed_while_the_node_runs() {
    let mut place = Place::new();
    let directory = place.root.path().to_str().unwrap().to_owned();
    let replica = place.keys.start(Arc::new(RealDisk), &directory, 1 << 20).await.unwrap();
    let mut written = Vec::new();
    for value in ["old", "new"] {
        let mut tx = Tx::new(replica.committed().state.clone());
        tx.put(tables::PROPOSALS_INFO, "p", value);
        written.push(replica.submit(Transaction::new(tx, [0; 32])).await.unwrap());
    }
    let values = || all_writes(&replica, tables::PROPOSALS_INFO, b"p");
    let found: Vec<_> = values().unwrap().into_iter().map(|(seqno, value)| (seqno, value.unwrap())).collect();
    assert_eq!(found, [(written[0].seqno, "old".into()), (written[1].seqno, "new".into())]);
    replica.receipt(written[1]).unwrap();

    let chunk = place.open_chunk();
    let mut bytes = fs::read(&chunk).unwrap();
    let mut reader = ChunkReader::open(ChunkName::open(1), Cursor::new(bytes.clone())).unwrap();
    let entries: Vec<_> = std::iter::from_fn(|| reader.next_entry().unwrap()).collect();
    let entry = |tx_id: TxId| &entries[tx_id.seqno as usize - 1];
    let (old, new) = (entry(written[0]), entry(written[1]));
    assert_eq!(old.bytes.len(), new.bytes.len());
    bytes[new.offset as usize..][..old.bytes.len()].copy_from_slice(&old.bytes);
    fs::write(&chunk, bytes).unwrap();
    let why = values().unwrap_err().to_string();
    assert!(why.contains(&format!("transaction {} was changed", written[1].seqno)), "{why}");
    assert!(replica.receipt(written[1]).is_err());
    replica.stop().await.unwrap();
}

/// A start that is killed may have made a directory and not have synced its name; the next one must.
#[tokio::test]
async fn directories_that_are_there_already_become_durable() {
    for seed in 0..40 {
        let (disk, mut keys) = (ForgetfulDisk::new(), Keys::new());
        disk.create_dir(Path::new("/node")).unwrap();
        disk.sync_dir(Path::new("/"), "test").unwrap();
        for name in ["/node/ledger", "/node/ledger.state"] {
            disk.create_dir(Path::new(name)).unwrap();
        }
        let replica = keys.start(Arc::new(disk.clone()), "/node", CHUNK).await.unwrap();
        for number in 0..10 {
            let transaction = write(replica.committed().state.clone(), &number.to_string(), &[b'v'; 300]);
            replica.submit(transaction).await.unwrap();
        }
        let last = replica.committed().state.tx_id();
        replica.stop().await.unwrap();
        let opened = keys.open(Arc::new(disk.crash(seed)), "/node", CHUNK).unwrap();
        assert_eq!(opened.last(), last, "seed {seed}");
    }
}
