//! What was written long ago: found again page by page, with receipts.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod common;

use std::{path::Path, sync::Arc};

use common::Keys;
use disk::{Disk, ForgetfulDisk};
use kv::{Tx, TxId};
use ledger::{receipt, tables};
use replication::{Known, Order, Range, Replica, Transaction};

const CHUNK: u64 = 256 * 1024;
const WRITES: u64 = 20_000;
const AT_ONCE: u64 = 1000;

/// Writes so many states of one key, and now and then one of another; says where the former are.
async fn fill(replica: &Replica) -> Vec<TxId> {
    let mut written = Vec::new();
    for begin in (0..WRITES).step_by(AT_ONCE as usize) {
        let state = replica.committed().state.clone();
        let one = |number: u64| {
            let mut tx = Tx::new(state.clone());
            tx.put(tables::PROPOSALS_INFO, "p", number.to_le_bytes().to_vec());
            if number.is_multiple_of(10) {
                tx.put(tables::PROPOSALS_INFO, "q", number.to_le_bytes().to_vec());
            }
            let replica = replica.clone();
            tokio::spawn(async move { replica.submit(Transaction::new(tx, [0; 32])).await.unwrap() })
        };
        for one in (begin..begin + AT_ONCE).map(one).collect::<Vec<_>>() {
            written.push(one.await.unwrap());
        }
    }
    written
}

/// Every write of a key, read page by page from one end.
fn paged(replica: &Replica, key: &str, at_most: usize, order: Order) -> Vec<(u64, u64)> {
    let last = replica.committed().state.tx_id().seqno;
    let (mut range, mut found) = (Range { from: 1, to: last, at_most, order }, Vec::new());
    loop {
        let page = replica.writes_to(tables::PROPOSALS_INFO, key.as_bytes(), &range).unwrap();
        assert!(page.writes.len() == at_most || page.next.is_none(), "a page is full unless it is the last");
        let number = |value: &[u8]| u64::from_le_bytes(value.try_into().unwrap());
        found.extend(page.writes.iter().map(|write| (write.seqno, number(write.value.as_ref().unwrap()))));
        match (page.next, order) {
            (None, _) => return found,
            (Some(next), Order::OldestFirst) => range.from = next,
            (Some(next), Order::NewestFirst) => range.to = next,
        }
    }
}

fn check(replica: &Replica, keys: &Keys, written: &[TxId]) {
    let mut expected: Vec<_> = written.iter().zip(0..).map(|(tx_id, number)| (tx_id.seqno, number)).collect();
    // Those that were submitted together were placed in any order.
    expected.sort_unstable();
    assert!(paged(replica, "p", 100, Order::OldestFirst) == expected);
    let newest_first: Vec<_> = expected.iter().rev().copied().collect();
    assert!(paged(replica, "p", 333, Order::NewestFirst) == newest_first);
    let others: Vec<_> = expected.iter().filter(|(_, number)| number % 10 == 0).copied().collect();
    assert!(paged(replica, "q", 7, Order::OldestFirst) == others);
    for tx_id in written.iter().step_by(997) {
        let found = receipt::verify(&replica.receipt(*tx_id).unwrap(), keys.service_certificate()).unwrap();
        assert_eq!(found.tx_id, Some(*tx_id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d22_pages_and_receipts_of_a_long_history() {
    let (disk, mut keys) = (ForgetfulDisk::new(), Keys::new());
    disk.create_dir(Path::new("/node")).unwrap();
    let replica = keys.start(Arc::new(disk.clone()), "/node", CHUNK).await.unwrap();
    let written = fill(&replica).await;
    check(&replica, &keys, &written);
    replica.stop().await.unwrap();
    let names = disk.list(Path::new("/node/ledger")).unwrap();
    // The last batch may have ended its chunk.
    let complete = names.iter().filter(|name| name.ends_with(".committed")).count();
    let indexed = disk.list(Path::new("/node/ledger.state/index")).unwrap();
    assert!(complete >= 10 && indexed.len() == complete, "{names:?}, {indexed:?}");

    // The next start reads the ledger itself, and writes the index files that are missing.
    for name in indexed.iter().step_by(2) {
        disk.remove(&Path::new("/node/ledger.state/index").join(name)).unwrap();
    }
    let replica = keys.start(Arc::new(disk.clone()), "/node", CHUNK).await.unwrap();
    check(&replica, &keys, &written);
    let all = replica.committed().state.tx_id().seqno;
    assert_eq!(replica.known(), Known { transactions: all, missing: 0, unreadable: false });
    replica.stop().await.unwrap();
    let again = disk.list(Path::new("/node/ledger.state/index")).unwrap();
    assert!(indexed.iter().all(|name| again.contains(name)), "{again:?}");
}
