//! A rekey (CCF): from the transaction after this one on, the ledger is under another secret.
//!
//! What says so is in this transaction, which is itself still under the old one. So whoever knew only the old secret,
//! such as a member that is removed, cannot read on; and whoever is given the new one can read back, along the chain.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{AesKey, hmac_sha256};
use kv::{Tx, UNIT_KEY};
use ledger::{
    secrets::{HistoricalSecret, PreviousSecret},
    tables,
};
use serde_json::{Map, Value, json};

use crate::{
    ConsortiumError, NodeEffect, ServiceContext,
    json::sorted_text,
    service::{self, ServiceStatus},
    shares, stored,
};

const CHAIN: &str = tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET;
/// What the IV of the previous secret is derived with.
const IV_LABEL: &[u8] = b"previous ledger secret";

/// Has the next secret take over. Once is enough for a transaction: nothing is written between two of them.
///
/// The place of the transaction is not needed: the record leaves the version of the new secret out, which means the
/// seqno after its own.
pub(crate) fn rekey(tx: &mut Tx, context: &ServiceContext<'_>) -> Result<Vec<NodeEffect>, ConsortiumError> {
    let status = service::status(tx)?;
    if status != ServiceStatus::Open {
        let why = "the ledger can be rekeyed only while the service is open";
        return Err(ConsortiumError::Status { status: format!("{status:?}"), why });
    }
    if is_rekeyed(tx) {
        return Ok(Vec::new());
    }
    let (previous, next) = (context.ledger_secret, context.next_secret);
    let stored = chain_written(tx);
    let sealed = PreviousSecret::seal((previous.version(), previous.key()), next, iv(context), stored);
    let sealed = sealed.map_err(shares::failed)?;
    let record = HistoricalSecret { next_version: None, previous_ledger_secret: Some(sealed) };
    tx.put(CHAIN, UNIT_KEY.to_vec(), record.to_json().map_err(shares::failed)?);
    send_to_nodes(tx, next)?;
    shares::issue(tx, context)?;
    Ok(vec![NodeEffect::Rekey(next.clone())])
}

/// The secret that follows this transaction, which is what recovery shares must unwrap.
///
/// It rests on the chain of secrets as it was: if another transaction changes that first, this one is in conflict.
pub(crate) fn latest_secret<'a>(tx: &mut Tx, context: &ServiceContext<'a>) -> &'a AesKey {
    chain_written(tx);
    if is_rekeyed(tx) { context.next_secret } else { context.ledger_secret.key() }
}

/// The seqno at which the chain was written before this transaction.
pub(crate) fn chain_written(tx: &mut Tx) -> Option<u64> {
    tx.written(CHAIN, &UNIT_KEY).map(|written| written.seqno)
}

/// Whether this transaction has a rekey in it.
fn is_rekeyed(tx: &Tx) -> bool {
    matches!(HistoricalSecret::in_writes(tx.writes()), Ok(Some(record)) if record.is_rekey())
}

/// A decider that is run again has another seed, so the same secret never sees the same IV with something else.
fn iv(context: &ServiceContext<'_>) -> [u8; 12] {
    let digest = hmac_sha256(context.share_seed, IV_LABEL);
    digest.first_chunk().copied().unwrap_or_default()
}

/// The next secret for each trusted node that has a key for it. A node without one keeps its secrets to itself.
fn send_to_nodes(tx: &mut Tx, secret: &AesKey) -> Result<(), ConsortiumError> {
    let mut sent = Map::new();
    for (id, info) in tx.entries(tables::NODES_INFO) {
        let info: Value = stored::parse(tables::NODES_INFO, &info)?;
        let trusted = info.get("status").is_some_and(|status| status == "Trusted");
        let Some(key) = info.get("encryption_pub_key").and_then(Value::as_str).filter(|_| trusted) else { continue };
        let id = stored::lossy(&id);
        let encrypted = crypto::wrap::rsa_oaep_encrypt(key, secret.as_bytes())
            .map_err(|why| ConsortiumError::Shares(format!("encryption key of node n[{id}]: {why}")))?;
        sent.insert(id, json!([{ "encrypted_secret": STANDARD.encode(encrypted), "version": null }]));
    }
    if !sent.is_empty() {
        tx.put(tables::ENCRYPTED_LEDGER_SECRETS, UNIT_KEY.to_vec(), sorted_text(&Value::Object(sent)));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
