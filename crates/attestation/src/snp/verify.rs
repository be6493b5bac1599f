use crate::{Check, Rejection, Result, Trail};

use super::{Chain, ChainCache, Report, Tcb, signature};

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
    let report = parse(evidence.report, trail)?;
    check_guest(&report, trail)?;
    let chain = verify_chain(evidence.chain, cache, trail)?;
    fit(&report, &chain, trail)?;
    trail.note(Check::ReportSignature, signature::check(&report, chain.chip()))?;
    let verified = Verified { report, chain };
    if let Some(endorsed) = evidence.endorsed_tcb {
        trail.note(Check::EndorsedTcb, check_endorsed(&verified, endorsed))?;
    }
    Ok(verified)
}

fn parse(bytes: &[u8], trail: &mut Trail) -> Result<Report> {
    let report = Report::parse(bytes)?;
    for check in [Check::ReportSize, Check::ReportVersion, Check::ReportReserved] {
        trail.note(check, Ok(()))?;
    }
    trail.note(Check::ReportAlgorithm, signature::check_algorithm(&report))?;
    Ok(report)
}

/// What CCF asks of every guest.
fn check_guest(report: &Report, trail: &mut Trail) -> Result<()> {
    let vmpl = report.vmpl();
    trail.note(Check::Vmpl, Rejection::unless(vmpl <= 3, Check::Vmpl, "0 to 3", vmpl))?;
    let policy = report.policy();
    let forbidden = |check, set: bool| Rejection::unless(!set, check, 0, 1);
    trail.note(Check::PolicyDebug, forbidden(Check::PolicyDebug, policy.debug()))?;
    trail.note(Check::PolicyMigration, forbidden(Check::PolicyMigration, policy.migration_agent()))
}

fn verify_chain(pem: &str, cache: &mut ChainCache, trail: &mut Trail) -> Result<Chain> {
    let chain = cache.verify(pem)?;
    for check in [
        Check::ChainFormat,
        Check::ChainCount,
        Check::ChainRoot,
        Check::ChainRootSignature,
        Check::ChainIntermediate,
        Check::ChainChip,
        Check::ChainNames,
        Check::ChainExtensions,
    ] {
        trail.note(check, Ok(()))?;
    }
    Ok(chain)
}

fn fit(report: &Report, chain: &Chain, trail: &mut Trail) -> Result<()> {
    chain.check_report(report)?;
    for check in [Check::ChainFamily, Check::ReportSigningKey, Check::ChainChipId, Check::ChainTcb] {
        trail.note(check, Ok(()))?;
    }
    Ok(())
}

fn check_endorsed(verified: &Verified, endorsed: &str) -> Result<()> {
    let reported = verified.tcb();
    let wanted = Tcb::from_hex(verified.chain.family(), endorsed);
    Rejection::unless(wanted == Some(reported), Check::EndorsedTcb, reported.to_hex(), endorsed)
}
