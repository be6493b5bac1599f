//! Evidence as it is written: the JSON shapes of the wire and of canned files (cgs-app 3.1, clients 2.2 and 6).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::{Check, Claims, Rejection, Result, Trail, claims, cvm, snp, uvm};

/// Most bytes of a document.
const MOST_BYTES: usize = 256 * 1024;

/// Evidence of one of the two kinds of SEV-SNP machines of Azure, or of any that has a report and a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// `snp-caci`: a report with its chain, and what endorses the utility VM.
    Caci(Caci),
    /// `snp-cvm`: a virtual machine with a virtual TPM.
    Cvm(Cvm),
}

/// Evidence of the platform `snp-caci`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caci {
    /// The report.
    pub report: Vec<u8>,
    /// The chain in PEM.
    pub chain: String,
    /// The endorsement of the utility VM.
    pub uvm_endorsements: Option<Vec<u8>>,
    /// The firmware versions that the endorsements are for.
    pub endorsed_tcb: Option<String>,
}

/// Evidence of the platform `snp-cvm`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cvm {
    /// The quote of the virtual TPM with its signature.
    pub quote: Vec<u8>,
    /// The paravisor's report.
    pub hcl_report: Vec<u8>,
    /// The processor's report beside it.
    pub snp_report: Option<Vec<u8>>,
    /// The certificate of the attestation key.
    pub aik_certificate: Option<Vec<u8>>,
    /// The registers by number.
    pub pcrs: BTreeMap<u8, [u8; 32]>,
    /// What the quote is to be over.
    pub nonce: Vec<u8>,
    /// The chain in PEM.
    pub chain: String,
}

/// What verified evidence proves.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The processor's report and the chain.
    pub snp: snp::Verified,
    /// The endorsement of the utility VM, for a container.
    pub uvm: Option<uvm::Endorsement>,
    /// The claims.
    pub claims: Claims,
    /// What the evidence binds, 64 bytes in lower-case hexadecimal digits: the report data, or what the guest of a virtual
    /// machine gave its paravisor.
    pub bound: Option<String>,
}

impl Document {
    /// Reads the JSON of a request, of an agent's answer or of a canned file.
    ///
    /// # Errors
    /// [`Check::DocumentFormat`]
    pub fn from_json(json: &[u8]) -> Result<Self> {
        if json.len() > MOST_BYTES {
            return Err(odd(format!("{} bytes, which is more than {MOST_BYTES}", json.len())));
        }
        let shape: Shape = serde_json::from_slice(json).map_err(odd)?;
        match shape {
            Shape::Canned { report: Canned::Container(part) } => part.read().map(Self::Caci),
            Shape::Canned { report: Canned::Machine(part) } | Shape::Machine(part) => part.read().map(Self::Cvm),
            Shape::Container(part) => part.read().map(Self::Caci),
        }
    }

    /// The name of the platform on the wire.
    #[must_use]
    pub fn platform(&self) -> &'static str {
        match self {
            Self::Caci(_) => "snp-caci",
            Self::Cvm(_) => "snp-cvm",
        }
    }

    /// Verifies the evidence. `trail` gets the checks that were passed, also when a later one fails.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(&self, cache: &mut snp::ChainCache, trail: &mut Trail) -> Result<Proven> {
        match self {
            Self::Caci(evidence) => evidence.verify(cache, trail),
            Self::Cvm(evidence) => evidence.verify(cache, trail),
        }
    }
}

impl Caci {
    fn verify(&self, cache: &mut snp::ChainCache, trail: &mut Trail) -> Result<Proven> {
        let endorsed_tcb = self.endorsed_tcb.as_deref().filter(|text| !text.is_empty());
        let evidence = snp::Evidence { report: &self.report, chain: &self.chain, endorsed_tcb };
        let snp = snp::verify(&evidence, cache, trail)?;
        let uvm = self.uvm_endorsements.as_deref().map(|message| uvm::verify(message, trail)).transpose()?;
        if let Some(endorsement) = &uvm {
            trail.note(Check::UvmMeasurement, endorsement.check_measurement(&snp.report.measurement()))?;
        }
        let claims = claims::of_snp(&snp.report, uvm.as_ref());
        let bound = Some(hex::encode(snp.report.report_data()));
        Ok(Proven { snp, uvm, claims, bound })
    }
}

