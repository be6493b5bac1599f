//! The secret changes while the ledger is written: in the middle of a batch, under load, and never twice the same.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
};

use common::{Keys, all_writes, has, put_record, write};
use crypto::AesKey;
use disk::{Disk, ForgetfulDisk, RealDisk};
use kv::{Tx, TxId};
use ledger::{
    LedgerError,
    chunk::{ChunkName, ChunkReader},
    entry,
    secrets::{HistoricalSecret, unwind},
    tables,
};
use replication::{Replica, ReplicationError, SubmitError, Transaction};

const CHUNK: u64 = 1 << 20;
const PLACE: &str = "/node";

fn new_disk() -> ForgetfulDisk {
    let disk = ForgetfulDisk::new();
    disk.create_dir(Path::new(PLACE)).unwrap();
    disk.sync_dir(Path::new("/"), "test").unwrap();
    disk
}

async fn start(keys: &mut Keys, disk: &ForgetfulDisk) -> Replica {
    keys.start(Arc::new(disk.clone()), PLACE, CHUNK).await.unwrap()
}

fn refusal(keys: &Keys, disk: &ForgetfulDisk) -> ReplicationError {
    keys.open(Arc::new(disk.clone()), PLACE, CHUNK).map(|opened| opened.last()).unwrap_err()
}

fn is_unknown_secret(why: &ReplicationError) -> bool {
    matches!(why, ReplicationError::Ledger { source: LedgerError::UnknownSecret { .. }, .. })
}

/// Every entry of the only chunk.
fn entries(disk: &ForgetfulDisk) -> Vec<Vec<u8>> {
    let name = ChunkName::open(1);
    let bytes = disk.read(&Path::new(PLACE).join("ledger").join(name.to_string())).unwrap();
    let mut reader = ChunkReader::open(name, Cursor::new(bytes)).unwrap();
    std::iter::from_fn(|| reader.next_entry().unwrap()).map(|found| found.bytes).collect()
}

