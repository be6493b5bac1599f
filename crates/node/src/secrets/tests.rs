//! Rekeys with vault and ledger on one disk, which ends or is put back at any point.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crypto::{
    Curve, SigningKey,
    issue::{self, Validity},
};
use disk::{Disk, ForgetfulDisk};
use kv::{State, Tx, UNIT_KEY};
use ledger::{
    secrets::{HistoricalSecret, PreviousSecret},
    tables,
};
use replication::{Options, Signer, SubmitError, Transaction};

use super::*;
use crate::{NodeError, resume, vault::KeptSecrets};

const STATE: &str = "/node/ledger.state";
const FILE: &str = "/node/ledger.state/ledger_secrets.sealed";
const TABLE: &str = tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET;

/// What does not change from start to start.
struct Keys {
    service: Vec<u8>,
    node: Vec<u8>,
    certificate: String,
}

impl Keys {
    fn new() -> Self {
        let validity = Validity { from: 1_700_000_000, days: 1 };
        let (service, node) = (SigningKey::generate(Curve::P384).unwrap(), SigningKey::generate(Curve::P384).unwrap());
        let ca = issue::service_certificate(&service, "CCF Service", validity).unwrap();
        let certificate = issue::node_certificate(node.public(), "CCF Node", &[], validity, &service, &ca).unwrap();
        let der = |key: &SigningKey| key.to_pkcs8_der().unwrap().to_vec();
        Self { service: der(&service), node: der(&node), certificate: certificate.to_pem() }
    }

    fn signer(&self) -> Signer {
        let key = |der: &[u8]| SigningKey::from_pkcs8_der(der).unwrap();
        Signer {
            service_key: key(&self.service),
            node_key: key(&self.node),
            node_certificate: self.certificate.clone().into(),
            issuer: "i".into(),
            subject: "s".into(),
            now: || 1_700_000_000,
        }
    }

    fn node_id(&self) -> String {
        SigningKey::from_pkcs8_der(&self.node).unwrap().public().id()
    }

    /// The steps of a start that are about secrets and the ledger, in their order.
    async fn start(&self, disk: &ForgetfulDisk) -> Result<Secrets, NodeError> {
        let vault = vault(disk)?;
        let KeptSecrets { secrets: kept, next } = vault.secrets()?;
        let opened = replication::open(options(disk), &kept, next.as_slice()).map_err(|why| vault.explain(why))?;
        let last = opened.last().seqno;
        let secrets = resume::secrets(&opened.secrets(), last + 1)?;
        let waiting = AesKey::generate()?;
        vault.keep_secrets(&secrets, &waiting)?;
        let fresh = secrets.latest().unwrap().key().clone();
        let mut tx = Tx::new(opened.state().clone());
        match secrets.for_seqno(last) {
            None => tx.put(tables::NODES_ENDORSED_CERTIFICATES, self.node_id(), self.certificate.clone()),
            Some(previous) => put_record(&mut tx, previous, &fresh, Some(last + 1)),
        }
        let replica = opened.start(secrets, self.signer()).await?;
        replica.submit(Transaction::new(tx, [0; 32])).await?;
        Ok(Secrets::new(replica, vault, waiting))
    }
}

fn vault(disk: &ForgetfulDisk) -> Result<Vault, VaultError> {
    Vault::open(Arc::new(disk.clone()), STATE.into())
}

fn options(disk: &ForgetfulDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        ledger_directory: PathBuf::from("/node/ledger"),
        state_directory: STATE.into(),
        mac_key: [9; 32],
        chunk_size: 8 * 1024,
        segment_bytes: 8 * 1024,
        background: replication::Background::Thread,
        snapshots: None,
    }
}

fn new_disk() -> ForgetfulDisk {
    let disk = ForgetfulDisk::new();
    for (path, parent) in [("/node", "/"), (STATE, "/node")] {
        disk.create_dir(Path::new(path)).unwrap();
        disk.sync_dir(Path::new(parent), "test").unwrap();
    }
    disk
}

fn put_record(tx: &mut Tx, previous: &Secret, next: &AesKey, next_version: Option<u64>) {
    let iv = crypto::random_bytes().unwrap();
    let sealed = PreviousSecret::seal((previous.version(), previous.key()), next, iv, None).unwrap();
    // What decides on secrets looks at the chain, so that another rekey is in conflict.
    tx.written(TABLE, &UNIT_KEY);
    let record = HistoricalSecret { next_version, previous_ledger_secret: Some(sealed) };
    tx.put(TABLE, UNIT_KEY.to_vec(), record.to_json().unwrap());
}

