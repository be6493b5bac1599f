//! How long the right to place the next transaction alone lasts.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{path::Path, sync::Arc, time::Duration};

use common::{Keys, write};
use disk::{Disk, ForgetfulDisk};
use replication::{Replica, SubmitError, Transaction};
use tokio::time::{sleep, timeout};

async fn service() -> Replica {
    let disk = ForgetfulDisk::new();
    disk.create_dir(Path::new("/node")).unwrap();
    Keys::new().start(Arc::new(disk), "/node", 1 << 20).await.unwrap()
}

fn one(replica: &Replica, key: &str) -> Transaction {
    write(replica.committed().state.clone(), key, b"value")
}

#[tokio::test]
async fn a_holder_has_the_time_that_it_asked_for_and_others_wait() {
    let replica = service().await;
    // More than a hold lasts without a vote on the time of scripts.
    let hold = replica.hold(Duration::from_secs(30)).await.unwrap();
    let mine = one(&replica, "a");
    let other = tokio::spawn({
        let replica = replica.clone();
        async move { replica.submit(one(&replica, "b")).await }
    });
    sleep(Duration::from_millis(1800)).await;
    assert!(!other.is_finished());
    let first = hold.submit(mine).await.unwrap();
    // What it had read is still so: it wrote another key.
    assert_eq!(other.await.unwrap().unwrap().seqno, first.seqno + 2, "behind the first and its signature");
}

#[tokio::test]
async fn a_holder_that_takes_longer_loses_its_place() {
    let replica = service().await;
    let hold = replica.hold(Duration::from_millis(50)).await.unwrap();
    let late = one(&replica, "a");
    timeout(Duration::from_secs(5), replica.submit(one(&replica, "b"))).await.unwrap().unwrap();
    assert!(matches!(hold.submit(late).await, Err(SubmitError::Conflict { .. })));
}
