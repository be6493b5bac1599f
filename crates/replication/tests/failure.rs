//! What becomes of those who wait when the ledger cannot be written any more, and of what is too large to be written.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{path::Path, sync::Arc, time::Duration};

use common::{Keys, has, write};
use disk::{Disk, ForgetfulDisk};
use kv::Tx;
use replication::{Replica, SubmitError, Transaction};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

async fn service() -> (ForgetfulDisk, Replica) {
    let disk = ForgetfulDisk::new();
    disk.create_dir(Path::new("/node")).unwrap();
    let replica = Keys::new().start(Arc::new(disk.clone()), "/node", 1 << 20).await.unwrap();
    (disk, replica)
}

fn one(replica: &Replica, key: &str) -> Transaction {
    write(replica.committed().state.clone(), key, b"value")
}

fn is_stopping<T>(result: Result<T, SubmitError>) -> bool {
    matches!(result, Err(SubmitError::Stopping))
}

#[tokio::test]
async fn whoever_waits_is_told_when_the_disk_fails() {
    let (disk, replica) = service().await;
    let last = replica.committed().state.tx_id().seqno;
    // An answer that was found on the head waits for a transaction that will never be committed.
    let waiting = tokio::spawn({
        let replica = replica.clone();
        async move { replica.wait_for(last + 1).await }
    });
    disk.fail_sync_after(0);
    let submitted = timeout(SOON, replica.submit(one(&replica, "a"))).await.unwrap();
    assert!(is_stopping(submitted), "it was not written");
    assert!(is_stopping(timeout(SOON, waiting).await.unwrap().unwrap()));
    assert!(is_stopping(timeout(SOON, replica.submit(one(&replica, "b"))).await.unwrap()));
    assert!(is_stopping(timeout(SOON, replica.hold(SOON)).await.unwrap().map(|_| ())));
    let why = timeout(SOON, replica.stopped()).await.unwrap().unwrap_err();
    assert!(why.contains("sync"), "{why}");
    assert_eq!(replica.committed().state.tx_id().seqno, last, "nothing of it is visible");
}

/// A start that fails says why, however the threads happen to run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_cannot_write_says_why() {
    for operations in (0..40).cycle().take(160) {
        let disk = ForgetfulDisk::new();
        disk.create_dir(Path::new("/node")).unwrap();
        disk.fail_after(operations);
        if let Err(why) = Keys::new().start(Arc::new(disk), "/node", 1 << 20).await {
            let why = why.to_string();
            assert!(why.contains("crashed") || why.contains("stopping"), "{operations}: {why}");
        }
    }
}

/// A hold is no way around the limit on what is written at once.
#[tokio::test]
async fn a_transaction_that_is_too_large_is_refused_in_a_hold_too() {
    let (_disk, replica) = service().await;
    let large = |state| {
        let mut tx = Tx::new(state);
        tx.put("public:test.values", "large", vec![0; 70 << 20]);
        Transaction::new(tx, [0; 32])
    };
    let hold = replica.hold(SOON).await.unwrap();
    let state = hold.committed().state.clone();
    let refused = hold.submit(large(state)).await;
    assert!(matches!(refused, Err(SubmitError::TooLarge { .. })), "{refused:?}");
    let refused = replica.submit(large(replica.committed().state.clone())).await;
    assert!(matches!(refused, Err(SubmitError::TooLarge { .. })), "{refused:?}");
    let tx_id = timeout(SOON, replica.submit(one(&replica, "a"))).await.unwrap().unwrap();
    assert!(has(&replica.committed().state, "a", b"value", tx_id));
}
