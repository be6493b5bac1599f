//! The life of a node: founding or resuming, serving, stopping.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use constitution::{Pool, PoolOptions};
use crypto::cose;
use disk::{Disk, RealDisk};
use kv::{Tx, TxId};
use ledger::secrets::LedgerSecrets;
use replication::{Opened, Replica, Signer, Transaction};
use serde_json::json;

use crate::{
    NodeError, Service,
    commit::Committer,
    config::{CommandKind, Config, Start},
    files, found,
    governance::{Decider, Governance},
    info::{NodeInfo, Quote},
    record, resume,
    vault::{Identity, Vault},
};

/// Time for all scripts of one request (D41).
const SCRIPT_BUDGET: Duration = Duration::from_secs(1);
/// Size of a segment of the raft log.
const SEGMENT_BYTES: u64 = 16 << 20;

/// A service that is ready to be served, and the keys that its front door needs.
pub(crate) struct Ready {
    pub(crate) service: Service,
    pub(crate) identity: Arc<Identity>,
    /// Held as long as the node lives: one process at a time uses a state directory.
    _lock: disk::Lock,
}

/// Founds the service that the configuration describes, or resumes it if it is there.
pub(crate) async fn prepare(config: Arc<Config>, program: PathBuf) -> Result<Ready, NodeError> {
    let start = command(&config)?.clone();
    let scripts = tokio::task::spawn_blocking(move || Pool::new(PoolOptions::new(program, ["script-host".into()])));
    let digest = tokio::task::spawn_blocking(build_digest);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let state = &config.state_directory;
    make_directory(&*disk, state)?;
    let lock = disk.lock(&state.join("lock"))?;
    refuse_foreign_ledger(&*disk, &config)?;
    let vault = Vault::open(disk.clone(), state.clone())?;
    let names = record::names(&config);
    let now = now();
    let mut identity = if Vault::exists(&*disk, state)? {
        vault.identity()?
    } else {
        let identity = found::identity(&config, &start, &names, now)?;
        vault.keep_identity(&identity)?;
        identity
    };
    let used = vault.secrets()?;
    let opened = replication::open(options(&config, disk, &identity), &used)?;
    if let Some(cut) = opened.tail() {
        tracing::warn!(file = %cut.file.display(), offset = cut.offset, bytes = cut.bytes,
            "an incomplete tail of the raft log was cut: an earlier process ended while writing it, nothing of it was answered");
    }
    let is_new = opened.last() == TxId::default();
    let digest = digest.await.unwrap_or_default();
    let mut node = describe(&config, &start, &identity, digest, opened.last().seqno);
    if !is_new {
        node.resume = resume::check_mode(opened.state())?;
        resume::renew_certificate(&mut identity, &config, opened.state(), &names, now)?;
        vault.keep_identity(&identity)?;
    }
    let secrets = resume::secrets(&used, opened.last().seqno + 1)?;
    vault.keep_secrets(&secrets)?;
    let identity = Arc::new(identity);
    let replica = begin(opened, &config, &start, &identity, &node, &names, &secrets).await?;
    write_files(&config, &identity)?;
    let endorsement = endorsement(&replica, &identity, now)?;
    let latest = secrets.latest().ok_or(NodeError::NoSecret)?.key().clone();
    let engine = scripts.await.map_err(|why| NodeError::Runtime(std::io::Error::other(why)))??;
    let decider = Decider {
        engine: Arc::new(engine),
        budget: SCRIPT_BUDGET,
        ledger_secret: latest,
        identity_endorsement: endorsement,
    };
    let committer = Committer::new(replica);
    let governance = Governance::new(committer.clone(), decider);
    Ok(Ready { service: Service::new(committer, node, governance), identity, _lock: lock })
}

fn command(config: &Config) -> Result<&Start, NodeError> {
    if Path::new("/dev/sev-guest").exists() {
        let instead = "run it where there is no SEV-SNP guest device; attested nodes come with a later version";
        return Err(NodeError::Unsupported { what: "SEV-SNP", instead });
    }
    match &config.command.kind {
        CommandKind::Start(start) => Ok(start),
        CommandKind::Join(_) => {
            Err(NodeError::Unsupported { what: "command.type Join", instead: "a service has one node; use Start" })
        }
        CommandKind::Recover(_) => Err(NodeError::Unsupported {
            what: "command.type Recover",
            instead: "use Start on the directories of the service, which resumes it",
        }),
    }
}

fn make_directory(disk: &dyn Disk, path: &Path) -> Result<(), NodeError> {
    if disk.exists(path)? {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)
            .map_err(|why| NodeError::File { file: parent.to_owned(), why: why.to_string() })?;
    }
    disk.create_dir(path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(disk.sync_dir(parent, "name of the state directory")?)
}

