//! What becomes of many writers while the disk takes its time: those for whom there is no room are told so at once,
//! everybody else is written when it goes on, and whoever has gone is not.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use common::{Keys, has, write};
use disk::{Disk, DiskFile, ForgetfulDisk, Lock, Result};
use kv::{Tx, TxId};
use replication::{MAX_WAITING, MAX_WAITING_BYTES, Replica, SubmitError, Transaction};
use tokio::{task::JoinSet, time::timeout};

const SOON: Duration = Duration::from_secs(20);

/// A disk whose syncs of files can be made to wait.
#[derive(Clone)]
struct Stalling {
    disk: ForgetfulDisk,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    /// Whether it is closed, and how many wait in front of it.
    state: Mutex<(bool, usize)>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, closed: bool) {
        self.state.lock().unwrap().0 = closed;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |(closed, _)| *closed).unwrap();
        state.1 -= 1;
    }

    /// Returns when a sync waits.
    fn somebody_waits(&self) {
        let state = self.state.lock().unwrap();
        let (_state, late) = self.changed.wait_timeout_while(state, SOON, |(_, waiting)| *waiting == 0).unwrap();
        assert!(!late.timed_out(), "nothing is synced");
    }
}

struct File {
    file: Box<dyn DiskFile>,
    gate: Arc<Gate>,
}

impl Stalling {
    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(File { file, gate: self.gate.clone() })
    }
}

impl Disk for Stalling {
    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.create_new(path)?))
    }
    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.open(path)?))
    }
    fn open_read(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.disk.open_read(path)
    }
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.disk.read(path)
    }
    fn exists(&self, path: &Path) -> Result<bool> {
        self.disk.exists(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        self.disk.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<()> {
        self.disk.remove(path)
    }
    fn create_dir(&self, path: &Path) -> Result<()> {
        self.disk.create_dir(path)
    }
    fn sync_dir(&self, dir: &Path, what: &'static str) -> Result<()> {
        self.disk.sync_dir(dir, what)
    }
    fn lock(&self, path: &Path) -> Result<Lock> {
        self.disk.lock(path)
    }
}

impl DiskFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file.write_at(offset, bytes)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_at(offset, buffer)
    }
    fn len(&self) -> Result<u64> {
        self.file.len()
    }
    fn set_len(&mut self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }
    fn sync_data(&mut self, what: &'static str) -> Result<()> {
        self.gate.pass();
        self.file.sync_data(what)
    }
    fn sync_all(&mut self, what: &'static str) -> Result<()> {
        self.gate.pass();
        self.file.sync_all(what)
    }
}

/// A service whose disk stalls, with one transaction on the way to it.
async fn stalled() -> (Arc<Gate>, Replica, tokio::task::JoinHandle<std::result::Result<TxId, SubmitError>>) {
    let disk = Stalling { disk: ForgetfulDisk::new(), gate: Arc::default() };
    disk.create_dir(Path::new("/node")).unwrap();
    let gate = disk.gate.clone();
    let replica = Keys::new().start(Arc::new(disk), "/node", 64 << 20).await.unwrap();
    gate.set(true);
    let first = submit(&replica, one(&replica, "first"));
    let waits = gate.clone();
    tokio::task::spawn_blocking(move || waits.somebody_waits()).await.unwrap();
    (gate, replica, first)
}

fn one(replica: &Replica, key: &str) -> Transaction {
    write(replica.committed().state.clone(), key, &[7; 512])
}

fn large(replica: &Replica) -> Transaction {
    let mut tx = Tx::new(replica.committed().state.clone());
    tx.put("public:test.large", "k", vec![0; 3 << 20]);
    Transaction::new(tx, [0; 32])
}

fn submit(
    replica: &Replica,
    transaction: Transaction,
) -> tokio::task::JoinHandle<std::result::Result<TxId, SubmitError>> {
    let replica = replica.clone();
    tokio::spawn(async move { replica.submit(transaction).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_for_whom_there_is_no_room_are_told_so_and_the_others_are_written() {
    const WRITERS: usize = MAX_WAITING + 2000;
    let (gate, replica, first) = stalled().await;
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let (replica, transaction) = (replica.clone(), one(&replica, &number.to_string()));
        writers.spawn(async move { (number, replica.submit(transaction).await) });
    }
    let asked = Instant::now();
    for _ in 0..WRITERS - MAX_WAITING {
        let (number, refused) = timeout(SOON, writers.join_next()).await.unwrap().unwrap().unwrap();
        assert!(matches!(refused, Err(SubmitError::Busy { waiting: MAX_WAITING })), "{number}: {refused:?}");
    }
    println!("{} writers were refused within {:?}", WRITERS - MAX_WAITING, asked.elapsed());
    // The members can still govern, and readers do not notice.
    let urgent = submit(&replica, one(&replica, "urgent").with_precedence());
    let holding = {
        let replica = replica.clone();
        tokio::spawn(async move { replica.hold(SOON).await.map(drop) })
    };
    assert!(!has(&replica.committed().state, "first", &[7; 512], TxId::default()));
    assert!(!first.is_finished() && !urgent.is_finished() && !holding.is_finished());
    gate.set(false);
    timeout(SOON, first).await.unwrap().unwrap().unwrap();
    let mut written = 0;
    while let Some(done) = timeout(SOON, writers.join_next()).await.unwrap() {
        let (number, tx_id) = done.unwrap();
        assert!(has(&replica.committed().state, &number.to_string(), &[7; 512], tx_id.unwrap()), "{number}");
        written += 1;
    }
    assert_eq!(written, MAX_WAITING);
    timeout(SOON, urgent).await.unwrap().unwrap().unwrap();
    timeout(SOON, holding).await.unwrap().unwrap().unwrap();
    // What was refused left nothing behind, and there is room again.
    assert_eq!(replica.committed().state.len("public:test.values"), MAX_WAITING + 2);
    timeout(SOON, replica.submit(one(&replica, "again"))).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_bounded_by_its_memory_too() {
    let (gate, replica, first) = stalled().await;
    let mut waiting = JoinSet::new();
    let mut refused = 0;
    for _ in 0..60 {
        let (replica, transaction) = (replica.clone(), large(&replica));
        waiting.spawn(async move { replica.submit(transaction).await });
    }
    let most = MAX_WAITING_BYTES / (6 << 20);
    while refused < 60 - most {
        let answer = timeout(SOON, waiting.join_next()).await.unwrap().unwrap().unwrap();
        assert!(matches!(answer, Err(SubmitError::Busy { .. })), "{answer:?}");
        refused += 1;
    }
    gate.set(false);
    timeout(SOON, first).await.unwrap().unwrap().unwrap();
    while let Some(answer) = timeout(SOON, waiting.join_next()).await.unwrap() {
        answer.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_waits_for_any_more_is_not_written() {
    let (gate, replica, first) = stalled().await;
    let gone = submit(&replica, one(&replica, "gone"));
    let stays = submit(&replica, one(&replica, "stays"));
    tokio::time::sleep(Duration::from_millis(50)).await;
    gone.abort();
    assert!(gone.await.is_err());
    gate.set(false);
    timeout(SOON, first).await.unwrap().unwrap().unwrap();
    timeout(SOON, stays).await.unwrap().unwrap().unwrap();
    let state = replica.committed().state.clone();
    assert!(state.get("public:test.values", b"gone").is_none() && state.get("public:test.values", b"stays").is_some());
}
