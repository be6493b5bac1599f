//! Azure confidential virtual machines: a paravisor (*HCL*) below the guest gives it a virtual TPM. The processor's
//! report is about the paravisor and binds the *runtime claims*, in which is the key that the virtual TPM signs quotes
//! with; a quote binds the registers (PCRs), into which the guest's boot was measured.
//!
//! So what is proven goes: AMD's root, the report, the runtime claims, the quote, the registers. The certificate of the
//! attestation key is only looked at for being for that key: its issuers are not part of the evidence, and nothing
//! rests on it.
//!
//! Not proven by the registers is *which* paravisor that is: whoever owns a machine with SEV-SNP can launch one of their own,
//! which says what they like. So the claims of the paravisor (`paravisor-…`, [`crate::claims::PARAVISOR`]) stand beside the
//! registers, and a policy that trusts nobody's machine names one of them: the key of whoever makes the paravisor
//! (`paravisor-idkeydigest`), with a minimum of its version, or the launch measurement of one that was looked into.

mod hcl;
mod quote;

use std::collections::BTreeMap;

use crypto::{Certificate, Digest, sha256};

use crate::{
    Check, Rejection, Result, Trail,
    snp::{self, ChainCache},
};

pub use hcl::{RuntimeClaims, parts};
pub use quote::Quote;

/// Registers of a bank.
const REGISTERS: u8 = 24;
/// Most bytes of any one part.
const MOST_BYTES: usize = 64 * 1024;

/// What a machine sends, decoded from base64.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// TPM2B_ATTEST with the TPMT_SIGNATURE behind it.
    pub quote: &'a [u8],
    /// The paravisor's report: the processor's report with the runtime claims.
    pub hcl_report: &'a [u8],
    /// The processor's report once more, as it was sent beside. Absent, the one in the HCL report is the only one.
    pub snp_report: Option<&'a [u8]>,
    /// The certificate of the attestation key, DER, with zeros behind it as it stands in the TPM. It may be absent.
    pub aik_certificate: Option<&'a [u8]>,
    /// The registers by number: values of the bank of SHA-256.
    pub pcrs: &'a BTreeMap<u8, [u8; 32]>,
    /// What the quote is to be over.
    pub nonce: &'a [u8],
    /// The processor's chain in PEM.
    pub chain: &'a str,
}

/// A machine whose registers are proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The processor's report, about the paravisor.
    pub snp: snp::Verified,
    /// What the paravisor says.
    pub runtime_claims: RuntimeClaims,
    /// The registers by number.
    pub pcrs: BTreeMap<u8, [u8; 32]>,
    /// SHA-256 over the bytes of the quote that its virtual TPM has signed.
    pub statement: Digest,
}

/// Verifies evidence. `trail` gets the checks that were passed, also when a later one fails.
///
/// # Errors
/// The first check that fails.
pub fn verify(evidence: &Evidence<'_>, cache: &mut ChainCache, trail: &mut Trail) -> Result<Verified> {
    trail.note(Check::CvmFormat, check_format(evidence))?;
    let (report, claims) = trail.note(Check::HclReport, hcl::parts(evidence.hcl_report, evidence.snp_report))?;
    let snp_evidence = snp::Evidence { report, chain: evidence.chain, endorsed_tcb: None };
    let snp = snp::verify(&snp_evidence, cache, trail)?;
    conclude(evidence, claims, snp, trail)
}

/// What rests on the processor's report.
pub(crate) fn conclude(
    evidence: &Evidence<'_>,
    claims: &[u8],
    snp: snp::Verified,
    trail: &mut Trail,
) -> Result<Verified> {
    trail.note(Check::HclPrivilege, hcl::check_privilege(&snp.report))?;
    trail.note(Check::HclBinding, hcl::check_binding(claims, &snp.report))?;
    let runtime_claims = trail.note(Check::HclClaims, RuntimeClaims::parse(claims))?;
    if let Some(certificate) = evidence.aik_certificate {
        trail.note(Check::AikCertificate, check_aik(certificate, &runtime_claims))?;
    }
    let quote = check_quote(evidence, &runtime_claims, trail)?;
    Ok(Verified { snp, runtime_claims, pcrs: evidence.pcrs.clone(), statement: sha256(quote.attest()) })
}

/// The checks that [`verify`] makes, in order.
pub(crate) fn checks(has_aik_certificate: bool) -> impl Iterator<Item = Check> {
    use Check::{
        AikCertificate, CvmFormat, HclBinding, HclClaims, HclPrivilege, HclReport, QuoteDigest, QuoteFormat,
        QuoteNonce, QuoteSelection, QuoteSignature,
    };
    let aik = [AikCertificate].into_iter().filter(move |_| has_aik_certificate);
    let paravisor = [HclPrivilege, HclBinding, HclClaims];
    let quote = [QuoteFormat, QuoteSignature, QuoteNonce, QuoteSelection, QuoteDigest];
    let head = [CvmFormat, HclReport].into_iter();
    head.chain(snp::checks(false)).chain(paravisor).chain(aik).chain(quote)
}

fn check_format(evidence: &Evidence<'_>) -> Result<()> {
    let parts = [
        ("quote", evidence.quote.len()),
        ("HCL report", evidence.hcl_report.len()),
        ("processor's report", evidence.snp_report.map_or(0, <[u8]>::len)),
        ("certificate of the attestation key", evidence.aik_certificate.map_or(0, <[u8]>::len)),
        ("nonce", evidence.nonce.len()),
    ];
    let too_long = parts.iter().find(|(_, length)| *length > MOST_BYTES);
    let too_high = evidence.pcrs.keys().find(|number| **number >= REGISTERS);
    let found = match (too_long, too_high) {
        (Some((name, length)), _) => format!("a {name} of {length} bytes"),
        (None, Some(number)) => format!("register {number}"),
        (None, None) if evidence.pcrs.is_empty() => "no register".into(),
        (None, None) if evidence.nonce.is_empty() => "an empty nonce".into(),
        (None, None) => return Ok(()),
    };
    let expected = "parts of at most 64 KiB, a nonce, and registers from 0 to 23";
    Err(Rejection::new(Check::CvmFormat, expected, found))
}

fn check_aik(padded: &[u8], claims: &RuntimeClaims) -> Result<()> {
    let odd =
        |found: String| Rejection::new(Check::AikCertificate, "a certificate for the key in the runtime claims", found);
    let der = hcl::der_prefix(padded).ok_or_else(|| odd("no DER with zeros behind it".into()))?;
    let certificate = Certificate::from_der(der).map_err(|why| odd(why.to_string()))?;
    let is_same = certificate.spki_der() == claims.attestation_key().spki_der();
    if is_same { Ok(()) } else { Err(odd("one for another key".into())) }
}

fn check_quote<'a>(evidence: &Evidence<'a>, claims: &RuntimeClaims, trail: &mut Trail) -> Result<Quote<'a>> {
    let quote = trail.note(Check::QuoteFormat, quote::Quote::parse(evidence.quote))?;
    trail.note(Check::QuoteSignature, quote.check_signature(claims.attestation_key()))?;
    trail.note(Check::QuoteNonce, quote.check_nonce(evidence.nonce))?;
    trail.note(Check::QuoteSelection, quote.check_selection(evidence.pcrs.keys().copied()))?;
    trail.note(Check::QuoteDigest, quote.check_digest(evidence.pcrs.values()))?;
    Ok(quote)
}
