//! How long a page of old states takes, out of a short history and out of a long one, and how long a restart takes. No
//! TLS, no HTTP. `pages [STATES]`
//!
//! The last line is JSON, with times in milliseconds.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crypto::{
    AesKey, Certificate, Curve, SigningKey,
    issue::{self, Validity},
};
use kv::{Tx, UNIT_KEY};
use ledger::{
    secrets::{HistoricalSecret, LedgerSecrets, PreviousSecret},
    tables,
};
use replication::{Background, Opened, Options, Order, Range, Replica, Signer, SnapshotOptions, Transaction, open};

/// States in the short history.
const SHORT: u64 = 10_000;
/// States in the long one, unless told otherwise.
const LONG: u64 = 1_000_000;
/// Transactions that are submitted at a time; as many as a batch can have.
const AT_ONCE: u64 = 4000;
/// States on a page.
const PAGE: usize = 100;
/// Pages that are read from each history.
const PAGES: u64 = 101;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let long = std::env::args().nth(1).map_or(Ok(LONG), |text| text.parse())?;
    let root = std::env::temp_dir().join(format!("pages-{}", std::process::id()));
    std::fs::create_dir(&root)?;
    let measured = measure(&root, long).await;
    std::fs::remove_dir_all(&root)?;
    println!("{}", measured?);
    Ok(())
}

async fn measure(root: &Path, long: u64) -> Result<String> {
    let (short_ms, _) = history(&root.join("short"), SHORT).await?;
    let (long_ms, restart) = history(&root.join("long"), long).await?;
    let Restart { read, started, indexed } = restart;
    Ok(format!(
        r#"{{"short_states":{SHORT},"long_states":{long},"short_ms":{short_ms:.3},"long_ms":{long_ms:.3},"restart_ms":{:.1},"restart_read_ms":{:.1},"indexed_ms":{:.1}}}"#,
        milliseconds(read + started),
        milliseconds(read),
        milliseconds(indexed),
    ))
}

/// How long a restart takes.
struct Restart {
    /// Until the snapshot and what is behind it were read.
    read: Duration,
    /// From then on, until transactions are ordered.
    started: Duration,
    /// From then on, until everything can be asked about.
    indexed: Duration,
}

