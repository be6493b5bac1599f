use std::collections::BTreeMap;

use crypto::{Certificate, PublicKey};
use kv::{MapWrites, TxId, UNIT_KEY};
use serde::Deserialize;

use super::check::Check;
use crate::{LedgerError, entry::Entry, signature::NodeSignature, tables};

/// A certificate or status that the service had from some transaction on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSeen {
    /// The transaction that wrote it.
    pub since: TxId,
    /// `Opening`, `Open`, `Recovering` or `WaitingForRecoveryShares`.
    pub status: String,
    /// The certificate of the service.
    pub certificate: Certificate,
}

/// Who may sign, as the ledger itself says up to here.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    statuses: BTreeMap<String, String>,
    certificates: BTreeMap<String, Endorsed>,
    services: Vec<ServiceSeen>,
}

/// The certificates of a node, all for one key.
#[derive(Debug, Clone)]
struct Endorsed {
    /// Those that the ledger names, newest last.
    certificates: Vec<Certificate>,
    /// What it signed with last.
    own: Option<String>,
    /// One that the ledger does not name: old nodes sign with one that they made themselves.
    other: Option<String>,
}

#[derive(Deserialize)]
struct NodeInfo {
    status: String,
    /// Only in ledgers of CCF 1.
    cert: Option<String>,
}

#[derive(Deserialize)]
struct ServiceInfo {
    cert: String,
    status: String,
}

impl Network {
    /// Takes over what a transaction says of nodes; comes before the check of a signature in it.
    pub(super) fn update_nodes(&mut self, entry: &Entry<'_>) -> Result<(), LedgerError> {
        let infos = entry.public.map(tables::NODES_INFO);
        let endorsed = entry.public.map(tables::NODES_ENDORSED_CERTIFICATES);
        for (node, info) in infos.into_iter().flatten() {
            self.update_info(id(node), info.as_deref(), endorsed)?;
        }
        for (node, pem) in endorsed.into_iter().flatten() {
            match pem {
                Some(pem) => self.set_certificate(id(node), pem)?,
                None => removed(tables::NODES_ENDORSED_CERTIFICATES, &id(node), self.certificates.remove(&id(node)))?,
            }
        }
        Ok(())
    }

    fn update_info(
        &mut self,
        node: String,
        info: Option<&[u8]>,
        endorsed: Option<&MapWrites>,
    ) -> Result<(), LedgerError> {
        let Some(info) = info else {
            return removed(tables::NODES_INFO, &node, self.statuses.remove(&node));
        };
        let info: NodeInfo =
            serde_json::from_slice(info).map_err(|error| LedgerError::malformed(tables::NODES_INFO, error))?;
        if let Some(pem) = info.cert {
            if endorsed.is_some_and(|endorsed| endorsed.contains_key(node.as_bytes())) {
                let got = format!("both, for node {node}");
                return Err(LedgerError::differs("certificate of a node", "a self-signed or an endorsed one", got));
            }
            self.set_certificate(node.clone(), pem.as_bytes())?;
        }
        self.statuses.insert(node, info.status);
        Ok(())
    }

    fn set_certificate(&mut self, node: String, pem: &[u8]) -> Result<(), LedgerError> {
        let certificate = parse_certificate(tables::NODES_ENDORSED_CERTIFICATES, pem)?;
        let known = self.certificates.entry(node).or_insert_with(Endorsed::none);
        known.certificates.push(certificate);
        Ok(())
    }

    /// Takes over what a transaction says of the service.
    pub(super) fn update_service(&mut self, entry: &Entry<'_>) -> Result<(), LedgerError> {
        let Some(writes) = entry.public.map(tables::SERVICE_INFO) else { return Ok(()) };
        let info = writes.get(UNIT_KEY.as_slice()).and_then(Option::as_ref);
        let info = info.ok_or_else(|| LedgerError::malformed(tables::SERVICE_INFO, "there is no value"))?;
        let info: ServiceInfo =
            serde_json::from_slice(info).map_err(|error| LedgerError::malformed(tables::SERVICE_INFO, error))?;
        let before = self.services.last().map(|service| service.status.as_str());
        if !may_follow(before, &info.status) {
            let expected = format!("one that may follow {}", before.unwrap_or("nothing"));
            return Err(LedgerError::differs("status of the service", expected, info.status));
        }
        let certificate = parse_certificate(tables::SERVICE_INFO, info.cert.as_bytes())?;
        self.services.push(ServiceSeen { since: entry.tx_id, status: info.status, certificate });
        Ok(())
    }

    /// The service as of now.
    pub(super) fn service(&self) -> Option<&Certificate> {
        self.services.last().map(|service| &service.certificate)
    }

