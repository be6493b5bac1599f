//! Evidence as it is written: the JSON shapes of the wire and of canned files (cgs-app 3.1, clients 2.2 and 6).

mod shapes;

use std::{collections::BTreeMap, fmt};

use serde_json::Value;
use unique_json::from_unique_json;

use crate::{Check, Rejection, Result, cvm, snp};

/// Most bytes of a document.
const MOST_BYTES: usize = 256 * 1024;

/// What evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// A container of Azure, or any machine that sends a report and a chain.
    SnpCaci,
    /// A confidential virtual machine of Azure.
    SnpCvm,
    /// A process without any protection.
    Virtual,
}

impl Platform {
    /// All platforms.
    pub const ALL: [Self; 3] = [Self::SnpCaci, Self::SnpCvm, Self::Virtual];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SnpCaci => "snp-caci",
            Self::SnpCvm => "snp-cvm",
            Self::Virtual => "virtual",
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Evidence that was read and not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// A report with its chain, and what endorses the utility VM.
    Caci(Caci),
    /// A virtual machine with a virtual TPM.
    Cvm(Cvm),
    /// What a process says about itself.
    Virtual(Virtual),
}

/// Evidence of [`Platform::SnpCaci`].
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

/// Evidence of [`Platform::SnpCvm`].
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

/// Evidence of [`Platform::Virtual`]: nobody has signed it, so it proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Virtual {
    /// What the process calls its measurement.
    pub measurement: String,
    /// What it calls its host data, 32 bytes.
    pub host_data: [u8; 32],
    /// What it binds, at most 64 bytes; of a node, SHA-256 of its public key.
    pub report_data: Vec<u8>,
}

impl Document {
    /// Reads the JSON of a request, of an agent's answer, of a canned file, or of a node without protection. Which of
    /// these it is shows in its members.
    ///
    /// # Errors
    /// [`Check::DocumentFormat`]
    pub fn from_json(json: &[u8]) -> Result<Self> {
        if json.len() > MOST_BYTES {
            return Err(odd(format!("{} bytes, which is more than {MOST_BYTES}", json.len())));
        }
        shapes::read(from_unique_json(json).map_err(odd)?)
    }

    /// Reads the `attestation` of a request that says which platform it comes from.
    ///
    /// # Errors
    /// [`Check::DocumentFormat`], also for evidence of another platform.
    pub fn of_platform(platform: Platform, attestation: Value) -> Result<Self> {
        match platform {
            Platform::SnpCaci => shapes::container(attestation).map(Self::Caci),
            Platform::SnpCvm => shapes::machine(attestation).map(Self::Cvm),
            Platform::Virtual => shapes::unprotected(attestation).map(Self::Virtual),
        }
    }

    /// What it comes from.
    #[must_use]
    pub fn platform(&self) -> Platform {
        match self {
            Self::Caci(_) => Platform::SnpCaci,
            Self::Cvm(_) => Platform::SnpCvm,
            Self::Virtual(_) => Platform::Virtual,
        }
    }

    /// The checks that are made about it, in their order.
    #[must_use]
    pub fn checks(&self) -> Vec<Check> {
        use Check::{UvmChain, UvmFormat, UvmIssuer, UvmMeasurement, UvmPayload, UvmSignature};
        match self {
            Self::Caci(Caci { uvm_endorsements, endorsed_tcb, .. }) => {
                let uvm = [UvmFormat, UvmChain, UvmIssuer, UvmSignature, UvmPayload, UvmMeasurement];
                let uvm = uvm.into_iter().filter(|_| uvm_endorsements.is_some());
                snp::checks(endorsed_tcb.is_some()).chain(uvm).collect()
            }
            Self::Cvm(Cvm { aik_certificate, .. }) => cvm::checks(aik_certificate.is_some()).collect(),
            Self::Virtual(_) => vec![Check::VirtualAllowed],
        }
    }
}

fn odd(found: impl fmt::Display) -> Rejection {
    let expected = "evidence of a container, a virtual machine or a virtual node, JSON of at most 256 KiB";
    Rejection::new(Check::DocumentFormat, expected, found)
}
