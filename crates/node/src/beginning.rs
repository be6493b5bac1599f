//! From what lies on the disk to a ledger that is written: founding a service, or resuming it.
//!
//! First everything is read and checked, and the first transaction is made. Then keys are kept, and only then anything
//! is written to the ledger. So a start that is refused leaves the disk as it was.

use std::{path::Path, sync::Arc};

use consortium::genesis::ResumeMode;
use crypto::AesKey;
use disk::{Disk, RealDisk};
use kv::{State, Tx, TxId, WriteSet};
use replication::{Background, NodeCertificate, Opened, Replica, Signer, SnapshotOptions, Transaction};
use tokio::task::JoinHandle;

use crate::{
    NodeError,
    certificates::{Certificates, Shown},
    config::{Config, Start},
    files, found,
    info::{NodeInfo, Quote},
    life, record, resume,
    secrets::Secrets,
    vault::{Identity, KeptSecrets, Vault},
};

/// Size of a segment of the raft log.
const SEGMENT_BYTES: u64 = 16 << 20;

/// A ledger whose first transaction of this start is committed.
pub(crate) struct Begun {
    pub(crate) replica: Replica,
    pub(crate) identity: Arc<Identity>,
    pub(crate) node: NodeInfo,
    /// The node's subject alternative names.
    pub(crate) names: Vec<String>,
    /// The certificate that signatures on the ledger carry.
    pub(crate) signatures: NodeCertificate,
    /// The ledger secrets.
    pub(crate) secrets: Secrets,
    /// On the state directory.
    pub(crate) lock: disk::Lock,
}

/// Founds the service that the configuration describes, or resumes it if it is there. `now` is in seconds since 1970.
pub(crate) async fn begin(
    config: &Arc<Config>,
    start: &Start,
    build_digest: JoinHandle<String>,
    now: i64,
) -> Result<Begun, NodeError> {
    let plan = Plan { config, start, names: record::names(config), now };
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (vault, keys, lock) = plan.keys(&disk)?;
    let KeptSecrets { secrets: kept, next } = vault.secrets()?;
    if kept.latest().is_none() && has_ledger(&*disk, config)? {
        return Err(NodeError::NoSecret);
    }
    let opened = replication::open(plan.options(disk, &keys.identity), &kept, next.as_slice());
    let opened = opened.map_err(|why| vault.explain(why))?;
    note_found(&opened);
    let before = opened.committed();
    let last = before.state.tx_id();
    let secrets = resume::secrets(&opened.secrets(), last.seqno + 1)?;
    let are_kept = keys.are_new && last == TxId::default();
    let (identity, first) = plan.first(keys, &before, &secrets, build_digest.await.unwrap_or_default())?;
    let signer = plan.signer(&identity)?;
    let signatures = signer.node_certificate.clone();
    plan.write_files(&identity)?;
    if !are_kept {
        vault.keep_identity(&identity)?;
    }
    let waiting = AesKey::generate()?;
    vault.keep_secrets(&secrets, &waiting)?;
    let replica = opened.start(secrets, signer).await?;
    let tx = match first.resumed {
        Some(tx) => tx,
        None => founding(plan.genesis(&identity, &first.node, TxId::new(replica.view(), 1))?),
    };
    replica.submit(Transaction::new(tx, [0; 32])).await?;
    let names = plan.names;
    let secrets = Secrets::new(replica.clone(), vault, waiting);
    Ok(Begun { replica, identity: Arc::new(identity), node: first.node, names, signatures, secrets, lock })
}

/// What a start is to do.
struct Plan<'a> {
    config: &'a Arc<Config>,
    start: &'a Start,
    /// The node's subject alternative names.
    names: Vec<String>,
    now: i64,
}

/// The keys of the node: as they were kept, or made just now.
struct Keys {
    identity: Identity,
    are_new: bool,
}

/// How the ledger goes on.
struct First {
    node: NodeInfo,
    /// The first transaction of a service that resumes; that of a new one depends on its view.
    resumed: Option<Tx>,
}