fn rekeying(around: &Around, base: State) -> Transaction {
    let mut tx = Tx::new(base);
    put_record(&mut tx, &around.current, &around.next, None);
    Transaction::new(tx, [0; 32]).with_next_secret(around.next.clone())
}

impl Secrets {
    fn state(&self) -> State {
        self.replica.committed().state.clone()
    }

    /// Where the rekey stands, and the secret behind it; `None` if the disk has ended.
    async fn rekey(&self) -> Option<(TxId, AesKey)> {
        let base = self.state();
        let around = self.around(base.tx_id()).ok()?;
        let at = self.replica.submit(rekeying(&around, base)).await.ok()?;
        Some((at, around.next))
    }

    async fn write(&self, key: &str) -> Result<TxId, SubmitError> {
        let mut tx = Tx::new(self.state());
        tx.put("test.private", key.to_owned(), "value");
        self.replica.submit(Transaction::new(tx, [0; 32])).await
    }

    /// Ends as a process does that is killed.
    async fn end(self) {
        let _ = self.replica.stop().await;
    }
}

/// What was answered until the disk ended.
#[derive(Default)]
struct Answered {
    rekeys: Vec<(TxId, AesKey)>,
    writes: Vec<(String, TxId)>,
}

async fn work(keys: &Keys, disk: &ForgetfulDisk, life: u64, answered: &mut Answered) {
    let Ok(secrets) = keys.start(disk).await else { return };
    for number in 0..4 {
        let Some(rekeyed) = secrets.rekey().await else { break };
        answered.rekeys.push(rekeyed);
        let key = format!("{life}-{number}");
        let Ok(at) = secrets.write(&key).await else { break };
        answered.writes.push((key, at));
    }
    secrets.end().await;
}

/// One service over several power losses; what was lost, if anything.
async fn live(seed: u64, ignored: Option<&'static str>) -> Result<Answered, String> {
    let (mut disk, keys, mut answered) = (new_disk(), Keys::new(), Answered::default());
    for life in 0..4 {
        if let Some(what) = ignored {
            disk.ignore_syncs(what);
        }
        disk.fail_after(5 + (seed * 7919 + life * 104_729) % 90);
        work(&keys, &disk, life, &mut answered).await;
        let killed = (seed + life) % 3 == 1;
        disk = if killed { disk.restart() } else { disk.crash(seed * 31 + life) };
        check(&disk, &answered).map_err(|why| format!("seed {seed}, life {life}: {why}"))?;
    }
    Ok(answered)
}