/// Places these at once, so that they are one batch.
async fn batch(replica: &Replica, transactions: Vec<Transaction>) -> Vec<Result<TxId, SubmitError>> {
    let all: Vec<_> = transactions
        .into_iter()
        .map(|transaction| {
            let replica = replica.clone();
            tokio::spawn(async move { replica.submit(transaction).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for one in all {
        outcomes.push(one.await.unwrap());
    }
    outcomes
}

#[tokio::test]
async fn the_secret_changes_in_the_middle_of_a_batch() {
    let (disk, mut keys) = (new_disk(), Keys::new());
    let replica = start(&mut keys, &disk).await;
    let hold = replica.hold(std::time::Duration::from_secs(5)).await.unwrap();
    let state = replica.committed().state.clone();
    let rekey = keys.rekey(&replica);
    let waiting = batch(&replica, vec![write(state.clone(), "a", b"1"), rekey, write(state.clone(), "b", b"2")]);
    let (_, placed) = tokio::join!(async { drop(hold) }, waiting);
    let at: Vec<TxId> = placed.into_iter().map(Result::unwrap).collect();
    assert_eq!([at[1].seqno, at[2].seqno], [at[0].seqno + 1, at[0].seqno + 2], "one batch");
    let secrets = replica.secrets();
    assert_eq!(secrets.latest().unwrap().version(), at[1].seqno + 1);
    assert_eq!(replica.last_signature(), at[2].seqno + 1);

    let found = entries(&disk);
    for (seqno, new) in [(at[0].seqno, false), (at[1].seqno, false), (at[2].seqno, true), (at[2].seqno + 1, true)] {
        let decoded = entry::decode(&found[seqno as usize - 1]).unwrap();
        for secret in secrets.iter() {
            let alone = ledger::secrets::LedgerSecrets::from_keys([(1, secret.key().clone())]).unwrap();
            let is_new = secret.version() == at[1].seqno + 1;
            assert_eq!(decoded.open(&alone).is_ok(), is_new == new, "{seqno} under the secret of {}", secret.version());
        }
    }
    // The receipts of before, of the rekey and of after disclose the evidence that stands in the entries.
    for id in &at {
        let receipt = replica.receipt(*id).unwrap();
        let told = receipt.leaf_components.as_ref().unwrap().commit_evidence.clone();
        let expected = entry::decode(&found[id.seqno as usize - 1]).unwrap().commit_evidence_digest.unwrap();
        assert_eq!(crypto::sha256(told.as_bytes()), expected, "{id}");
    }
    replica.stop().await.unwrap();
    let opened = keys.open(Arc::new(disk), PLACE, CHUNK).unwrap();
    assert!(has(opened.state(), "a", b"1", at[0]) && has(opened.state(), "b", b"2", at[2]));
}

/// What a recovery does: the latest secret is all that it is given.
#[tokio::test]
async fn the_latest_secret_leads_to_every_private_entry() {
    let (mut disk, mut keys, mut written) = (new_disk(), Keys::new(), Vec::new());
    let mut latest = None;
    for life in 0..3 {
        let replica = start(&mut keys, &disk).await;
        for number in 0..2 {
            for when in ["before", "behind"] {
                let (key, value) = (format!("{life}-{number}-{when}"), [life, number]);
                let at = replica.submit(write(replica.committed().state.clone(), &key, &value)).await.unwrap();
                written.push((key, value, at));
                if when == "before" {
                    replica.submit(keys.rekey(&replica)).await.unwrap();
                }
            }
        }
        latest = replica.secrets().latest().cloned();
        replica.stop().await.unwrap();
        disk = disk.restart();
    }
    let found = entries(&disk);
    let mut records = Vec::new();
    for bytes in &found {
        let decoded = entry::decode(bytes).unwrap();
        let record = HistoricalSecret::in_writes(&decoded.public).unwrap();
        records.extend(record.map(|record| (decoded.tx_id.seqno, record)));
    }
    let secrets = unwind(latest.unwrap().key().clone(), &records).unwrap();
    assert_eq!(secrets.iter().count(), 3 + 6);
    for (key, value, at) in written {
        let decoded = entry::decode(&found[at.seqno as usize - 1]).unwrap();
        let writes = decoded.open(&secrets).unwrap();
        assert_eq!(writes.get("test.secrets", key.as_bytes()).flatten().unwrap(), &value[..], "{key}");
    }
}

#[tokio::test]
async fn history_is_read_across_rekeys() {
    let (disk, mut keys) = (new_disk(), Keys::new());
    let replica = start(&mut keys, &disk).await;
    let mut written = Vec::new();
    for number in 0..4u8 {
        let mut tx = Tx::new(replica.committed().state.clone());
        tx.put(tables::PROPOSALS_INFO, "p", vec![number]);
        written.push(replica.submit(Transaction::new(tx, [0; 32])).await.unwrap().seqno);
        replica.submit(keys.rekey(&replica)).await.unwrap();
    }
    let found = all_writes(&replica, tables::PROPOSALS_INFO, b"p").unwrap();
    let expected: Vec<_> = written.iter().zip(0u8..).map(|(at, number)| (*at, Some(vec![number].into()))).collect();
    assert_eq!(found, expected);
    replica.stop().await.unwrap();
}

/// Of two that were decided on the same state only one finds its place, and the other leaves nothing behind: also if both
/// were given the same secret.
#[tokio::test]
async fn rekeys_in_conflict_leave_nothing() {
    let (disk, mut keys) = (new_disk(), Keys::new());
    let replica = start(&mut keys, &disk).await;
    let both = vec![keys.rekey(&replica), keys.rekey(&replica)];
    let outcomes = batch(&replica, both).await;
    let placed: Vec<TxId> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    assert_eq!(placed.len(), 1, "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Err(SubmitError::Conflict { .. }))));
    assert_eq!(replica.secrets().iter().count(), 2);
    assert_eq!(replica.secrets().latest().unwrap().version(), placed[0].seqno + 1);
    let again = replica.submit(keys.rekey(&replica)).await.unwrap();
    assert_eq!(replica.secrets().latest().unwrap().version(), again.seqno + 1);
    replica.stop().await.unwrap();
    assert_eq!(keys.open(Arc::new(disk), PLACE, CHUNK).unwrap().secrets().iter().count(), 3);
}

/// What the next start could not read is not placed, whoever decided it.
#[tokio::test]
async fn a_record_that_leads_elsewhere_is_not_placed() {
    let (disk, mut keys) = (new_disk(), Keys::new());
    let replica = start(&mut keys, &disk).await;
    let used = replica.secrets().latest().unwrap().clone();
    replica.submit(keys.rekey(&replica)).await.unwrap();
    let current = replica.secrets().latest().unwrap().clone();
    let fresh = || AesKey::generate().unwrap();
    let record = |previous: &ledger::secrets::Secret, next: &AesKey| {
        let mut tx = Tx::new(replica.committed().state.clone());
        put_record(&mut tx, previous, next, None);
        Transaction::new(tx, [0; 32])
    };
    let (one, other) = (fresh(), fresh());
    let wrong = [
        ("the secret before the last", record(&used, &one).with_next_secret(one.clone())),
        ("another secret than the record", record(&current, &one).with_next_secret(other)),
        ("a record without secret", record(&current, &one)),
        ("a secret without record", write(replica.committed().state.clone(), "k", b"v").with_next_secret(one)),
        ("a secret used before", record(&current, used.key()).with_next_secret(used.key().clone())),
    ];
    let last = replica.committed().state.tx_id();
    for (what, transaction) in wrong {
        let outcome = replica.submit(transaction).await;
        assert!(matches!(outcome, Err(SubmitError::Secret)), "{what}: {outcome:?}");
    }
    assert_eq!(replica.committed().state.tx_id(), last);
    replica.submit(keys.rekey(&replica)).await.unwrap();
    replica.stop().await.unwrap();
}

/// The disk may end between any two operations: before the batch with the rekey, in it, or behind it.
#[tokio::test]
async fn a_secret_in_waiting_counts_if_its_record_is_there() {
    let (mut came_about, mut did_not) = (0, 0);
    for (operations, ending) in (0..12).flat_map(|operations| (0..5).map(move |ending| (operations, ending))) {
        let (mut disk, mut keys) = (new_disk(), Keys::new());
        let replica = start(&mut keys, &disk).await;
        disk.fail_after(operations);
        let rekey = keys.rekey(&replica);
        let waiting = keys.waiting.clone().unwrap();
        let outcome = replica.submit(rekey).await;
        let behind = replica.submit(write(replica.committed().state.clone(), "k", b"v")).await;
        let _ = replica.stop().await;
        disk = if ending == 0 { disk.restart() } else { disk.crash(operations * 5 + ending) };
        let opened = keys.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
        let kept = opened.secrets().contains(&waiting);
        assert!(kept || (outcome.is_err() && behind.is_err()), "{operations}: an answered rekey is lost");
        assert!(behind.is_err() || has(opened.state(), "k", b"v", behind.unwrap()));
        if kept {
            came_about += 1
        } else {
            did_not += 1
        }
        drop(opened);
        // Either way it goes on, under a secret that no process had before.
        let replica = start(&mut keys, &disk).await;
        let last = replica.secrets().latest().unwrap().clone();
        assert!(*last.key() != waiting && last.version() + 1 >= replica.committed().state.tx_id().seqno);
        assert_eq!(replica.secrets().contains(&waiting), kept);
        replica.submit(keys.rekey(&replica)).await.unwrap();
        replica.stop().await.unwrap();
        keys.open(Arc::new(disk), PLACE, CHUNK).unwrap();
    }
    assert!(came_about > 3 && did_not > 3, "{came_about} and {did_not}");
}

/// Copies of the disk, taken right before and right after a rekey while the process goes on, which go on by themselves:
/// rekey, resume, rekey.
#[tokio::test]
async fn no_process_writes_under_a_secret_of_another() {
    let root = tempfile::tempdir().unwrap();
    let mut used: Vec<AesKey> = Vec::new();
    let mut left = vec![(root.path().join("0"), Keys::new())];
    fs::create_dir(&left[0].0).unwrap();
    let mut lives = 0;
    while let Some((place, mut keys)) = left.pop() {
        let path = place.to_str().unwrap();
        let replica = keys.start(Arc::new(RealDisk), path, CHUNK).await.unwrap();
        let first = replica.secrets().latest().unwrap().version();
        for number in 0..3 {
            let transaction = write(replica.committed().state.clone(), &format!("{lives}-{number}"), b"v");
            replica.submit(transaction).await.unwrap();
            let rekey = keys.rekey(&replica);
            if number == 1 && lives < 7 {
                left.push((copy(&place, "before"), keys.copy()));
            }
            replica.submit(rekey).await.unwrap();
            if number == 1 && lives < 7 {
                left.push((copy(&place, "after"), keys.copy()));
            }
        }
        let secrets = replica.secrets();
        let fresh: Vec<_> = secrets.iter().filter(|secret| secret.version() >= first).collect();
        assert_eq!(fresh.len(), 4, "one of the start, three of rekeys");
        assert!(fresh.iter().all(|secret| !used.contains(secret.key())));
        used.extend(fresh.into_iter().map(|secret| secret.key().clone()));
        replica.stop().await.unwrap();
        lives += 1;
    }
    assert_eq!((lives, used.len()), (15, 60));
}

/// A copy of a directory beside it.
fn copy(place: &Path, name: &str) -> PathBuf {
    let to = place.with_file_name(format!("{}-{name}", place.file_name().unwrap().to_str().unwrap()));
    copy_all(place, &to);
    to
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// The host puts the secrets of another day beside the ledger: whatever of them is missing is named by its place.
#[tokio::test]
async fn secrets_of_another_day_are_refused() {
    let (disk, mut keys) = (new_disk(), Keys::new());
    let replica = start(&mut keys, &disk).await;
    let rekey = keys.rekey(&replica);
    let without = (keys.secrets.clone(), None);
    let in_time = (keys.secrets.clone(), keys.waiting.clone());
    let rekeyed = replica.submit(rekey).await.unwrap();
    replica.submit(write(replica.committed().state.clone(), "k", b"v")).await.unwrap();
    replica.stop().await.unwrap();
    for (secrets, waiting) in [without.clone(), (without.0, Some(AesKey::generate().unwrap()))] {
        (keys.secrets, keys.waiting) = (secrets, waiting);
        let why = refusal(&keys, &disk);
        assert!(is_unknown_secret(&why), "{why}");
        let (at, version) = (format!("seqno {}:", rekeyed.seqno), format!("from seqno {} on", rekeyed.seqno + 1));
        assert!(why.to_string().contains(&at) && why.to_string().contains(&version), "{why}");
    }
    (keys.secrets, keys.waiting) = in_time.clone();
    let resumed = start(&mut keys, &disk).await;
    resumed.stop().await.unwrap();
    keys.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
    (keys.secrets, keys.waiting) = in_time;
    let why = refusal(&keys, &disk);
    assert!(is_unknown_secret(&why), "the secret of the resume is missing: {why}");
}

/// The one mistake that would be fatal: to go on under a secret that an earlier process had.
#[tokio::test]
async fn a_start_needs_a_secret_of_its_own() {
    let (disk, mut keys) = (new_disk(), Keys::new());
    let replica = start(&mut keys, &disk).await;
    replica.submit(keys.rekey(&replica)).await.unwrap();
    replica.stop().await.unwrap();
    let open = || keys.open(Arc::new(disk.clone()), PLACE, CHUNK).unwrap();
    let (secrets, next) = (open().secrets(), open().last().seqno + 1);
    let with = |version: u64, key: AesKey| {
        let mut secrets = secrets.clone();
        secrets.push(version, key).unwrap();
        secrets
    };
    let oldest = secrets.iter().next().unwrap().key().clone();
    for wrong in [
        secrets.clone(),
        with(next, oldest),
        with(next, keys.waiting.clone().unwrap()),
        with(next + 1, AesKey::generate().unwrap()),
    ] {
        let refused = open().start(wrong, keys.signer()).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, ReplicationError::NotFresh { .. }), "{refused}");
    }
    open().start(with(next, AesKey::generate().unwrap()), keys.signer()).await.unwrap().stop().await.unwrap();
}
