//! The certificates of the service and of this node: which ones the ledger names, and which ones are shown.
//!
//! The ledger decides. Members vote new ones into it, and this node writes one for itself when the current one has used
//! up most of its life; whichever way it came, a certificate that is committed is shown from then on. Keys stay the
//! same: a certificate for another key is not taken.

mod keeper;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use consortium::service;
use crypto::{
    Certificate,
    issue::{self, Validity},
};
use kv::{State, Tx};
use ledger::tables;

use crate::{NodeError, config::Config, vault::Identity};

pub(crate) use keeper::{Keeper, Memory};

const DAY: i64 = 86_400;

/// What is shown at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Of the service, as `service.info` has it.
    pub service: Certificate,
    /// Of this node, endorsed by the service.
    pub endorsed: Certificate,
    /// Of this node, endorsed by nobody.
    pub own: Certificate,
}

/// The certificates that are shown now.
#[derive(Debug)]
pub struct Certificates {
    shown: ArcSwap<Shown>,
}

impl Certificates {
    /// Shows these.
    #[must_use]
    pub fn new(shown: Shown) -> Arc<Self> {
        Arc::new(Self { shown: ArcSwap::from_pointee(shown) })
    }

    /// Those that are shown now.
    #[must_use]
    pub fn shown(&self) -> Arc<Shown> {
        self.shown.load_full()
    }

    fn replace(&self, shown: Shown) {
        self.shown.store(Arc::new(shown));
    }
}

impl Shown {
    /// Those that a node starts with.
    pub(crate) fn of(identity: &Identity) -> Self {
        Self {
            service: identity.service_certificate.clone(),
            endorsed: identity.node_certificate.clone(),
            own: identity.self_signed.clone(),
        }
    }

    /// What an operator has to know about their ends, at a time in seconds since 1970.
    pub(crate) fn warnings(&self, now: i64) -> Vec<String> {
        let service = "no client accepts the service any more then. The members renew it with \
                       set_service_certificate_validity";
        let node = "no client accepts this node any more then. It should have been renewed by itself: see above why \
                    not, or let the members do it with set_node_certificate_validity";
        [("the service", &self.service, service), ("this node", &self.endorsed, node)]
            .into_iter()
            .filter(|(_, certificate, _)| now >= certificate.ends_soon_from())
            .map(|(whose, certificate, what)| format!("the certificate of {whose} {}: {what}", end(certificate, now)))
            .collect()
    }
}

fn end(certificate: &Certificate, now: i64) -> String {
    let end = certificate.not_after();
    let date = time::OffsetDateTime::from_unix_timestamp(end).map(|at| at.date().to_string()).unwrap_or_default();
    match (end - now).div_euclid(DAY) {
        ..0 => format!("has ended on {date}"),
        0 => format!("ends on {date}, within a day"),
        days => format!("ends on {date}, in {days} days"),
    }
}

/// Why a certificate in the ledger is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("{table} holds no certificate: {why}")]
    Unreadable { table: &'static str, why: String },
    #[error("the certificate in {table} is for another key than the one of this {whose}")]
    OtherKey { table: &'static str, whose: &'static str },
    #[error("the certificate of this node in {table} is not signed by the service")]
    NotEndorsed { table: &'static str },
}

/// The certificate of the service that the ledger names, if it is for the key of the service.
pub(crate) fn of_service(state: &State, identity: &Identity) -> Result<Certificate, NotTaken> {
    let table = tables::SERVICE_INFO;
    let unreadable = |why: &dyn ToString| NotTaken::Unreadable { table, why: why.to_string() };
    let record = service::record(&mut Tx::new(state.clone())).map_err(|why| unreadable(&why))?;
    let certificate = Certificate::from_pem(&record.cert).map_err(|why| unreadable(&why))?;
    match certificate.public_key() {
        Ok(key) if key == *identity.service_key.public() => Ok(certificate),
        _ => Err(NotTaken::OtherKey { table, whose: "service" }),
    }
}

/// The certificate of this node that the ledger names, if it is for its key and endorsed by the service.
fn of_node(state: &State, identity: &Identity, service: &Certificate) -> Result<Certificate, NotTaken> {
    let table = tables::NODES_ENDORSED_CERTIFICATES;
    let id = identity.node_key.public().id();
    let stored = state.get(table, id.as_bytes()).map(|stored| String::from_utf8_lossy(&stored.value).into_owned());
    let certificate = Certificate::from_pem(&stored.unwrap_or_default())
        .map_err(|why| NotTaken::Unreadable { table, why: why.to_string() })?;
    if certificate.public_key().ok().as_ref() != Some(identity.node_key.public()) {
        return Err(NotTaken::OtherKey { table, whose: "node" });
    }
    certificate.verify_issued_by(service).map_err(|_| NotTaken::NotEndorsed { table })?;
    Ok(certificate)
}

/// Whether a node renews a certificate of its own now: in the last third of its life, and before it begins. Nobody accepts
/// it then; that is so if the clock was ahead when the node made it.
fn is_due(certificate: &Certificate, now: i64) -> bool {
    let last_third = certificate.not_after() - certificate.not_after().saturating_sub(certificate.not_before()) / 3;
    now < certificate.not_before() || now >= last_third
}

/// How long a certificate that the node asks for by itself is valid: as configured, but not longer than the members
/// allow.
pub(crate) fn validity(config: &Config, state: &State, now: i64) -> Result<Validity, NodeError> {
    let settings = service::configuration(&mut Tx::new(state.clone()))?;
    let most = settings.maximum_node_certificate_validity_days.unwrap_or(service::DEFAULT_MAXIMUM_VALIDITY_DAYS);
    let wanted = config.node_certificate.initial_validity_days;
    Ok(Validity { from: now, days: wanted.min(u32::try_from(most).unwrap_or(u32::MAX)).max(1) })
}

/// A certificate for the key of the node, endorsed by the service.
pub(crate) fn endorse(
    identity: &Identity,
    service: &Certificate,
    config: &Config,
    names: &[String],
    validity: Validity,
) -> crypto::Result<Certificate> {
    let (key, subject) = (identity.node_key.public(), &config.node_certificate.subject_name);
    issue::node_certificate(key, subject, names, validity, &identity.service_key, service)
}

/// The certificate that the node signs for itself, as long as the endorsed one is valid.
fn own(identity: &Identity, config: &Config, names: &[String], endorsed: &Certificate) -> crypto::Result<Certificate> {
    let days = (endorsed.not_after() - endorsed.not_before() + 1) / DAY;
    let validity = Validity { from: endorsed.not_before(), days: u32::try_from(days).unwrap_or(1).max(1) };
    issue::self_signed(&identity.node_key, &config.node_certificate.subject_name, names, validity)
}