impl Plan<'_> {
    /// The vault with the keys, made if there are none, and the lock on them.
    fn keys(&self, disk: &Arc<dyn Disk>) -> Result<(Vault, Keys, disk::Lock), NodeError> {
        let state = &self.config.state_directory;
        refuse_leftovers(&**disk, self.config)?;
        let new = if Vault::exists(&**disk, state)? { None } else { Some(self.new_keys()?) };
        make_directory(&**disk, state)?;
        let lock = disk.lock(&state.join("lock"))?;
        // Another process may have been at work until now.
        refuse_leftovers(&**disk, self.config)?;
        let exists = Vault::exists(&**disk, state)?;
        let vault = Vault::open(disk.clone(), state.clone())?;
        let keys = match new.filter(|_| !exists) {
            Some(identity) => {
                make_parent(&**disk, &self.config.ledger.directory)?;
                make_parent(&**disk, &self.config.snapshots.directory)?;
                vault.keep_identity(&identity)?;
                Keys { identity, are_new: true }
            }
            None => Keys { identity: vault.identity()?, are_new: false },
        };
        Ok((vault, keys, lock))
    }

    /// Keys for a new service, after trying whether the configuration can found one with them.
    fn new_keys(&self) -> Result<Identity, NodeError> {
        let identity = found::identity(self.config, self.start, &self.names, self.now)?;
        let node = self.describe(&identity, self.wanted_resume(), String::new(), TxId::default());
        self.genesis(&identity, &node, TxId::new(2, 1))?;
        Ok(identity)
    }

    fn first(
        &self,
        keys: Keys,
        before: &replication::Committed,
        secrets: &ledger::secrets::LedgerSecrets,
        digest: String,
    ) -> Result<(Identity, First), NodeError> {
        let last = before.state.tx_id();
        if last == TxId::default() {
            let identity = self.founding_keys(keys)?;
            let node = self.describe(&identity, self.wanted_resume(), digest, last);
            return Ok((identity, First { node, resumed: None }));
        }
        let mode = resume::check_mode(&before.state)?;
        let identity = self.resuming_keys(keys.identity, &before.state)?;
        let node = self.describe(&identity, mode, digest, last);
        let tx = resume::transaction(before, self.config, &identity, &node, &self.names, secrets)?;
        tracing::info!(node = node.node_id, after = %last, "the service resumes");
        Ok((identity, First { node, resumed: Some(tx) }))
    }

    /// Keys that never founded a service: those of a start that was interrupted may have, on a disk that the host has
    /// put away since. Only the key of the raft log stays, which that start may have begun.
    fn founding_keys(&self, keys: Keys) -> Result<Identity, NodeError> {
        if keys.are_new {
            return Ok(keys.identity);
        }
        Ok(Identity { mac_key: keys.identity.mac_key, ..self.new_keys()? })
    }

    fn resuming_keys(&self, mut identity: Identity, state: &State) -> Result<Identity, NodeError> {
        // The members may have renewed it since the keys were kept, or the host may have put older keys back.
        identity.service_certificate = resume::check_identity(state, &identity, &self.config.state_directory)?;
        resume::renew_certificate(&mut identity, self.config, state, &self.names, self.now)?;
        Ok(identity)
    }

    fn wanted_resume(&self) -> ResumeMode {
        self.start.resume.unwrap_or(ResumeMode::Auto)
    }

    fn genesis(&self, identity: &Identity, node: &NodeInfo, tx_id: TxId) -> Result<WriteSet, NodeError> {
        found::genesis(self.config, self.start, identity, node, &self.names, tx_id)
    }

    fn describe(&self, identity: &Identity, resume: ResumeMode, build_digest: String, last: TxId) -> NodeInfo {
        NodeInfo {
            node_id: identity.node_key.public().id(),
            certificates: Certificates::new(Shown::of(identity)),
            quote: Quote::of_virtual(identity.node_key.public()),
            resume,
            build_digest,
            startup_seqno: last.seqno,
            config: self.config.clone(),
            stop_notice: Arc::default(),
        }
    }

    fn options(&self, disk: Arc<dyn Disk>, identity: &Identity) -> replication::Options {
        replication::Options {
            disk,
            ledger_directory: self.config.ledger.directory.clone(),
            state_directory: self.config.state_directory.clone(),
            mac_key: identity.mac_key,
            chunk_size: self.config.ledger.chunk_size.bytes,
            segment_bytes: SEGMENT_BYTES,
            background: Background::Thread,
            snapshots: Some(SnapshotOptions {
                directory: self.config.snapshots.directory.clone(),
                read_only_directory: self.config.snapshots.read_only_directory.clone(),
                tx_count: self.config.snapshots.tx_count,
                service_certificate: identity.service_certificate.clone(),
            }),
        }
    }

    fn signer(&self, identity: &Identity) -> Result<Signer, NodeError> {
        let copy = |key: &crypto::SigningKey| crypto::SigningKey::from_pkcs8_der(&key.to_pkcs8_der()?);
        Ok(Signer {
            service_key: copy(&identity.service_key)?,
            node_key: copy(&identity.node_key)?,
            node_certificate: identity.node_certificate.to_pem().into(),
            issuer: self.start.cose_signatures.issuer.clone(),
            subject: self.start.cose_signatures.subject.clone(),
            now: life::now,
        })
    }

    fn write_files(&self, identity: &Identity) -> Result<(), NodeError> {
        let (config, outputs) = (self.config, &self.config.output_files);
        files::write(
            "command.service_certificate_file",
            &config.command.service_certificate_file,
            identity.service_certificate.to_pem(),
        )?;
        files::write(
            "output_files.node_certificate_file",
            &outputs.node_certificate_file,
            identity.self_signed.to_pem(),
        )?;
        if let Some(file) = &outputs.pid_file {
            files::write("output_files.pid_file", file, std::process::id().to_string())?;
        }
        if let Some(file) = &outputs.node_to_node_address_file {
            files::write(
                "output_files.node_to_node_address_file",
                file,
                config.network.node_to_node.published.clone(),
            )?;
        }
        Ok(())
    }
}

