//! The whole commit path over a file layer that forgets every write, rename and directory entry not yet synced.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{path::Path, sync::Arc};

use common::{Keys, has, write};
use disk::{Disk, ForgetfulDisk};
use kv::TxId;
use replication::ReplicationError;

const CHUNK: u64 = 8 * 1024;

type Written = Vec<(String, Vec<u8>, TxId)>;

/// What was answered, in one life or in several.
#[derive(Default)]
struct Answered {
    writes: Written,
    rekeys: Vec<TxId>,
}

/// Writes until the disk fails; returns what was acknowledged.
async fn work(keys: &mut Keys, disk: &ForgetfulDisk, round: u64) -> Result<Answered, ReplicationError> {
    let replica = keys.start(Arc::new(disk.clone()), "/node", CHUNK).await?;
    let mut answered = Answered::default();
    for number in 0..40 {
        // Three at a time, so that a batch holds several.
        let one = |part: u64| {
            let key = format!("{round}-{number}-{part}");
            let value = vec![b'a' + (number % 26) as u8; 100 + (part as usize) * 50];
            let transaction = write(replica.committed().state.clone(), &key, &value);
            let replica = replica.clone();
            async move { replica.submit(transaction).await.map(|tx_id| (key, value, tx_id)) }
        };
        // Every few batches the secret changes in the middle of one: the first write is placed before that, the others
        // behind it.
        let rekey = (number % 5 == 3).then(|| keys.rekey(&replica));
        let rekey = async { replica.submit(rekey?).await.ok() };
        let (a, rekeyed, b, c) = tokio::join!(one(0), rekey, one(1), one(2));
        answered.rekeys.extend(rekeyed);
        let written: Vec<_> = [a, b, c].into_iter().flatten().collect();
        let stopped = written.len() < 3;
        answered.writes.extend(written);
        if stopped {
            break;
        }
    }
    // The outcome of stopping a disk that has failed does not matter here.
    let _ = replica.stop().await;
    Ok(answered)
}

/// One life of a service with `crashes` power losses; says how many writes and rekeys were answered, or what was
/// lost or refused.
async fn life(seed: u64, ignored: Option<&'static str>, crashes: u64) -> Result<(usize, usize), String> {
    let mut disk = ForgetfulDisk::new();
    disk.create_dir(Path::new("/node")).map_err(|why| why.to_string())?;
    disk.sync_dir(Path::new("/"), "test").map_err(|why| why.to_string())?;
    let mut keys = Keys::new();
    let mut answered = Answered::default();
    for round in 0..crashes {
        if let Some(what) = ignored {
            disk.ignore_syncs(what);
        }
        disk.fail_after(5 + (seed * 7919 + round * 104_729) % 400);
        // A start that the power loss interrupts acknowledges nothing.
        if let Ok(more) = work(&mut keys, &disk, round).await {
            answered.writes.extend(more.writes);
            answered.rekeys.extend(more.rekeys);
        }
        // Some processes are only killed: nothing is lost, but nothing has become durable by that.
        let killed = (seed + round) % 3 == 1;
        disk = if killed { disk.restart() } else { disk.crash(seed.wrapping_mul(31).wrapping_add(round)) };
        let opened = keys.open(Arc::new(disk.clone()), "/node", CHUNK).map_err(|why| why.to_string())?;
        for (key, value, tx_id) in &answered.writes {
            if !has(opened.state(), key, value, *tx_id) {
                return Err(format!("seed {seed}: {key} at {tx_id} is lost; the ledger ends at {}", opened.last()));
            }
        }
        if let Some(lost) = answered.rekeys.iter().find(|at| opened.secrets().of_version(at.seqno + 1).is_none()) {
            return Err(format!("seed {seed}: the secret behind {lost} is lost"));
        }
        // What a start has found is durable, also if the power ends that start.
        if killed && (seed / 3 + round).is_multiple_of(2) {
            disk = disk.crash(seed.wrapping_mul(17).wrapping_add(round));
            let again = keys.open(Arc::new(disk.clone()), "/node", CHUNK).map_err(|why| why.to_string())?;
            if again.last() != opened.last() {
                return Err(format!(
                    "seed {seed}: {} was found, then the ledger ends at {}",
                    opened.last(),
                    again.last()
                ));
            }
        }
    }
    Ok((answered.writes.len(), answered.rekeys.len()))
}

fn run(seed: u64, ignored: Option<&'static str>) -> Result<(usize, usize), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(life(seed, ignored, 4))
}

#[test]
fn every_answered_write_survives_200_power_losses() {
    let all = (0..200).map(|seed| run(seed, None).unwrap());
    let (writes, rekeys) = all.fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
    let enough = writes > 10_000 && rekeys > 500;
    assert!(enough, "{writes} writes and {rekeys} rekeys were answered: the disks fail too early to prove anything");
}

#[test]
fn every_sync_of_the_commit_path_is_needed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let disk = ForgetfulDisk::new();
    disk.create_dir(Path::new("/node")).unwrap();
    let mut keys = Keys::new();
    for round in 0..2 {
        runtime.block_on(work(&mut keys, &disk, round)).unwrap();
    }
    // What is synced again when the log is opened matters only if a process was killed within a few instructions; the
    // tests of the log itself get there.
    for what in disk.syncs_seen().into_iter().filter(|what| !what.starts_with("reopened")) {
        let noticed = (0..1000).any(|seed| run(seed, Some(what)).is_err());
        assert!(noticed, "nothing notices when this sync is left out: {what}");
    }
}
