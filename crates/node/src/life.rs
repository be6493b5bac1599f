//! The life of a node: what it starts with, and what serves its requests.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use constitution::{Budget, Pool, PoolOptions};
use crypto::cose;
use disk::RealDisk;
use kv::Tx;
use replication::{NodeCertificate, Replica};
use serde_json::json;

use crate::{
    NodeError, Service,
    beginning::{self, Begun},
    commit::Committer,
    config::{CommandKind, Config, Start},
    counters::Counters,
    governance::{Decider, Governance},
    metrics::CountedEngine,
    rules,
    vault::{Identity, Vault},
};

/// Time for all scripts of one request (D41).
const SCRIPT_BUDGET: Duration = Duration::from_secs(1);

/// A service that is ready to be served, and the keys that its front door needs.
pub(crate) struct Ready {
    pub(crate) service: Service,
    pub(crate) identity: Arc<Identity>,
    /// The node's subject alternative names.
    pub(crate) names: Vec<String>,
    /// The certificate that signatures on the ledger carry.
    pub(crate) signatures: NodeCertificate,
    /// Held as long as the node lives: one process at a time uses a state directory.
    _lock: disk::Lock,
}

/// Founds the service that the configuration describes, or resumes it if it is there.
pub(crate) async fn prepare(config: Arc<Config>, program: PathBuf) -> Result<Ready, NodeError> {
    let start = command(&config)?.clone();
    let scripts = tokio::task::spawn_blocking(move || Pool::new(PoolOptions::new(program, ["script-host".into()])));
    let digest = tokio::task::spawn_blocking(build_digest);
    let now = now();
    let engine = Arc::new(scripts.await.map_err(|why| NodeError::Runtime(std::io::Error::other(why)))??);
    if !Vault::exists(&RealDisk, &config.state_directory)? {
        let (engine, start) = (engine.clone(), start.clone());
        let check = move || rules::check(&*engine, &start, Budget::new(SCRIPT_BUDGET));
        tokio::task::spawn_blocking(check).await.map_err(|why| NodeError::Runtime(std::io::Error::other(why)))??;
    }
    let begun = beginning::begin(&config, &start, digest, now).await?;
    let Begun { replica, identity, node, names, signatures, secrets, lock } = begun;
    let identity_endorsement = endorsement(&replica, &identity, now)?;
    let counters = Arc::new(Counters::default());
    let engine = Arc::new(CountedEngine { engine, counters: counters.clone() });
    let issuer = identity.clone();
    let decider = Decider { engine, budget: SCRIPT_BUDGET, secrets, issuer, identity_endorsement };
    let committer = Committer::new(replica, counters);
    let governance = Governance::new(committer.clone(), decider);
    let service = Service::new(committer, node, governance);
    Ok(Ready { service, identity, names, signatures, _lock: lock })
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

/// SHA-256 of the running binary; empty if it cannot be read any more.
fn build_digest() -> String {
    let binary = std::env::current_exe().and_then(std::fs::read);
    binary.map(|bytes| hex::encode(crypto::sha256(&bytes))).unwrap_or_default()
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

/// Seconds since 1970. The host sets this clock; nothing that matters depends on it.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