/// Writes so many states of one key, reads pages of them, and starts again.
async fn history(directory: &Path, states: u64) -> Result<(f64, Restart)> {
    std::fs::create_dir(directory)?;
    let mut service = Service::new(directory.to_owned())?;
    let replica = service.start(service.open()?).await?;
    let began = Instant::now();
    write(&replica, states).await?;
    println!("{states} states written in {:.1} s", began.elapsed().as_secs_f64());
    let before = pages(&replica, states)?;
    println!("a page of {PAGE} out of {states}: {before:.3} ms");
    snapshot(&replica).await?;
    replica.stop().await?;

    let began = Instant::now();
    let opened = service.open()?;
    let read = began.elapsed();
    println!(
        "read from {} on in {:.1} ms",
        opened.snapshot().map_or_else(String::new, |name| name.to_string()),
        milliseconds(read)
    );
    let began = Instant::now();
    let replica = service.start(opened).await?;
    let started = began.elapsed();
    let began = Instant::now();
    while replica.known().missing > 0 {
        if replica.known().unreadable {
            return Err("the index cannot be read".into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let indexed = began.elapsed();
    println!("started in {:.1} ms, indexed in another {:.1} ms", milliseconds(started), milliseconds(indexed));
    let after = pages(&replica, states)?;
    println!("a page of {PAGE} out of {states} after the restart: {after:.3} ms");
    replica.stop().await?;
    Ok((before.max(after), Restart { read, started, indexed }))
}

async fn write(replica: &Replica, states: u64) -> Result<()> {
    let mut number = 0;
    while number < states {
        let state = replica.committed().state.clone();
        let end = states.min(number + AT_ONCE);
        let submitted: Vec<_> = (number..end)
            .map(|number| {
                let mut tx = Tx::new(state.clone());
                let record = format!(r#"{{"ballots":{{}},"proposer_id":"{number:064}","state":"Open"}}"#);
                tx.put(tables::PROPOSALS_INFO, "proposal", record);
                let replica = replica.clone();
                tokio::spawn(async move { replica.submit(Transaction::new(tx, [0; 32])).await })
            })
            .collect();
        for one in submitted {
            one.await??;
        }
        number = end;
    }
    Ok(())
}

/// The median time of a page, in milliseconds, from either end of ranges that begin everywhere.
fn pages(replica: &Replica, states: u64) -> Result<f64> {
    let last = replica.committed().state.tx_id().seqno;
    let mut times = Vec::new();
    for number in 0..PAGES {
        let at = last * number / PAGES + 1;
        for range in [
            Range { from: at, to: last, at_most: PAGE, order: Order::OldestFirst },
            Range { from: 1, to: last - at + 1, at_most: PAGE, order: Order::NewestFirst },
        ] {
            let began = Instant::now();
            let page = replica.writes_to(tables::PROPOSALS_INFO, b"proposal", &range)?;
            times.push(began.elapsed());
            if page.writes.len() < PAGE && page.next.is_some() || states < PAGE as u64 {
                return Err(format!("a page of {} only", page.writes.len()).into());
            }
        }
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).copied().map_or(0.0, milliseconds))
}

async fn snapshot(replica: &Replica) -> Result<()> {
    let mut tx = Tx::new(replica.committed().state.clone());
    tx.put("public:test", "snapshot", "asked for");
    replica.submit(Transaction::new(tx, [0; 32]).with_snapshot()).await?;
    let status = replica.snapshots_settled().await;
    println!("a snapshot of {} bytes in {:.1} ms", status.bytes, status.took.map_or(0.0, milliseconds));
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What a node keeps beside the ledger.
struct Service {
    directory: PathBuf,
    service_key: SigningKey,
    node_key: SigningKey,
    certificate: Certificate,
    node_certificate: String,
    secrets: LedgerSecrets,
}

impl Service {
    fn new(directory: PathBuf) -> Result<Self> {
        let validity = Validity { from: 1_700_000_000, days: 1000 };
        let (service_key, node_key) = (SigningKey::generate(Curve::P384)?, SigningKey::generate(Curve::P384)?);
        let certificate = issue::service_certificate(&service_key, "CCF Service", validity)?;
        let endorsed =
            issue::node_certificate(node_key.public(), "CCF Node", &[], validity, &service_key, &certificate)?;
        let (node_certificate, secrets) = (endorsed.to_pem(), LedgerSecrets::new());
        Ok(Self { directory, service_key, node_key, certificate, node_certificate, secrets })
    }

    fn open(&self) -> Result<Opened> {
        let options = Options {
            disk: Arc::new(disk::RealDisk),
            ledger_directory: self.directory.join("ledger"),
            state_directory: self.directory.join("state"),
            mac_key: [1; 32],
            chunk_size: 5_000_000,
            segment_bytes: 16 << 20,
            background: Background::Thread,
            snapshots: Some(SnapshotOptions {
                directory: self.directory.join("snapshots"),
                read_only_directory: None,
                tx_count: u64::MAX,
                service_certificate: self.certificate.clone(),
            }),
        };
        Ok(open(options, &self.secrets, &[])?)
    }

    async fn start(&mut self, opened: Opened) -> Result<Replica> {
        let next = opened.last().seqno + 1;
        let previous = opened.secrets();
        self.secrets = previous.clone();
        self.secrets.push(next, AesKey::generate()?)?;
        let replica = opened.start(self.secrets.clone(), self.signer()?).await?;
        let mut tx = Tx::new(replica.committed().state.clone());
        if next == 1 {
            tx.put(
                tables::SERVICE_INFO,
                UNIT_KEY.to_vec(),
                format!(r#"{{"cert":{:?},"status":"Open"}}"#, self.certificate.to_pem()),
            );
            tx.put(tables::NODES_ENDORSED_CERTIFICATES, self.node_key.public().id(), self.node_certificate.clone());
        } else if let Some((previous, fresh)) = previous.latest().zip(self.secrets.latest()) {
            let table = tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET;
            let stored = tx.written(table, &UNIT_KEY).map(|written| written.seqno);
            let from = (previous.version(), previous.key());
            let sealed = PreviousSecret::seal(from, fresh.key(), crypto::random_bytes()?, stored)?;
            let record = HistoricalSecret { next_version: Some(next), previous_ledger_secret: Some(sealed) };
            tx.put(table, UNIT_KEY.to_vec(), record.to_json()?);
        }
        replica.submit(Transaction::new(tx, [0; 32])).await?;
        Ok(replica)
    }

    fn signer(&self) -> Result<Signer> {
        let copy = |key: &SigningKey| SigningKey::from_pkcs8_der(&key.to_pkcs8_der()?);
        Ok(Signer {
            service_key: copy(&self.service_key)?,
            node_key: copy(&self.node_key)?,
            node_certificate: self.node_certificate.clone().into(),
            issuer: "service".into(),
            subject: "ledger".into(),
            now: || 1_700_000_000,
        })
    }
}
