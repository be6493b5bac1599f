//! Coming back on a ledger that is there: under a fresh ledger secret and in a new view, and never silently.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use consortium::{
    RESUME_MODE, ServiceContext, effects,
    genesis::ResumeMode,
    service::{self, ServiceStatus},
};
use constitution::Effect;
use crypto::{AesKey, Certificate, issue};
use kv::{State, Tx, UNIT_KEY};
use ledger::{
    secrets::{HistoricalSecret, LedgerSecrets, PreviousSecret},
    tables,
};
use replication::Committed;
use serde_json::{Value, json};

use crate::{
    NodeError,
    certificates::{self, NotTaken},
    config::Config,
    info::NodeInfo,
    record,
    vault::Identity,
};

/// One record for each resume: decimal counter to JSON. What a member or an auditor sees of restarts (D31).
pub const RESUMES: &str = "public:cgs.resumes";

/// How the service was founded to resume; an error if this version cannot do that.
pub(crate) fn check_mode(state: &State) -> Result<ResumeMode, NodeError> {
    let stored = state.get(RESUME_MODE, &UNIT_KEY);
    let mode = stored.and_then(|stored| serde_json::from_slice(&stored.value).ok());
    match mode {
        Some(ResumeMode::Auto) => Ok(ResumeMode::Auto),
        Some(mode @ (ResumeMode::Witnessed | ResumeMode::Recovery)) => {
            Err(NodeError::Resume { mode: format!("{mode:?}").to_lowercase() })
        }
        _ => Err(NodeError::NoResumeMode),
    }
}

/// Checks that the keys are those that the ledger names: of its service, and of a node that it trusts. Returns the
/// certificate of the service, as the ledger has it.
pub(crate) fn check_identity(state: &State, identity: &Identity, directory: &Path) -> Result<Certificate, NodeError> {
    let other = |whose| NodeError::OtherKeys { state: directory.to_owned(), whose };
    let service = match certificates::of_service(state, identity) {
        Err(NotTaken::OtherKey { .. }) => return Err(other("service")),
        found => found?,
    };
    let node = identity.node_key.public().id();
    state.get(tables::NODES_INFO, node.as_bytes()).map(|_| service).ok_or_else(|| other("node"))
}

/// The secrets to go on with: those that the ledger is under, and a fresh one from `next` on. One that an earlier start
/// had made for the same place and never used (nothing durable is under it) is dropped, and so is one that was in waiting.
pub(crate) fn secrets(used: &LedgerSecrets, next: u64) -> Result<LedgerSecrets, NodeError> {
    let kept = used.iter().filter(|secret| secret.version() < next);
    let kept = kept.map(|secret| (secret.version(), secret.key().clone()));
    Ok(LedgerSecrets::from_keys(kept.chain([(next, AesKey::generate()?)]))?)
}

/// The certificate of the node for this start: the same key, today's names, valid from now on for as long as the
/// configuration says, but not longer than the members allow.
pub(crate) fn renew_certificate(
    identity: &mut Identity,
    config: &Config,
    state: &State,
    names: &[String],
    now: i64,
) -> Result<(), NodeError> {
    let validity = certificates::validity(config, state, now)?;
    identity.node_certificate =
        certificates::endorse(identity, &identity.service_certificate, config, names, validity)?;
    let subject = &config.node_certificate.subject_name;
    identity.self_signed = issue::self_signed(&identity.node_key, subject, names, validity)?;
    Ok(())
}

/// The first transaction after a resume, already under the fresh secret: who came back after what, the chain of ledger
/// secrets, new recovery shares, today's addresses and certificate.
pub(crate) fn transaction(
    before: &Committed,
    config: &Config,
    identity: &Identity,
    node: &NodeInfo,
    names: &[String],
    secrets: &LedgerSecrets,
) -> Result<Tx, NodeError> {
    let mut tx = Tx::new(before.state.clone());
    put_record(&mut tx, before, node, secrets)?;
    put_chain(&mut tx, before, secrets)?;
    let id = node.node_id.as_bytes().to_vec();
    let mut info = record::node(config, identity, node, names)?;
    keep_node_data(&before.state, &id, &mut info);
    tx.put(tables::NODES_INFO, id.clone(), info.to_string());
    tx.put(tables::NODES_ENDORSED_CERTIFICATES, id, identity.node_certificate.to_pem());
    if service::status(&mut tx)? == ServiceStatus::Open {
        let latest = secrets.latest().ok_or(NodeError::NoSecret)?;
        let share_seed = crypto::random_bytes()?;
        // There is no rekey here, so no secret is in waiting for one.
        let (ledger_secret, next_secret, identity_endorsement) = (latest, latest.key(), &[]);
        let (share_seed, issuer) = (&share_seed, identity);
        let context = ServiceContext { ledger_secret, next_secret, share_seed, identity_endorsement, issuer };
        effects::apply(&mut tx, Effect::RefreshRecoveryShares, &context)?;
    }
    Ok(tx)
}

/// What the members have noted about the node stays; the configuration only says what is noted first.
fn keep_node_data(state: &State, id: &[u8], info: &mut Value) {
    let stored = state.get(tables::NODES_INFO, id);
    let stored = stored.and_then(|stored| serde_json::from_slice::<Value>(&stored.value).ok());
    if let (Some(members), Some(data)) =
        (info.as_object_mut(), stored.as_ref().and_then(|stored| stored.get("node_data")))
    {
        members.insert("node_data".into(), data.clone());
    }
}

fn put_record(tx: &mut Tx, before: &Committed, node: &NodeInfo, secrets: &LedgerSecrets) -> Result<(), NodeError> {
    let counter = tx.entries(RESUMES).len() + 1;
    let nonce = crypto::random_bytes::<32>()?;
    let record = json!({
        "counter": counter,
        "ledgerSecretVersion": secrets.latest().ok_or(NodeError::NoSecret)?.version(),
        "nonce": hex::encode(nonce),
        "previousRoot": hex::encode(before.root),
        "previousTransactionId": before.state.tx_id().to_string(),
        "quote": STANDARD.encode(&node.quote.raw),
        "quoteFormat": node.quote.format,
    });
    tx.put(RESUMES, counter.to_string(), record.to_string());
    Ok(())
}

/// Links the fresh secret to the one before it (CCF: as a recovery does, with both members).
fn put_chain(tx: &mut Tx, before: &Committed, secrets: &LedgerSecrets) -> Result<(), NodeError> {
    let table = tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET;
    let fresh = secrets.latest().ok_or(NodeError::NoSecret)?;
    let previous = secrets.iter().filter(|secret| secret.version() < fresh.version()).last();
    let previous = previous.ok_or(NodeError::NoSecret)?;
    let stored = before.state.get(table, &UNIT_KEY).map(|stored| stored.written.seqno);
    let iv = crypto::random_bytes()?;
    let sealed = PreviousSecret::seal((previous.version(), previous.key()), fresh.key(), iv, stored)?;
    let chain = HistoricalSecret { next_version: Some(fresh.version()), previous_ledger_secret: Some(sealed) };
    tx.put(table, UNIT_KEY.to_vec(), chain.to_json()?);
    Ok(())
}
