//! What `apply` asks of the service itself, carried out on the tables.

mod certificates;

use constitution::Effect;
use crypto::{AesKey, Certificate};
use kv::{Tx, UNIT_KEY};
use ledger::{secrets::Secret, tables};
use serde_json::json;

use crate::{
    ConsortiumError,
    json::sorted_text,
    jwt,
    rekey::rekey,
    service::{self, ServiceInfo, ServiceStatus},
    shares,
};

pub use certificates::Issuer;
pub(crate) use certificates::make as make_certificate;

/// What a decider needs of the node to carry out effects.
#[derive(Clone, Copy)]
pub struct ServiceContext<'a> {
    /// The ledger secret behind the state that is decided on. Recovery shares unwrap it, unless there is a rekey.
    pub ledger_secret: &'a Secret,
    /// The secret that a rekey introduces: one that nothing was ever encrypted with, and that the node has kept safe.
    pub next_secret: &'a AesKey,
    /// Fresh random bytes for one set of recovery shares and what belongs to it. Not to be used for two transactions.
    pub share_seed: &'a [u8; 32],
    /// The value for `previous_service_identity_endorsement` when the service opens: JSON, of this service's identity by
    /// itself.
    pub identity_endorsement: &'a [u8],
    /// Signs with the key of the service what `apply` asks for. Whoever only tries out what a proposal would do must
    /// bring one with another key: a certificate that was not voted on must not exist.
    pub issuer: &'a dyn Issuer,
}

/// What the node does once the transaction is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEffect {
    /// Ends the chunk of the ledger at the next signature.
    ChunkLedger,
    /// Takes a snapshot.
    Snapshot,
    /// Has this secret take over right behind the transaction.
    Rekey(AesKey),
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
        Effect::RekeyLedger => rekey(tx, context),
        Effect::SetJwtPublicSigningKeys { issuer, jwks } => jwt::set_keys(tx, &issuer, &jwks).map(|()| Vec::new()),
        Effect::RemoveJwtPublicSigningKeys { issuer } => jwt::remove_keys(tx, &issuer).map(|()| Vec::new()),
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