/// A ledger whose keys are not here is never written over.
fn refuse_foreign_ledger(disk: &dyn Disk, config: &Config) -> Result<(), NodeError> {
    let (ledger, state) = (&config.ledger.directory, &config.state_directory);
    let has_ledger = disk.exists(ledger)? && disk.list(ledger)?.iter().any(|name| name.starts_with("ledger_"));
    if has_ledger && !Vault::exists(disk, state)? {
        return Err(NodeError::NoState { ledger: ledger.clone(), state: state.clone() });
    }
    Ok(())
}

fn options(config: &Config, disk: Arc<dyn Disk>, identity: &Identity) -> replication::Options {
    replication::Options {
        disk,
        ledger_directory: config.ledger.directory.clone(),
        state_directory: config.state_directory.clone(),
        mac_key: identity.mac_key,
        chunk_size: config.ledger.chunk_size.bytes,
        segment_bytes: SEGMENT_BYTES,
    }
}

fn describe(
    config: &Arc<Config>,
    start: &Start,
    identity: &Identity,
    build_digest: String,
    startup_seqno: u64,
) -> NodeInfo {
    NodeInfo {
        node_id: identity.node_key.public().id(),
        self_signed_certificate: identity.self_signed.to_pem(),
        quote: Quote::of_virtual(identity.node_key.public()),
        resume: start.resume.unwrap_or(consortium::genesis::ResumeMode::Auto),
        build_digest,
        startup_seqno,
        config: config.clone(),
    }
}

/// SHA-256 of the running binary; empty if it cannot be read any more.
fn build_digest() -> String {
    let binary = std::env::current_exe().and_then(std::fs::read);
    binary.map(|bytes| hex::encode(crypto::sha256(&bytes))).unwrap_or_default()
}

/// Starts to write, with the first transaction of a new service or the one that records a resume.
async fn begin(
    opened: Opened,
    config: &Config,
    start: &Start,
    identity: &Identity,
    node: &NodeInfo,
    names: &[String],
    secrets: &LedgerSecrets,
) -> Result<Replica, NodeError> {
    let before = opened.committed();
    let replica = opened.start(secrets.clone(), signer(identity, start)?).await?;
    let tx = if before.state.tx_id() == TxId::default() {
        let tx_id = TxId::new(replica.view(), 1);
        let genesis = found::genesis(config, start, identity, node, names, tx_id)?;
        let mut tx = Tx::new(before.state);
        for (map, writes) in genesis.maps() {
            for (key, value) in writes.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
                tx.put(map, key.clone(), value.clone());
            }
        }
        tracing::info!(node = node.node_id, "a new service is founded");
        tx
    } else {
        tracing::info!(node = node.node_id, after = %before.state.tx_id(), "the service resumes");
        resume::transaction(&before, config, identity, node, names, secrets)?
    };
    replica.submit(Transaction::new(tx, [0; 32])).await?;
    Ok(replica)
}

fn signer(identity: &Identity, start: &Start) -> Result<Signer, NodeError> {
    let copy = |key: &crypto::SigningKey| crypto::SigningKey::from_pkcs8_der(&key.to_pkcs8_der()?);
    Ok(Signer {
        service_key: copy(&identity.service_key)?,
        node_key: copy(&identity.node_key)?,
        node_certificate: identity.node_certificate.to_pem(),
        issuer: start.cose_signatures.issuer.clone(),
        subject: start.cose_signatures.subject.clone(),
        now,
    })
}

/// What the service says of its own identity when it opens (CCF: the first link of the chain of identities).
fn endorsement(replica: &Replica, identity: &Identity, now: i64) -> Result<Vec<u8>, NodeError> {
    let created = consortium::service::record(&mut Tx::new(replica.committed().state.clone()))?;
    let begin = created.current_service_create_txid.unwrap_or_default();
    let key = identity.service_key.public();
    let message = cose::endorse_identity(&identity.service_key, key, now, &begin, None)?;
    let record = json!({
        "endorsement": STANDARD.encode(message),
        "endorsement_epoch_begin": begin,
        "endorsing_key": STANDARD.encode(key.spki_der()),
    });
    Ok(record.to_string().into_bytes())
}

fn write_files(config: &Config, identity: &Identity) -> Result<(), NodeError> {
    files::write(&config.command.service_certificate_file, identity.service_certificate.to_pem())?;
    files::write(&config.output_files.node_certificate_file, identity.self_signed.to_pem())?;
    if let Some(file) = &config.output_files.pid_file {
        files::write(file, std::process::id().to_string())?;
    }
    if let Some(file) = &config.output_files.node_to_node_address_file {
        files::write(file, config.network.node_to_node.published.clone())?;
    }
    Ok(())
}

/// Seconds since 1970. The host sets this clock; nothing that matters depends on it.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