fn check(disk: &ForgetfulDisk, answered: &Answered) -> Result<(), String> {
    let vault = vault(disk).map_err(|why| why.to_string())?;
    let kept = vault.secrets().map_err(|why| why.to_string())?;
    let opened = replication::open(options(disk), &kept.secrets, kept.next.as_slice());
    let opened = opened.map_err(|why| vault.explain(why).to_string())?;
    let secrets = opened.secrets();
    for (at, secret) in &answered.rekeys {
        if secrets.of_version(at.seqno + 1).is_none_or(|found| found.key() != secret) {
            return Err(format!("the secret behind {at} is lost"));
        }
    }
    for (key, at) in &answered.writes {
        if opened.state().get("test.private", key.as_bytes()).is_none_or(|found| found.written != *at) {
            return Err(format!("{key} at {at} is lost"));
        }
    }
    Ok(())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn every_answered_rekey_survives_power_losses() {
    let all = run(async {
        let mut all = Answered::default();
        for seed in 0..60 {
            let answered = live(seed, None).await.unwrap();
            all.rekeys.extend(answered.rekeys);
            all.writes.extend(answered.writes);
        }
        all
    });
    let enough = all.rekeys.len() > 200 && all.writes.len() > 200;
    assert!(enough, "{} rekeys, {} writes: the disks fail too early", all.rekeys.len(), all.writes.len());
}

/// A secret that is used before it is durable is lost one day, and with it everything behind the rekey.
#[test]
fn the_secret_in_waiting_is_synced_before_it_is_used() {
    for what in ["content of a replaced file", "name of a replaced file"] {
        let is_about_it = |why: String| why.contains("ledger_secrets.sealed");
        let noticed = (0..300).any(|seed| run(live(seed, Some(what))).is_err_and(is_about_it));
        assert!(noticed, "nothing notices when this sync is left out: {what}");
    }
}

#[tokio::test]
async fn one_secret_waits_whatever_becomes_of_the_attempts() {
    let (disk, keys) = (new_disk(), Keys::new());
    let secrets = keys.start(&disk).await.unwrap();
    let before = disk.read(Path::new(FILE)).unwrap();
    let base = secrets.state();
    let first = secrets.around(base.tx_id()).unwrap();
    for _ in 0..100 {
        assert!(secrets.around(base.tx_id()).unwrap().next == first.next);
    }
    assert_eq!(disk.read(Path::new(FILE)).unwrap(), before, "attempts write nothing");

    // Nobody waits for the outcome: the request that asked for it has ended.
    drop(tokio::time::timeout(std::time::Duration::ZERO, secrets.replica.submit(rekeying(&first, base.clone()))).await);
    let at = secrets.write("k").await.unwrap();
    let (seen, later) = (secrets.around(base.tx_id()).unwrap(), secrets.around(at).unwrap());
    let placed = secrets.replica.secrets().contains(&first.next);
    assert_eq!(placed, later.next != first.next);
    assert!(seen.current.version() == 1, "what is decided on an older state is about the secret of then");
    // Decided on that older state: whatever has become of the first one, this one cannot come behind it.
    let outcome = secrets.replica.submit(rekeying(&seen, base)).await;
    assert!(outcome.is_ok() != placed, "{outcome:?}");
    secrets.rekey().await.unwrap();
    secrets.end().await;
    let kept = vault(&disk).unwrap().secrets().unwrap();
    assert!(kept.secrets.contains(&first.next) && kept.next.is_some());
}

/// A disk that is full when the next secret is to be kept: nothing is decided, and nothing is lost.
#[tokio::test]
async fn a_secret_that_cannot_be_kept_is_not_used() {
    let (disk, keys) = (new_disk(), Keys::new());
    let secrets = keys.start(&disk).await.unwrap();
    let (_, used) = secrets.rekey().await.unwrap();
    let base = secrets.state().tx_id();
    disk.fail_after(0);
    assert!(secrets.around(base).is_err());
    secrets.end().await;
    let disk = disk.crash(3);
    let secrets = keys.start(&disk).await.unwrap();
    assert!(secrets.replica.secrets().contains(&used));
    secrets.end().await;
}

/// The host puts the file of another time in the place of the one that belongs to the ledger.
#[tokio::test]
async fn a_rewound_or_foreign_file_of_secrets_is_refused_by_name() {
    let (mut disk, keys) = (new_disk(), Keys::new());
    let mut files = Vec::new();
    for _ in 0..2 {
        let secrets = keys.start(&disk).await.unwrap();
        secrets.rekey().await.unwrap();
        files.push(disk.read(Path::new(FILE)).unwrap());
        secrets.rekey().await.unwrap();
        secrets.write("k").await.unwrap();
        files.push(disk.read(Path::new(FILE)).unwrap());
        secrets.end().await;
        disk = disk.restart();
    }
    let good = files.pop().unwrap();
    for (number, old) in files.into_iter().enumerate() {
        disk::write_atomically(&disk, Path::new(FILE), &old).unwrap();
        let why = keys.start(&disk).await.map(|_| ()).unwrap_err().to_string();
        let named = why.starts_with(FILE) && why.contains("of another day") && why.contains("seqno");
        assert!(named, "file {number}: {why}");
    }
    disk::write_atomically(&disk, Path::new(FILE), &good).unwrap();
    // A service of somebody else, sealed with this very key.
    let elsewhere = new_disk();
    let key = disk.read(Path::new("/node/ledger.state/sealing.key")).unwrap();
    disk::write_atomically(&elsewhere, Path::new("/node/ledger.state/sealing.key"), &key).unwrap();
    let other = Keys::new().start(&elsewhere).await.unwrap();
    other.rekey().await.unwrap();
    other.end().await;
    let foreign = elsewhere.read(Path::new(FILE)).unwrap();
    disk::write_atomically(&disk, Path::new(FILE), &foreign).unwrap();
    let why = keys.start(&disk).await.map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("seqno 1:") && why.contains("ledger secrets"), "{why}");
    disk::write_atomically(&disk, Path::new(FILE), &good).unwrap();
    keys.start(&disk).await.unwrap().end().await;
}