/// The first transaction of a new service.
fn founding(genesis: WriteSet) -> Tx {
    tracing::info!("a new service is founded");
    let mut tx = Tx::new(State::default());
    for (map, writes) in genesis.maps() {
        for (key, value) in writes.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
            tx.put(map, key.clone(), value.clone());
        }
    }
    tx
}

fn note_found(opened: &Opened) {
    if let Some(snapshot) = opened.snapshot() {
        tracing::info!(%snapshot, ledger = %opened.last(), "the ledger was read from a snapshot on");
    }
    if let Some(cut) = opened.tail() {
        tracing::warn!(file = %cut.file.display(), offset = cut.offset, bytes = cut.bytes,
            "an incomplete tail of the raft log was cut: an earlier process ended while writing it, nothing of it was answered");
    }
}

/// Makes a directory for this node only, with those above it. Its name is synced even if it is there: the start that made
/// it may have ended before that.
fn make_directory(disk: &dyn Disk, path: &Path) -> Result<(), NodeError> {
    make_parent(disk, path)?;
    if !disk.exists(path)? {
        disk.create_dir(path)?;
    }
    Ok(disk.sync_dir(parent(path), "name of the state directory")?)
}

/// Makes the directories above a path that are not there.
fn make_parent(disk: &dyn Disk, path: &Path) -> Result<(), NodeError> {
    let path = parent(path);
    if disk.exists(path)? {
        return Ok(());
    }
    make_parent(disk, path)?;
    std::fs::create_dir(path)
        .map_err(|why| files::failed("ledger.directory, node_state.directory, snapshots.directory", path, why))?;
    Ok(disk.sync_dir(parent(path), "name of a directory above the ledger")?)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn has_ledger(disk: &dyn Disk, config: &Config) -> Result<bool, NodeError> {
    let ledger = &config.ledger.directory;
    Ok(disk.exists(ledger)? && disk.list(ledger)?.iter().any(|name| name.starts_with("ledger_")))
}

/// What a service has left is never written over by a new one: neither a ledger without its keys, nor keys of the ledger
/// without those of the service.
fn refuse_leftovers(disk: &dyn Disk, config: &Config) -> Result<(), NodeError> {
    let state = &config.state_directory;
    if Vault::exists(disk, state)? {
        return Ok(());
    }
    if has_ledger(disk, config)? {
        return Err(NodeError::NoState { ledger: config.ledger.directory.clone(), state: state.clone() });
    }
    let names = if disk.exists(state)? { disk.list(state)? } else { Vec::new() };
    match names.iter().find(|name| Vault::comes_after_identity(name)) {
        Some(name) => Err(NodeError::NoIdentity { left: state.join(name) }),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
