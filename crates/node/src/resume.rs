//! Coming back on a ledger that is there: under a fresh ledger secret and in a new view, and never silently.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use consortium::{
    RESUME_MODE, ServiceContext, effects,
    genesis::ResumeMode,
    service::{self, ServiceStatus},
};
use constitution::Effect;
use crypto::{AesKey, Certificate, issue, issue::Validity};
use kv::{State, Tx, UNIT_KEY};
use ledger::{
    secrets::{HistoricalSecret, LedgerSecrets, PreviousSecret},
    tables,
};
use replication::Committed;
use serde_json::json;

use crate::{NodeError, config::Config, info::NodeInfo, record, vault::Identity};

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

/// Checks that the keys are those that the ledger names: of its service, and of a node that it trusts.
pub(crate) fn check_identity(state: &State, identity: &Identity, directory: &Path) -> Result<(), NodeError> {
    let other = |whose| NodeError::OtherKeys { state: directory.to_owned(), whose };
    let service = Certificate::from_pem(&service::record(&mut Tx::new(state.clone()))?.cert)?;
    if service.public_key()? != *identity.service_key.public() {
        return Err(other("service"));
    }
    let node = identity.node_key.public().id();
    state.get(tables::NODES_INFO, node.as_bytes()).map(|_| ()).ok_or_else(|| other("node"))
}

/// The secrets to go on with: those that were used, and a fresh one from `next` on. One that an earlier start had made
/// for the same place and never used (nothing durable is under it) is dropped.
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
    let maximum = service::configuration(&mut Tx::new(state.clone()))?.maximum_node_certificate_validity_days;
    let wanted = config.node_certificate.initial_validity_days;
    let days = maximum.and_then(|maximum| u32::try_from(maximum).ok()).map_or(wanted, |maximum| wanted.min(maximum));
    let validity = Validity { from: now, days };
    let (key, subject) = (identity.node_key.public(), &config.node_certificate.subject_name);
    let (service_key, service) = (&identity.service_key, &identity.service_certificate);
    identity.node_certificate = issue::node_certificate(key, subject, names, validity, service_key, service)?;
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
    let info = record::node(config, identity, node, names)?;
    tx.put(tables::NODES_INFO, id.clone(), info.to_string());
    tx.put(tables::NODES_ENDORSED_CERTIFICATES, id, identity.node_certificate.to_pem());
    if service::status(&mut tx)? == ServiceStatus::Open {
        let latest = secrets.latest().ok_or(NodeError::NoSecret)?;
        let share_seed = crypto::random_bytes()?;
        let context =
            ServiceContext { ledger_secret: latest.key(), share_seed: &share_seed, identity_endorsement: &[] };
        effects::apply(&mut tx, Effect::RefreshRecoveryShares, &context)?;
    }
    Ok(tx)
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
