//! Snapshots: taken, begun with, and refused by name when they are not what they should be.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{Keys, has, write};
use disk::{Disk, ForgetfulDisk};
use kv::TxId;
use replication::Replica;

const CHUNK: u64 = 1 << 20;
const PLACE: &str = "/node";

fn new() -> (ForgetfulDisk, Keys) {
    let disk = ForgetfulDisk::new();
    disk.create_dir(Path::new(PLACE)).unwrap();
    disk.sync_dir(Path::new("/"), "test").unwrap();
    let mut keys = Keys::new();
    keys.snapshots = Some(1_000_000);
    (disk, keys)
}

async fn start(keys: &mut Keys, disk: &ForgetfulDisk) -> Replica {
    keys.start(Arc::new(disk.clone()), PLACE, CHUNK).await.unwrap()
}

/// Writes a value, and has a snapshot taken behind it.
async fn snapshot(replica: &Replica, key: &str) -> TxId {
    let at = replica.submit(write(replica.committed().state.clone(), key, b"v").with_snapshot()).await.unwrap();
    let status = replica.snapshots_settled().await;
    assert_eq!((status.last.unwrap().seqno, status.failures), (at.seqno + 1, 0));
    at
}

fn files(disk: &ForgetfulDisk) -> Vec<PathBuf> {
    let directory = Path::new(PLACE).join("snapshots");
    disk.list(&directory).unwrap().iter().map(|name| directory.join(name)).collect()
}

fn refusal(keys: &Keys, disk: &ForgetfulDisk) -> String {
    keys.open(Arc::new(disk.clone()), PLACE, CHUNK).map(|opened| opened.last()).unwrap_err().to_string()
}

#[tokio::test]
async fn a_start_reads_from_the_newest_snapshot_on() {
    let (disk, mut keys) = new();
    let replica = start(&mut keys, &disk).await;
    let first = snapshot(&replica, "first").await;
    let rekeyed = replica.submit(keys.rekey(&replica)).await.unwrap();
    let second = snapshot(&replica, "second").await;
    let third = replica.submit(write(replica.committed().state.clone(), "third", b"v")).await.unwrap();
    replica.stop().await.unwrap();
    let opened = keys.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
    assert_eq!(opened.snapshot().unwrap().seqno, second.seqno + 1);
    assert!(opened.secrets().of_version(rekeyed.seqno + 1).is_some(), "the secret in waiting got its place");
    for (key, at) in [("first", first), ("second", second), ("third", third)] {
        assert!(has(opened.state(), key, b"v", at), "{key}");
    }
    let root = opened.committed().root;
    drop(opened);
    let mut without = keys.copy();
    without.snapshots = None;
    let whole = without.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
    assert_eq!((whole.committed().root, whole.snapshot()), (root, None), "the whole ledger says the same");
    drop(whole);
    let replica = start(&mut keys, &disk).await;
    snapshot(&replica, "fourth").await;
    assert_eq!(files(&disk).len(), 3);
    replica.stop().await.unwrap();
}

#[tokio::test]
async fn a_changed_snapshot_is_refused_by_name_and_can_be_removed() {
    let (disk, mut keys) = new();
    let replica = start(&mut keys, &disk).await;
    let at = snapshot(&replica, "a").await;
    replica.stop().await.unwrap();
    let file = files(&disk).pop().unwrap();
    let mut bytes = disk.read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    disk.open(&file).unwrap().write_at(0, &bytes).unwrap();
    assert!(refusal(&keys, &disk).starts_with(file.to_str().unwrap()));
    disk.remove(&file).unwrap();
    let opened = keys.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
    assert!(opened.snapshot().is_none() && has(opened.state(), "a", b"v", at));
}

#[tokio::test]
async fn d34_snapshots_are_taken_by_themselves() {
    let (disk, mut keys) = new();
    keys.snapshots = Some(12);
    let replica = start(&mut keys, &disk).await;
    for number in 0..60 {
        let transaction = write(replica.committed().state.clone(), &format!("{}", number % 3), &[b'v'; 500]);
        replica.submit(transaction).await.unwrap();
    }
    let status = replica.snapshots_settled().await;
    assert!((2..=12).contains(&status.taken) && status.failures == 0, "{status:?}");
    replica.stop().await.unwrap();
}

/// The host removes the end of the ledger and forgets the snapshot: it shows that there was more.
#[tokio::test]
async fn a_snapshot_of_a_later_day_shows_that_the_ledger_was_put_back() {
    let (disk, mut keys) = new();
    let replica = start(&mut keys, &disk).await;
    let yesterday = disk.copy();
    let older = keys.copy();
    snapshot(&replica, "later").await;
    replica.stop().await.unwrap();
    let file = files(&disk).pop().unwrap();
    yesterday.create_new(&file).unwrap().append(&disk.read(&file).unwrap()).unwrap();
    assert!(refusal(&older, &yesterday).contains("chunk file that begins with seqno 1"));
}
