use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{AesKey, Zeroizing, hmac_sha256};
use kv::{Tx, UNIT_KEY};
use ledger::{shares::RecoveryShares, tables};
use serde_json::Value;

use crate::{
    ConsortiumError, ServiceContext,
    members::{self, RecoveryRole, Status},
    rekey::{chain_written, latest_secret},
    service::{self, ServiceStatus},
    stored,
};

/// Shares the wrapping secret anew among the active recovery members (CCF, `recovery_shares`).
pub(crate) fn issue(tx: &mut Tx, context: &ServiceContext<'_>) -> Result<(), ConsortiumError> {
    let holders = Holders::of(tx)?;
    let threshold = holders.threshold(service::recovery_threshold(tx)?);
    let latest = latest_secret(tx, context);
    let (secret, shares) =
        ledger::shares::split(&seed(latest, context), threshold, holders.participants.len()).map_err(failed)?;
    let mut encrypted = std::collections::BTreeMap::new();
    for ((id, key), share) in holders.participants.iter().zip(&shares) {
        encrypted.insert(id.clone(), encrypt(id, key, &share.to_bytes())?);
    }
    for (id, key) in &holders.owners {
        encrypted.insert(id.clone(), encrypt(id, key, &secret.owner_share().to_bytes())?);
    }
    let record = RecoveryShares {
        encrypted_shares: encrypted,
        previous_secret_stored_version: previous_secret_stored_version(tx)?,
        wrapped_latest_ledger_secret: STANDARD.encode(secret.wrap(latest).map_err(failed)?),
    };
    tx.put(tables::RECOVERY_SHARES, UNIT_KEY.to_vec(), record.to_json().map_err(failed)?);
    Ok(())
}

/// Checks that shares of an open service can be issued: that its active recovery members are as many as the threshold asks
/// for, and their keys can be used. Each start issues shares, so without them the service could not start again.
///
/// # Errors
/// [`ConsortiumError::Shares`]
pub(crate) fn check(tx: &mut Tx) -> Result<(), ConsortiumError> {
    if service::status(tx)? != ServiceStatus::Open {
        return Ok(());
    }
    let holders = Holders::of(tx)?;
    let threshold = holders.threshold(service::recovery_threshold(tx)?);
    // What is shared and sent here is nobody's secret.
    ledger::shares::split(&[0; 32], threshold, holders.participants.len()).map_err(failed)?;
    holders.participants.iter().chain(&holders.owners).try_for_each(|(id, key)| encrypt(id, key, &[]).map(drop))
}

/// Another seed for each secret: what wraps one never wraps another, though a transaction may issue shares twice.
fn seed(latest: &AesKey, context: &ServiceContext<'_>) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(hmac_sha256(context.share_seed, latest.as_bytes()))
}

/// Who gets what: member id and encryption key, in the order of the ids.
#[derive(Default)]
struct Holders {
    participants: Vec<(String, String)>,
    owners: Vec<(String, String)>,
}

impl Holders {
    fn of(tx: &mut Tx) -> Result<Self, ConsortiumError> {
        let mut holders = Self::default();
        for (id, info) in members::all(tx)? {
            let role = members::recovery_role(tx, &id, &info);
            let Some(key) = stored::text(tx, tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, id.as_bytes()) else { continue };
            match (info.status, role) {
                (Status::Active, RecoveryRole::Participant) => holders.participants.push((id, key)),
                (Status::Active, RecoveryRole::Owner) => holders.owners.push((id, key)),
                _ => {}
            }
        }
        if holders.participants.is_empty() && holders.owners.is_empty() {
            let why = "no active member has an encryption key, so nobody could recover the service";
            return Err(ConsortiumError::Shares(why.into()));
        }
        Ok(holders)
    }

    /// With owners only there is nothing to combine: one of them is enough.
    fn threshold(&self, configured: u64) -> usize {
        if self.participants.is_empty() { 1 } else { usize::try_from(configured).unwrap_or(usize::MAX) }
    }
}

fn encrypt(id: &str, key: &str, share: &[u8]) -> Result<String, ConsortiumError> {
    crypto::wrap::rsa_oaep_encrypt(key, share)
        .map(|sealed| STANDARD.encode(sealed))
        .map_err(|why| ConsortiumError::Shares(format!("encryption key of member m[{id}]: {why}")))
}

/// The seqno of the record that holds the previous ledger secret, where there is one: the next step of the chain that a
/// recovery walks. One that this transaction writes itself is not named, as in CCF: it has no seqno yet.
fn previous_secret_stored_version(tx: &mut Tx) -> Result<Option<u64>, ConsortiumError> {
    const TABLE: &str = tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET;
    if tx.writes().get(TABLE, &UNIT_KEY).is_some() {
        return Ok(None);
    }
    let record: Option<Value> = stored::single(tx, TABLE)?;
    let has_previous = record.is_some_and(|record| record.get("previous_ledger_secret").is_some_and(Value::is_object));
    Ok(if has_previous { chain_written(tx) } else { None })
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(crate) fn failed(why: ledger::LedgerError) -> ConsortiumError {
    ConsortiumError::Shares(why.to_string())
}
