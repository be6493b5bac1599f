//! What `apply` asks of the service itself, carried out on the tables.

use constitution::Effect;
use crypto::{AesKey, Certificate};
use kv::{Tx, UNIT_KEY};
use ledger::tables;
use serde_json::json;

use crate::{
    ConsortiumError,
    json::sorted_text,
    service::{self, ServiceInfo, ServiceStatus},
    shares,
};

/// What a decider needs of the node to carry out effects.
#[derive(Clone, Copy)]
pub struct ServiceContext<'a> {
    /// The latest ledger secret, which recovery shares unwrap.
    pub ledger_secret: &'a AesKey,
    /// Fresh random bytes for one set of recovery shares. A decider that is run again may be given the same ones, since
    /// at most one of its runs is committed.
    pub share_seed: &'a [u8; 32],
    /// The value for `previous_service_identity_endorsement` when the service opens: JSON, of this service's identity by
    /// itself.
    pub identity_endorsement: &'a [u8],
}

/// What the node does once the transaction is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEffect {
    /// Ends the chunk of the ledger at the next signature.
    ChunkLedger,
    /// Takes a snapshot.
    Snapshot,
}

/// Carries out one effect.
///
/// # Errors
/// A text for the members: the proposal fails with it, and nothing of the transaction's `apply` is kept.
pub fn apply(tx: &mut Tx, effect: Effect, context: &ServiceContext<'_>) -> Result<Vec<NodeEffect>, ConsortiumError> {
    match effect {
        Effect::TransitionServiceToOpen { previous, next } => open_service(tx, previous.as_deref(), &next, context),
        Effect::RefreshRecoveryShares => refresh_shares(tx, context).map(|()| Vec::new()),
        Effect::ChunkLedger => Ok(vec![NodeEffect::ChunkLedger]),
        Effect::Snapshot => Ok(vec![NodeEffect::Snapshot]),
        Effect::RekeyLedger => Err(ConsortiumError::NotAvailable("trigger_ledger_rekey")),
        _ => Err(ConsortiumError::NotAvailable("this action")),
    }
}

fn open_service(
    tx: &mut Tx,
    previous: Option<&str>,
    next: &str,
    context: &ServiceContext<'_>,
) -> Result<Vec<NodeEffect>, ConsortiumError> {
    let info = service::record(tx)?;
    match info.status {
        ServiceStatus::Open | ServiceStatus::WaitingForRecoveryShares => return Ok(Vec::new()),
        ServiceStatus::Recovering => {
            let why = "a recovered service cannot be opened by this version";
            return Err(ConsortiumError::Status { status: "Recovering".into(), why });
        }
        ServiceStatus::Opening => {}
    }
    if previous.is_some() {
        return Err(ConsortiumError::PreviousIdentity);
    }
    if !same_certificate(next, &info.cert) {
        return Err(ConsortiumError::NextIdentity { next: next.into(), current: info.cert });
    }
    shares::issue(tx, context)?;
    write_opening(tx, info, context);
    Ok(vec![NodeEffect::ChunkLedger, NodeEffect::Snapshot])
}

fn write_opening(tx: &mut Tx, info: ServiceInfo, context: &ServiceContext<'_>) {
    // A resume before the opening has already begun the chain of ledger secrets (D31d).
    if !tx.has(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, &UNIT_KEY) {
        tx.put(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, UNIT_KEY.to_vec(), r#"{"next_version":1}"#);
    }
    let endorsement = context.identity_endorsement.to_vec();
    tx.put(tables::PREVIOUS_SERVICE_IDENTITY_ENDORSEMENT, UNIT_KEY.to_vec(), endorsement);
    let opened = ServiceInfo { status: ServiceStatus::Open, ..info };
    tx.put(tables::SERVICE_INFO, UNIT_KEY.to_vec(), sorted_text(&json!(opened)));
}

/// Compared as certificates, so that line ends and blanks around the PEM do not matter.
fn same_certificate(left: &str, right: &str) -> bool {
    match (Certificate::from_pem(left), Certificate::from_pem(right)) {
        (Ok(left), Ok(right)) => left.der() == right.der(),
        _ => false,
    }
}

/// Before the service is open nobody holds shares; the opening issues them.
fn refresh_shares(tx: &mut Tx, context: &ServiceContext<'_>) -> Result<(), ConsortiumError> {
    match service::status(tx)? {
        ServiceStatus::Open => shares::issue(tx, context),
        ServiceStatus::Opening => Ok(()),
        status => Err(ConsortiumError::Status {
            status: format!("{status:?}"),
            why: "recovery shares cannot be refreshed during a recovery",
        }),
    }
}

#[cfg(test)]
mod tests;
