//! One process: it starts, does what a script says, and ends, one way or another.

use std::{
    future::{Future, poll_fn},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use disk::{Disk, ForgetfulDisk};
use kv::TxId;
use replication::{Replica, SubmitError, Transaction};
use tokio::time::timeout;

use crate::{
    common::write,
    nonces::Nonces,
    seeds::{Random, text},
    service::{PLACE, Service, value},
};

/// Whoever waits is told something within this time.
const SOON: Duration = Duration::from_secs(30);

/// What a process does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many writes in one batch.
    Writes(u64),
    /// A rekey in one batch with so many writes before and behind it.
    Rekey(u64, u64),
    /// A write behind which the chunk ends.
    EndChunk,
    /// The receipt of the last write.
    Receipt,
}

impl Step {
    /// Steps by seed.
    pub(crate) fn any(random: &mut Random, count: u64) -> Vec<Self> {
        let one = |random: &mut Random| match random.below(10) {
            0 => Self::EndChunk,
            1 => Self::Rekey(random.below(2), random.below(3)),
            2 => Self::Receipt,
            3..=5 => Self::Writes(2 + random.below(4)),
            _ => Self::Writes(1),
        };
        (0..count).map(|_| one(random)).collect()
    }
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct End {
    /// Whether it did all it should.
    pub(crate) finished: bool,
    /// Why it stopped by itself or did not start.
    pub(crate) stopped: Result<(), String>,
}

type Answer = Result<TxId, SubmitError>;

impl Service {
    /// Starts on a disk and works until the script or the disk ends. An error is something that must not be.
    pub(crate) async fn live(
        &mut self,
        disk: &ForgetfulDisk,
        script: &[Step],
        nonces: &mut Nonces,
    ) -> Result<End, String> {
        self.lives += 1;
        let lives = self.lives;
        let started = soon(self.keys.start(Arc::new(disk.clone()), PLACE, self.chunk_size)).await?;
        let replica = match started {
            Ok(replica) => replica,
            Err(why) => {
                nonces.note(disk, &self.keys.secrets)?;
                return Ok(End { finished: false, stopped: Err(why.to_string()) });
            }
        };
        if replica.view() <= self.view {
            return Err(format!("two processes ordered transactions in view {}", replica.view()));
        }
        self.view = replica.view();
        self.check_receipts(&replica, disk)?;
        let mut finished = true;
        for (number, step) in script.iter().enumerate() {
            let failed = must_stop(disk);
            let before = self.answered();
            finished = self.step(&replica, *step, &format!("{lives}-{number}")).await?;
            settle(&replica, disk).await?;
            if failed && self.answered() > before {
                return Err(format!("{step:?} was answered after the disk had failed"));
            }
            if !finished {
                break;
            }
        }
        self.seen = replica.committed().state.tx_id();
        self.check_receipts(&replica, disk)?;
        let stopped = soon(replica.stop()).await?;
        let secrets = replica.secrets();
        nonces.note(disk, &secrets)?;
        if finished {
            self.keys.secrets = (*secrets).clone();
        }
        Ok(End { finished, stopped })
    }

    async fn step(&mut self, replica: &Replica, step: Step, name: &str) -> Result<bool, String> {
        match step {
            Step::Writes(count) => {
                let keys: Vec<_> = (0..count).map(|part| format!("{name}-{part}")).collect();
                self.batch(replica, &keys, None, &[]).await
            }
            Step::Rekey(before, behind) => {
                let keys = |when, count| (0..count).map(|part| format!("{name}-{when}-{part}")).collect::<Vec<_>>();
                let rekey = self.keys.rekey(replica);
                self.batch(replica, &keys("before", before), Some(rekey), &keys("behind", behind)).await
            }
            Step::EndChunk => {
                let transaction = self.write(replica, name).with_chunk_after();
                let answers = batch(replica, vec![transaction]).await?;
                self.take(&[name.to_owned()], &answers)
            }
            Step::Receipt => {
                if let Some(tx_id) = self.writes.values().max().copied() {
                    // It is read from the disk, which may fail; then there is none.
                    self.receipts.extend(replica.receipt(tx_id).ok().map(|receipt| (tx_id, receipt)));
                }
                Ok(true)
            }
        }
    }

