use crate::{Check, Rejection, Result, Trail};

use super::{Chain, ChainCache, Report, Tcb, chain, signature};

/// What a machine sends.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The report, [`super::SIZE`] bytes.
    pub report: &'a [u8],
    /// The chain in PEM: chip, intermediate, root.
    pub chain: &'a str,
    /// The firmware versions that the endorsements are for, as [`Tcb::from_hex`] reads them. Absent, nothing is compared.
    pub endorsed_tcb: Option<&'a str>,
}

/// A report that its processor signed, with the chain that proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The report.
    pub report: Report,
    /// The chain.
    pub chain: Chain,
}

impl Verified {
    /// The firmware versions below the guest.
    #[must_use]
    pub fn tcb(&self) -> Tcb {
        self.report.reported_tcb(self.chain.family())
    }

    /// Checks that the firmware is not older than `minimum`.
    ///
    /// # Errors
    /// [`Check::MinimumTcb`]
    pub fn check_minimum(&self, minimum: Tcb) -> Result<()> {
        let tcb = self.tcb();
        Rejection::unless(tcb.is_at_least(minimum), Check::MinimumTcb, format!("at least {minimum}"), tcb)
    }
}

/// Verifies evidence. `trail` gets the checks that were passed, also when a later one fails.
///
/// # Errors
/// The first check that fails.
pub fn verify(evidence: &Evidence<'_>, cache: &mut ChainCache, trail: &mut Trail) -> Result<Verified> {
    let report = Report::parse(evidence.report, trail)?;
    trail.note(Check::ReportAlgorithm, signature::check_algorithm(&report))?;
    check_guest(&report, trail)?;
    let chain = cache.verify(evidence.chain, trail)?;
    conclude(report, chain, evidence.endorsed_tcb, trail)
}

/// The checks that [`verify`] makes, in order.
pub(crate) fn checks(has_endorsed_tcb: bool) -> impl Iterator<Item = Check> {
    use Check::{
        ChainChipId, ChainCount, ChainFamily, ChainFormat, ChainTcb, EndorsedTcb, PolicyDebug, PolicyMigration,
        ReportAlgorithm, ReportReserved, ReportSignature, ReportSigningKey, ReportSize, ReportVersion, Vmpl,
    };
    let report = [ReportSize, ReportVersion, ReportReserved, ReportAlgorithm, Vmpl, PolicyDebug, PolicyMigration];
    let together = [ChainFamily, ReportSigningKey, ChainChipId, ChainTcb, ReportSignature];
    let endorsed = [EndorsedTcb].into_iter().filter(move |_| has_endorsed_tcb);
    report.into_iter().chain([ChainFormat, ChainCount]).chain(chain::CHECKS).chain(together).chain(endorsed)
}

/// What CCF asks of every guest.
fn check_guest(report: &Report, trail: &mut Trail) -> Result<()> {
    let (vmpl, policy) = (report.vmpl(), report.policy());
    trail.require(Check::Vmpl, vmpl <= 3, "0 to 3", vmpl)?;
    trail.require(Check::PolicyDebug, !policy.debug(), 0, 1)?;
    trail.require(Check::PolicyMigration, !policy.migration_agent(), 0, 1)
}

/// What makes a report and a chain one piece of evidence.
pub(crate) fn conclude(
    report: Report,
    chain: Chain,
    endorsed_tcb: Option<&str>,
    trail: &mut Trail,
) -> Result<Verified> {
    chain.check_report(&report, trail)?;
    trail.note(Check::ReportSignature, signature::check(&report, chain.chip()))?;
    let verified = Verified { report, chain };
    if let Some(endorsed) = endorsed_tcb {
        trail.note(Check::EndorsedTcb, check_endorsed(&verified, endorsed))?;
    }
    Ok(verified)
}

fn check_endorsed(verified: &Verified, endorsed: &str) -> Result<()> {
    let reported = verified.tcb();
    let wanted = Tcb::from_hex(verified.chain.family(), endorsed);
    Rejection::unless(wanted == Some(reported), Check::EndorsedTcb, reported.to_hex(), endorsed)
}
