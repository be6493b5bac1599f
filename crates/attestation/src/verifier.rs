use crypto::{Digest, sha256};

use crate::{
    Bound, Caci, Check, Claims, Cvm, Document, Platform, Result, Trail, Virtual, claims, cvm, identity,
    snp::{self, ChainCache},
    uvm,
};

/// Verifies evidence of all platforms, and remembers chains of certificates.
#[derive(Debug)]
pub struct Verifier {
    cache: ChainCache,
    allows_virtual: bool,
}

/// Says that the verifier itself runs without protection, and that evidence of its like is to be let through. Such
/// evidence proves nothing: anybody can make it.
#[derive(Debug, Clone, Copy)]
pub struct RunsAsVirtual;

/// What verified evidence proves.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven {
    /// What it comes from.
    pub platform: Platform,
    /// The processor's report and the chain; nothing of the sort for [`Platform::Virtual`].
    pub snp: Option<snp::Verified>,
    /// The endorsement of the utility VM, if there was one.
    pub uvm: Option<uvm::Endorsement>,
    /// The claims, by the names that policies use.
    pub claims: Claims,
    /// What it binds.
    pub bound: Bound,
    /// By what this evidence is known again, however it is written (D33): SHA-256 over the name of the platform, a zero
    /// byte, and SHA-256 of each thing that was signed. These are the first 672 bytes of the report; then, of a container
    /// with an endorsement, its `Sig_structure` (RFC 9052, section 4.4); of a virtual machine, the TPMS_ATTEST of its quote.
    /// Without protection nothing is signed, and measurement, host data and report data take their place.
    pub identity: Digest,
}

impl Verifier {
    /// A verifier that remembers at most `chains` chains, about 3 KiB each.
    #[must_use]
    pub fn new(chains: usize) -> Self {
        Self { cache: ChainCache::new(chains), allows_virtual: false }
    }

    /// The same, letting through evidence without protection.
    #[must_use]
    pub fn allowing_virtual(self, _: RunsAsVirtual) -> Self {
        Self { allows_virtual: true, ..self }
    }

    /// Verifies evidence. `trail` gets the checks that were passed, also when a later one fails; altogether they are
    /// [`Document::checks`].
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(&mut self, document: &Document, trail: &mut Trail) -> Result<Proven> {
        match document {
            Document::Caci(evidence) => self.container(evidence, trail),
            Document::Cvm(evidence) => self.machine(evidence, trail),
            Document::Virtual(evidence) => self.unprotected(evidence, trail),
        }
    }

    fn container(&mut self, evidence: &Caci, trail: &mut Trail) -> Result<Proven> {
        let endorsed_tcb = evidence.endorsed_tcb.as_deref();
        let snp_evidence = snp::Evidence { report: &evidence.report, chain: &evidence.chain, endorsed_tcb };
        let snp = snp::verify(&snp_evidence, &mut self.cache, trail)?;
        let uvm = evidence.uvm_endorsements.as_deref().map(|message| uvm::verify(message, trail)).transpose()?;
        if let Some(endorsement) = &uvm {
            trail.note(Check::UvmMeasurement, endorsement.check_measurement(&snp.report.measurement()))?;
        }
        let claims = claims::of_snp(&snp.report, uvm.as_ref());
        let bound = Bound::ReportData(hex::encode(snp.report.report_data()));
        let statements: Vec<Digest> =
            [Some(snp.report.statement()), uvm.as_ref().map(|one| one.statement)].into_iter().flatten().collect();
        let identity = identity::of(Platform::SnpCaci, &statements);
        Ok(Proven { platform: Platform::SnpCaci, snp: Some(snp), uvm, claims, bound, identity })
    }

    fn machine(&mut self, evidence: &Cvm, trail: &mut Trail) -> Result<Proven> {
        let evidence = cvm::Evidence {
            quote: &evidence.quote,
            hcl_report: &evidence.hcl_report,
            snp_report: evidence.snp_report.as_deref(),
            aik_certificate: evidence.aik_certificate.as_deref(),
            pcrs: &evidence.pcrs,
            nonce: &evidence.nonce,
            chain: &evidence.chain,
        };
        let verified = cvm::verify(&evidence, &mut self.cache, trail)?;
        let bound = Bound::UserData(verified.runtime_claims.user_data().map(str::to_owned));
        let claims = claims::of_cvm(&verified);
        let identity = identity::of(Platform::SnpCvm, &[verified.snp.report.statement(), verified.statement]);
        Ok(Proven { platform: Platform::SnpCvm, snp: Some(verified.snp), uvm: None, claims, bound, identity })
    }

    fn unprotected(&self, evidence: &Virtual, trail: &mut Trail) -> Result<Proven> {
        let expected = "evidence of protected memory, since this verifier does not run as virtual";
        trail.require(Check::VirtualAllowed, self.allows_virtual, expected, "evidence that anybody can make")?;
        let mut report_data = evidence.report_data.clone();
        report_data.resize(64, 0);
        let statements = [evidence.measurement.as_bytes(), &evidence.host_data, &report_data].map(sha256);
        let identity = identity::of(Platform::Virtual, &statements);
        let bound = Bound::ReportData(hex::encode(report_data));
        let claims = claims::of_virtual(evidence);
        Ok(Proven { platform: Platform::Virtual, snp: None, uvm: None, claims, bound, identity })
    }
}