    fn write(&mut self, replica: &Replica, key: &str) -> Transaction {
        self.submitted.insert(key.to_owned());
        write(replica.committed().state.clone(), key, &value(key))
    }

    async fn batch(
        &mut self,
        replica: &Replica,
        before: &[String],
        rekey: Option<Transaction>,
        behind: &[String],
    ) -> Result<bool, String> {
        let mut transactions: Vec<_> = before.iter().map(|key| self.write(replica, key)).collect();
        let rekeys = usize::from(rekey.is_some());
        transactions.extend(rekey);
        transactions.extend(behind.iter().map(|key| self.write(replica, key)));
        let answers = batch(replica, transactions).await?;
        let (first, rest) = answers.split_at(before.len());
        let (rekeyed, last) = rest.split_at(rekeys);
        let mut all = self.take(before, first)?;
        for answer in rekeyed {
            match answer {
                Ok(tx_id) => self.rekeys.push(*tx_id),
                Err(SubmitError::Stopping) => all = false,
                Err(why) => return Err(format!("a rekey was refused: {why}")),
            }
        }
        Ok(self.take(behind, last)? && all)
    }

    /// Notes what was answered; whether everything was.
    fn take(&mut self, keys: &[String], answers: &[Answer]) -> Result<bool, String> {
        let mut all = true;
        for (key, answer) in keys.iter().zip(answers) {
            match answer {
                Ok(tx_id) => {
                    self.writes.insert(key.clone(), *tx_id);
                }
                Err(SubmitError::Stopping) => all = false,
                Err(why) => return Err(format!("{key} was refused: {why}")),
            }
        }
        Ok(all)
    }
}

/// Whether something has failed without which nothing can be answered any more: not a reading, and not what is written
/// beside the ledger and can be done without.
pub(crate) fn must_stop(disk: &ForgetfulDisk) -> bool {
    let beside = |path: &Path| ["/index", "/snapshots"].iter().any(|part| path.to_string_lossy().contains(part));
    let failures = disk.failures();
    let dead = disk.exists("/".as_ref()).is_err();
    dead || failures.iter().any(|(action, path)| *action != "read" && !beside(path))
}

/// Whether anything was ordered to fail and has.
pub(crate) fn has_failed(disk: &ForgetfulDisk) -> bool {
    !disk.failures().is_empty() || disk.exists("/".as_ref()).is_err()
}

/// Places all in one batch: they wait behind a hold until the last one is there.
async fn batch(replica: &Replica, transactions: Vec<Transaction>) -> Result<Vec<Answer>, String> {
    let hold = soon(replica.hold(SOON)).await?;
    let mut waiting: Vec<Pin<Box<dyn Future<Output = Answer>>>> = Vec::new();
    let mut answers = Vec::new();
    for transaction in transactions {
        waiting.push(Box::pin(replica.submit(transaction)));
        let last = waiting.last_mut().unwrap();
        answers.push(poll_fn(|context| Poll::Ready(last.as_mut().poll(context))).await);
    }
    drop(hold);
    let mut all = Vec::new();
    for (future, answer) in waiting.into_iter().zip(answers) {
        all.push(match answer {
            Poll::Ready(answer) => answer,
            Poll::Pending => soon(future).await?,
        });
    }
    Ok(all)
}

/// Until nothing more happens by itself, as far as can be seen: so that the same seed mostly does the same operations in
/// the same order.
async fn settle(replica: &Replica, disk: &ForgetfulDisk) -> Result<(), String> {
    let (mut quiet, mut operations) = (0, disk.operations());
    while quiet < 3 {
        drop(soon(replica.hold(SOON)).await?);
        let now = disk.operations();
        quiet = if now == operations { quiet + 1 } else { 0 };
        operations = now;
    }
    Ok(())
}

async fn soon<T>(what: impl Future<Output = T>) -> Result<T, String> {
    timeout(SOON, what).await.map_err(|_| text("somebody waits who is told nothing"))
}