    pub(super) fn into_services(self) -> Vec<ServiceSeen> {
        self.services
    }

    /// Where the ledger names a service with this key for the first time.
    pub(super) fn begin_of(&self, key: &PublicKey) -> Option<TxId> {
        self.services.iter().find(|seen| seen.certificate.spki_der() == key.spki_der()).map(|seen| seen.since)
    }

    /// All certificates of the service so far, each once.
    pub(super) fn service_certificates(&self) -> Vec<Certificate> {
        certificates(&self.services)
    }

    /// Checks that a node may sign, and adds what is left to check of its signature.
    pub(super) fn signs(&mut self, signature: NodeSignature, checks: &mut Vec<Check>) -> Result<(), LedgerError> {
        let node = &signature.node;
        let known = self.certificates.get_mut(node).zip(self.statuses.get(node));
        let (endorsed, status) = known.ok_or_else(|| {
            LedgerError::differs("signing node", "one with an endorsed certificate and a status", node)
        })?;
        if status == "Pending" {
            return Err(LedgerError::differs("status of the signing node", "Trusted or Retired", status));
        }
        let key = endorsed.key()?;
        if let Some(own) = signature.cert.as_ref().filter(|own| endorsed.own.as_ref() != Some(own)) {
            checks.extend(endorsed.check_own(own, &key, &self.services)?);
            endorsed.own = Some(own.clone());
        }
        checks.push(Check::Node { signature: Box::new(signature), key });
        Ok(())
    }
}

impl Endorsed {
    fn none() -> Self {
        Self { certificates: Vec::new(), own: None, other: None }
    }

    fn key(&self) -> Result<PublicKey, LedgerError> {
        let missing = || LedgerError::malformed(tables::NODES_ENDORSED_CERTIFICATES, "there is none");
        Ok(self.certificates.last().ok_or_else(missing)?.public_key()?)
    }

    /// The certificate beside a signature must be for the key that the ledger names. In the last signature nothing else
    /// covers it, so it must also be one of those in the ledger; or, from the first signature of the node on, another one
    /// that is signed as it should be.
    fn check_own(
        &mut self,
        own: &str,
        key: &PublicKey,
        services: &[ServiceSeen],
    ) -> Result<Option<Check>, LedgerError> {
        let certificate = Certificate::from_pem(own)?;
        let own_key = certificate.public_key()?;
        if own_key != *key {
            return Err(LedgerError::differs("key in cert of the signature", key.id(), own_key.id()));
        }
        if certificate.to_pem() != own {
            return Err(LedgerError::malformed("cert of the signature", "it is not in the form that OpenSSL writes"));
        }
        if self.certificates.contains(&certificate) {
            return Ok(None);
        }
        if self.own.is_some() && self.other.as_deref() != Some(own) {
            let expected = "one that the ledger names, or that the node began with";
            return Err(LedgerError::differs("cert of the signature", expected, certificate.id()));
        }
        self.other = Some(own.to_owned());
        let issuers = certificates(services).into_iter().chain([certificate.clone()]).collect();
        Ok(Some(Check::Certificate { certificate, issuers }))
    }
}

fn certificates(services: &[ServiceSeen]) -> Vec<Certificate> {
    let mut certificates: Vec<Certificate> = services.iter().map(|seen| seen.certificate.clone()).collect();
    certificates.dedup();
    certificates
}

/// Node ids are hex; anything else stays recognisable.
fn id(key: &[u8]) -> String {
    String::from_utf8_lossy(key).into_owned()
}

fn removed<T>(table: &'static str, node: &str, old: Option<T>) -> Result<(), LedgerError> {
    let unknown = || LedgerError::malformed(table, format!("node {node} is removed, but was never there"));
    old.map(|_| ()).ok_or_else(unknown)
}

fn parse_certificate(table: &'static str, pem: &[u8]) -> Result<Certificate, LedgerError> {
    let text = std::str::from_utf8(pem).map_err(|error| LedgerError::malformed(table, error))?;
    Certificate::from_pem(text).map_err(|error| LedgerError::malformed(table, error))
}

/// The moves between the states of a service that CCF's tools accept. A recovery can begin at any point.
fn may_follow(before: Option<&str>, status: &str) -> bool {
    let moves: &[&str] = match before {
        None => return true,
        Some("Opening") => &["Open", "WaitingForRecoveryShares"],
        Some("Open") => &["Recovering"],
        Some("Recovering") => &["WaitingForRecoveryShares"],
        Some("WaitingForRecoveryShares") => &["Open"],
        Some(_) => &[],
    };
    status == "Opening" || before == Some(status) || moves.contains(&status)
}