impl Cvm {
    fn verify(&self, cache: &mut snp::ChainCache, trail: &mut Trail) -> Result<Proven> {
        let evidence = cvm::Evidence {
            quote: &self.quote,
            hcl_report: &self.hcl_report,
            snp_report: self.snp_report.as_deref(),
            aik_certificate: self.aik_certificate.as_deref(),
            pcrs: &self.pcrs,
            nonce: &self.nonce,
            chain: &self.chain,
        };
        let verified = cvm::verify(&evidence, cache, trail)?;
        let claims = claims::of_cvm(&verified);
        let bound = verified.runtime_claims.user_data().map(str::to_lowercase);
        Ok(Proven { snp: verified.snp, uvm: None, claims, bound })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Canned { report: Canned },
    Machine(MachineShape),
    Container(ContainerShape),
}

#[derive(Deserialize)]
enum Canned {
    #[serde(rename = "snpCACI")]
    Container(ContainerShape),
    #[serde(rename = "snpCvm")]
    Machine(MachineShape),
}

/// The field names of the wire, and those of canned files.
#[derive(Deserialize)]
struct ContainerShape {
    #[serde(alias = "attestation")]
    evidence: String,
    #[serde(alias = "platformCertificates")]
    endorsements: String,
    #[serde(default, alias = "uvmEndorsements")]
    uvm_endorsements: Option<String>,
    #[serde(default, alias = "endorsedTcb")]
    endorsed_tcb: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MachineShape {
    evidence: MachineEvidence,
    nonce: String,
    platform_certificates: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MachineEvidence {
    tpm_quote: String,
    hcl_report: String,
    #[serde(default)]
    snp_report: Option<String>,
    #[serde(default)]
    aik_cert: Option<String>,
    pcrs: BTreeMap<String, String>,
}

impl ContainerShape {
    fn read(self) -> Result<Caci> {
        let chain = decode("endorsements", &self.endorsements)?;
        let chain = String::from_utf8(chain).map_err(|_| odd("endorsements that are not text"))?;
        let uvm = self.uvm_endorsements.as_deref().filter(|text| !text.is_empty());
        Ok(Caci {
            report: decode("evidence", &self.evidence)?,
            chain,
            uvm_endorsements: uvm.map(|text| decode("uvm_endorsements", text)).transpose()?,
            endorsed_tcb: self.endorsed_tcb,
        })
    }
}

impl MachineShape {
    fn read(self) -> Result<Cvm> {
        let Self { evidence, nonce, platform_certificates } = self;
        let optional = |name, text: Option<String>| text.map(|text| decode(name, &text)).transpose();
        Ok(Cvm {
            quote: decode("tpmQuote", &evidence.tpm_quote)?,
            hcl_report: decode("hclReport", &evidence.hcl_report)?,
            snp_report: optional("snpReport", evidence.snp_report)?,
            aik_certificate: optional("aikCert", evidence.aik_cert)?,
            pcrs: evidence.pcrs.iter().map(register).collect::<Result<_>>()?,
            nonce: decode("nonce", &nonce)?,
            chain: platform_certificates,
        })
    }
}

/// A register by its number, written as JSON keys are: without zeros before it.
fn register((name, value): (&String, &String)) -> Result<(u8, [u8; 32])> {
    let number = name.parse::<u8>().ok().filter(|number| number.to_string() == *name);
    let number = number.ok_or_else(|| odd(format!("a register of the name {name:?}")))?;
    let value = decode("pcrs", value)?;
    let length = value.len();
    let value = value.try_into().map_err(|_| odd(format!("register {number} of {length} bytes; SHA-256 has 32")))?;
    Ok((number, value))
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|why| odd(format!("{name} that is not base64: {why}")))
}

fn odd(found: impl std::fmt::Display) -> Rejection {
    Rejection::new(
        Check::DocumentFormat,
        "evidence of a container or a virtual machine, JSON of at most 256 KiB",
        found,
    )
}
