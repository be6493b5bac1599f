//! How fast the commit path alone is: no TLS, no HTTP. `throughput [DIRECTORY] [SECONDS]`

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crypto::{
    AesKey, Curve, SigningKey,
    issue::{self, Validity},
};
use kv::Tx;
use ledger::{secrets::LedgerSecrets, tables};
use replication::{Background, Options, Replica, Signer, Transaction, open};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let directory = PathBuf::from(args.next().unwrap_or_else(|| "throughput".into()));
    let seconds = args.next().map_or(Ok(3), |text| text.parse())?;
    std::fs::create_dir(&directory)?;
    let replica = start(&directory).await?;
    for writers in [1, 64] {
        measure(&replica, writers, seconds).await;
    }
    replica.stop().await?;
    Ok(())
}

async fn start(directory: &std::path::Path) -> Result<Replica, Box<dyn std::error::Error>> {
    let validity = Validity { from: 1_700_000_000, days: 1000 };
    let service_key = SigningKey::generate(Curve::P384)?;
    let node_key = SigningKey::generate(Curve::P384)?;
    let service = issue::service_certificate(&service_key, "CCF Service", validity)?;
    let endorsed = issue::node_certificate(node_key.public(), "CCF Node", &[], validity, &service_key, &service)?;
    let (node, node_certificate) = (node_key.public().id(), endorsed.to_pem());
    let mut secrets = LedgerSecrets::new();
    let options = Options {
        disk: Arc::new(disk::RealDisk),
        ledger_directory: directory.join("ledger"),
        state_directory: directory.join("state"),
        mac_key: [1; 32],
        chunk_size: 5_000_000,
        segment_bytes: 16 << 20,
        background: Background::Thread,
        snapshots: None,
    };
    let opened = open(options, &secrets, &[])?;
    secrets.push(1, AesKey::generate()?)?;
    let (issuer, subject) = ("service".into(), "ledger".into());
    let now = || 1_700_000_000;
    let signer =
        Signer { service_key, node_key, node_certificate: node_certificate.clone().into(), issuer, subject, now };
    let replica = opened.start(secrets, signer).await?;
    let mut tx = Tx::new(replica.committed().state.clone());
    tx.put(tables::NODES_ENDORSED_CERTIFICATES, node, node_certificate);
    replica.submit(Transaction::new(tx, [0; 32])).await?;
    Ok(replica)
}

async fn measure(replica: &Replica, writers: u64, seconds: u64) {
    let (done, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let started = Instant::now();
    let tasks = (0..writers).map(|writer| {
        let (replica, done, stop) = (replica.clone(), done.clone(), stop.clone());
        tokio::spawn(async move {
            let mut number = 0u64;
            while !stop.load(Ordering::Relaxed) {
                let mut tx = Tx::new(replica.committed().state.clone());
                let key = format!("{writers}-{writer}-{number}");
                let _ = tx.get("public:contracts", key.as_bytes());
                tx.put("public:contracts", key, vec![b'x'; 1024]);
                if replica.submit(Transaction::new(tx, [0; 32])).await.is_ok() {
                    done.fetch_add(1, Ordering::Relaxed);
                }
                number += 1;
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        let _ = task.await;
    }
    #[expect(clippy::cast_precision_loss, reason = "a figure to read")]
    let rate = done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    println!("{writers} writers: {rate:.0} transactions/s");
}
