//! What a party finds out about a service before it acknowledges its state (D32, D42): who is in it, by which rules, what
//! runs there, and what any single party can do alone.

mod expiry;
mod findings;
mod judged;
mod powers;

pub use expiry::expiry;
pub use findings::{Finding, Level};
pub use judged::{Judged, JudgedMember};
pub use powers::{Power, powers};

use crypto::Certificate;

use crate::{Invitation, Member, NodeState, Quote, Result, Service, ServiceInfo};

/// What the service is measured by.
#[derive(Debug, Clone, Copy)]
pub struct Expectations<'a> {
    /// The text of the constitution that ships with this client.
    pub constitution: &'a str,
    /// What the invitation promised.
    pub invitation: Option<&'a Invitation>,
    /// Hex SHA-256 of the only executable that is acceptable.
    pub build: Option<&'a str>,
}

/// The sum of the findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as expected, and evidence proves what runs there.
    Verified,
    /// Nothing contradicts, but nothing proves what runs there either.
    NotVerifiable,
    /// Something is not as expected.
    NotAsExpected,
}

/// What was found out.
#[derive(Debug)]
pub struct Assessment {
    /// The state, as far as a member judges it.
    pub judged: Judged,
    /// The text of the constitution.
    pub constitution: String,
    /// The members.
    pub members: Vec<Member>,
    /// What was checked.
    pub findings: Vec<Finding>,
    /// What single parties can do alone.
    pub powers: Vec<Power>,
}

impl Assessment {
    /// The sum of the findings.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let worst = self.findings.iter().map(|finding| finding.level).max();
        match worst {
            Some(Level::Failure) => Verdict::NotAsExpected,
            Some(Level::NotVerifiable) => Verdict::NotVerifiable,
            _ => Verdict::Verified,
        }
    }
}

/// Everything that is asked.
pub(crate) struct Facts {
    pub(crate) info: ServiceInfo,
    pub(crate) node: NodeState,
    pub(crate) quote: Quote,
    /// The certificate of the TLS connection.
    pub(crate) tls: Option<Certificate>,
}

impl Service {
    /// Acknowledges the state of the service, if nothing that matters differs from what was judged (D42).
    ///
    /// The service computes the digest first, then the state is read again: what is read is at or after the digest, so if
    /// it equals what was judged before, nothing was decided up to the digest either.
    ///
    /// # Errors
    /// If the service refuses or does not answer. The inner error names what differs.
    pub async fn activate(&self, judged: &Judged) -> Result<std::result::Result<String, Vec<String>>> {
        let digest = self.update_state_digest().await?;
        let constitution = self.constitution().await?;
        let members = self.members().await?;
        let application = self.application().await?;
        let later = Judged::new(self, &facts(self).await?, &constitution, application, &members).await?;
        let changes = judged.changes(&later);
        if !changes.is_empty() {
            return Ok(Err(changes));
        }
        self.acknowledge(&digest).await?;
        Ok(Ok(digest))
    }
}

async fn facts(service: &Service) -> Result<Facts> {
    Ok(Facts {
        info: service.service_info().await?,
        node: service.node_state().await?,
        quote: service.quote().await?,
        tls: service.connection().peer(),
    })
}

/// Asks the service for everything that matters and compares it with what is expected.
///
/// # Errors
/// If the service does not answer a question. What it answers wrongly is a finding, not an error.
pub async fn assess(service: &Service, expectations: Expectations<'_>) -> Result<Assessment> {
    let facts = facts(service).await?;
    let constitution = service.constitution().await?;
    let members = service.members().await?;
    let application = service.application().await?;
    let judged = Judged::new(service, &facts, &constitution, application, &members).await?;
    let shipped = constitution == expectations.constitution;
    let findings = findings::all(service.connection(), &facts, &judged, expectations, crate::now())?;
    let threshold = facts.info.configuration.recovery_threshold;
    let powers = powers(&members, threshold, shipped, facts.quote.format == findings::VIRTUAL);
    Ok(Assessment { judged, constitution, members, findings, powers })
}
