//! Snapshots: taken, begun with, and refused by name when they are not what they should be.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{Keys, has, write};
use disk::{Disk, DiskFault, ForgetfulDisk};
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

/// The one snapshot that is there.
fn only(disk: &ForgetfulDisk) -> PathBuf {
    let mut all = files(disk);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Puts a file in the place of another one.
fn put(disk: &ForgetfulDisk, file: &Path, bytes: &[u8]) {
    if disk.exists(file).unwrap() {
        disk.remove(file).unwrap();
    }
    disk.create_new(file).unwrap().append(bytes).unwrap();
}

/// The root and the snapshot that a start begins with.
fn begun(keys: &Keys, disk: &ForgetfulDisk) -> Result<([u8; 32], Option<u64>), String> {
    let opened = keys.open(Arc::new(disk.clone()), PLACE, CHUNK).map_err(|why| why.to_string())?;
    Ok((opened.committed().root, opened.snapshot().map(|name| name.seqno)))
}

/// Writes a value so many times, has a snapshot taken behind it, writes on, and ends.
async fn go_on(keys: &mut Keys, disk: &ForgetfulDisk, value: &str, times: usize) {
    let replica = start(keys, disk).await;
    for _ in 0..times {
        replica.submit(write(replica.committed().state.clone(), "key", value.as_bytes())).await.unwrap();
    }
    snapshot(&replica, value).await;
    replica.submit(write(replica.committed().state.clone(), "behind", value.as_bytes())).await.unwrap();
    replica.stop().await.unwrap();
}

/// A copy went on by itself, and its snapshot is put beside our ledger. It went on from a copy of the disk, under its
/// own ledger secret (`false`), or even from one of the memory, under ours.
#[tokio::test]
async fn a_snapshot_of_a_fork_is_refused_by_name() {
    for (same_secret, times) in [(false, 1), (true, 1), (true, 2)] {
        let (disk, mut keys) = new();
        start(&mut keys, &disk).await.stop().await.unwrap();
        let (fork, mut fork_keys) = (disk.copy(), keys.copy());
        let drawn = crypto::AesKey::generate().unwrap();
        keys.drawn = Some(drawn.clone());
        fork_keys.drawn = same_secret.then_some(drawn);
        go_on(&mut keys, &disk, "ours", 1).await;
        go_on(&mut fork_keys, &fork, "theirs", times).await;
        let good = begun(&keys, &disk).unwrap();
        assert!(begun(&fork_keys, &fork).unwrap().1 >= good.1, "it is the newest one");
        let (ours, theirs) = (only(&disk), only(&fork));
        assert_eq!(ours == theirs, times == 1);
        let genuine = disk.read(&ours).unwrap();
        put(&disk, &theirs, &fork.read(&theirs).unwrap());
        let why = refusal(&keys, &disk);
        assert!(why.contains(theirs.file_name().unwrap().to_str().unwrap()), "{why}");
        let expected = match (same_secret, times) {
            (false, _) => "the ledger secret that applies from seqno 3 on is not known",
            (true, 1) => "evidence of the snapshot",
            (true, _) => "the complete chunk file that ends with seqno",
        };
        assert!(why.contains(expected), "{why}");
        disk.remove(&theirs).unwrap();
        put(&disk, &ours, &genuine);
        assert_eq!(begun(&keys, &disk).unwrap(), good);
    }
}

#[tokio::test]
async fn a_start_without_the_newest_or_any_snapshot_comes_to_the_same() {
    let (disk, mut keys) = new();
    let replica = start(&mut keys, &disk).await;
    let first = snapshot(&replica, "first").await;
    let older = only(&disk);
    let second = snapshot(&replica, "second").await;
    let third = replica.submit(write(replica.committed().state.clone(), "third", b"v")).await.unwrap();
    replica.stop().await.unwrap();
    let (root, begins) = begun(&keys, &disk).unwrap();
    assert_eq!(begins, Some(second.seqno + 1));
    for expected in [Some(first.seqno + 1), None] {
        let newest = files(&disk).into_iter().rfind(|file| expected.is_none() || *file != older).unwrap();
        disk.remove(&newest).unwrap();
        let opened = keys.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
        assert_eq!(opened.snapshot().map(|name| name.seqno), expected);
        assert_eq!(opened.committed().root, root);
        for (key, at) in [("first", first), ("second", second), ("third", third)] {
            assert!(has(opened.state(), key, b"v", at), "{key} from {expected:?}");
        }
    }
    let replica = start(&mut keys, &disk).await;
    snapshot(&replica, "fourth").await;
    replica.stop().await.unwrap();
    assert!(begun(&keys, &disk).unwrap().1.is_some(), "snapshots are taken again");
}

/// The rekey lies before the snapshot, so nothing that is read leads to the secret but the record in its state.
#[tokio::test]
async fn a_secret_in_waiting_opens_a_snapshot_behind_its_rekey_and_no_other_does() {
    let (disk, mut keys) = new();
    let replica = start(&mut keys, &disk).await;
    let rekeyed = replica.submit(keys.rekey(&replica)).await.unwrap();
    let at = snapshot(&replica, "behind").await;
    replica.stop().await.unwrap();
    assert!(keys.secrets.of_version(rekeyed.seqno + 1).is_none(), "only a candidate");
    let opened = keys.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
    assert_eq!(opened.snapshot().unwrap().seqno, at.seqno + 1);
    assert!(has(opened.state(), "behind", b"v", at) && opened.secrets().of_version(rekeyed.seqno + 1).is_some());
    drop(opened);
    let mut others = keys.copy();
    for waiting in [None, Some(crypto::AesKey::generate().unwrap())] {
        others.waiting = waiting;
        assert!(refusal(&others, &disk).contains("secret"), "{}", refusal(&others, &disk));
    }
}

/// A ledger that is about to take a snapshot.
struct Scene {
    disk: ForgetfulDisk,
    replica: Replica,
    keys: Keys,
    before: TxId,
}

impl Scene {
    async fn new() -> Self {
        let (disk, mut keys) = new();
        let replica = start(&mut keys, &disk).await;
        let before = replica.submit(write(replica.committed().state.clone(), "before", b"v")).await.unwrap();
        Self { disk, replica, keys, before }
    }

    /// Asks for a snapshot; what was answered.
    async fn ask(&self) -> Vec<(&'static str, TxId)> {
        let transaction = write(self.replica.committed().state.clone(), "asked", b"v").with_snapshot();
        let answered = self.replica.submit(transaction).await.ok();
        [("before", self.before)].into_iter().chain(answered.map(|at| ("asked", at))).collect()
    }

    /// Opens what is left: everything answered is there, or the refusal.
    fn check(&self, left: &ForgetfulDisk, answered: &[(&str, TxId)]) -> Result<Option<u64>, String> {
        let opened = self.keys.open(Arc::new(left.clone()), PLACE, CHUNK).map_err(|why| why.to_string())?;
        for (key, at) in answered {
            assert!(has(opened.state(), key, b"v", *at), "{key}");
        }
        let found = opened.snapshot().map(|name| name.seqno);
        let root = opened.committed().root;
        drop(opened);
        let mut without = self.keys.copy();
        without.snapshots = None;
        let whole = without.open(Arc::new(left.clone()), PLACE, CHUNK).unwrap();
        assert_eq!(whole.committed().root, root, "the whole ledger says the same");
        Ok(found)
    }
}

/// The changes of the disk that belong to taking a snapshot: how many come before each one, and what it is.
async fn steps() -> Vec<(u64, String)> {
    let scene = Scene::new().await;
    let before = scene.disk.operations();
    scene.ask().await;
    assert_eq!(scene.replica.snapshots_settled().await.taken, 1);
    let trace = scene.disk.trace();
    scene.replica.stop().await.unwrap();
    let place = Path::new(PLACE).join("snapshots");
    let behind = trace.into_iter().enumerate().skip(before as usize);
    let ours = behind.filter(|(_, (_, path))| path.starts_with(&place));
    ours.map(|(at, (what, path))| (at as u64 - before, format!("{what} {}", path.display()))).collect()
}

#[tokio::test]
async fn a_disk_that_fails_under_a_snapshot_stops_nothing() {
    for (at, step) in steps().await {
        for fault in [DiskFault::InputOutput, DiskFault::ShortWrite, DiskFault::NoSpace] {
            let scene = Scene::new().await;
            scene.disk.fail_operation(at, fault);
            let mut answered = scene.ask().await;
            let status = scene.replica.snapshots_settled().await;
            let failures = scene.disk.failures();
            assert!(failures.iter().all(|(_, path)| path.starts_with("/node/snapshots")), "{step}: {failures:?}");
            assert_eq!(status.failures, u64::from(!failures.is_empty()), "{fault:?} at {step}");
            assert!(fault == DiskFault::NoSpace || status.failures == 1, "{fault:?} at {step}");
            scene.disk.free_space();
            if !scene.disk.is_read_only() {
                let go_on = write(scene.replica.committed().state.clone(), "behind", b"v").with_snapshot();
                answered.push(("behind", scene.replica.submit(go_on).await.unwrap()));
                let after = scene.replica.snapshots_settled().await;
                assert_eq!((after.failures, after.taken), (status.failures, status.taken + 1), "{fault:?} at {step}");
            }
            for seed in 0..4 {
                scene.check(&scene.disk.copy().crash(seed), &answered).unwrap();
            }
        }
    }
}

/// Power losses at every change that belongs to a snapshot, with each of its syncs left out in turn.
#[tokio::test]
async fn no_power_loss_under_a_snapshot_makes_a_wrong_start() {
    let steps = steps().await;
    for omitted in [None, Some("content of a snapshot"), Some("name of a snapshot")] {
        let (mut refused, mut found, mut lost) = (0, 0, 0);
        for at in steps.iter().map(|(at, _)| *at).chain([u64::MAX]) {
            let scene = Scene::new().await;
            if let Some(what) = omitted {
                scene.disk.ignore_syncs(what);
            }
            let answered = if at == u64::MAX {
                let answered = scene.ask().await;
                assert_eq!(scene.replica.snapshots_settled().await.taken, 1);
                answered
            } else {
                scene.disk.fail_after(at);
                let answered = scene.ask().await;
                let _ = scene.replica.stop().await;
                answered
            };
            for seed in 0..24 {
                match scene.check(&scene.disk.copy().crash(seed), &answered) {
                    Ok(Some(_)) => found += 1,
                    Ok(None) => lost += usize::from(at == u64::MAX),
                    Err(why) => {
                        assert!(why.starts_with("/node/snapshots/snapshot_"), "{omitted:?}: {why}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(found > 0);
        assert_eq!(refused > 0, omitted == Some("content of a snapshot"), "{omitted:?}: {refused} refused");
        assert_eq!(lost > 0, omitted == Some("name of a snapshot"), "{omitted:?}: {lost} lost");
    }
}

#[tokio::test]
async fn an_unfinished_snapshot_under_a_final_name_is_refused() {
    let (mut refused, mut whole) = (0, 0);
    for (at, step) in steps().await {
        let mut scene = Scene::new().await;
        scene.disk.fail_after(at);
        let answered = scene.ask().await;
        let _ = scene.replica.stop().await;
        let left = scene.disk.restart();
        let is_unfinished = |file: &PathBuf| file.to_str().unwrap().contains("unfinished_");
        let Some(unfinished) = files(&left).into_iter().find(is_unfinished) else { continue };
        let renamed = left.copy();
        let seqno = unfinished.to_str().unwrap().rsplit_once('_').unwrap().1.parse::<u64>().unwrap();
        let name = format!("/node/snapshots/snapshot_{seqno}_{}.committed", seqno + 1);
        renamed.rename(&unfinished, Path::new(&name)).unwrap();
        match scene.check(&renamed, &answered) {
            Err(why) => {
                assert!(why.starts_with(&name), "{step}: {why}");
                refused += 1;
            }
            // All of it was written, and the receipt with it.
            Ok(found) => {
                assert_eq!(found, Some(seqno), "{step}");
                whole += 1;
            }
        }
        assert_eq!(scene.check(&left, &answered).unwrap(), None, "{step}");
        let replica = start(&mut scene.keys, &left).await;
        assert!(files(&left).is_empty(), "the start removes it");
        replica.stop().await.unwrap();
    }
    assert!(refused >= 2 && whole >= 1, "{refused} refused, {whole} whole");
}
