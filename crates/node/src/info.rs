//! Who a node is, and what it shows to prove it.

use std::sync::{Arc, atomic::AtomicBool};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use consortium::genesis::ResumeMode;
use crypto::PublicKey;
use serde_json::{Value, json};

use crate::{certificates::Certificates, config::Config};

/// What virtual nodes claim to be measured as (CCF).
pub const VIRTUAL_MEASUREMENT: &str = "Insecure hard-coded virtual measurement v1";
/// What virtual nodes claim as host data: SHA-256 of nothing, since there is no policy that a host could enforce.
pub const VIRTUAL_HOST_DATA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The attestation of a node, as the endpoints of CCF show it.
#[derive(Debug, Clone)]
pub struct Quote {
    /// `Insecure_Virtual` or `AMD_SEV_SNP_v1`.
    pub format: &'static str,
    /// The evidence.
    pub raw: Vec<u8>,
    /// Certificates that endorse the evidence; empty on `virtual`.
    pub endorsements: Vec<u8>,
    /// Hex of what was measured.
    pub measurement: String,
}

impl Quote {
    /// The quote of a node that runs without hardware protection: it proves nothing, and says so.
    #[must_use]
    pub fn of_virtual(node: &PublicKey) -> Self {
        let evidence = json!({
            "host_data": VIRTUAL_HOST_DATA,
            "measurement": VIRTUAL_MEASUREMENT,
            "report_data": STANDARD.encode(crypto::sha256(node.spki_der())),
        });
        Self {
            format: "Insecure_Virtual",
            raw: evidence.to_string().into_bytes(),
            endorsements: Vec::new(),
            measurement: hex::encode(VIRTUAL_MEASUREMENT),
        }
    }

    /// The `quote_info` of the node's record in `nodes.info`.
    #[must_use]
    pub fn record(&self) -> Value {
        json!({
            "endorsements": STANDARD.encode(&self.endorsements),
            "format": self.format,
            "quote": STANDARD.encode(&self.raw),
        })
    }
}

/// Who this node is and how it runs.
#[derive(Debug, Clone)]
pub struct NodeInfo {
    /// Hex SHA-256 of the node's public key.
    pub node_id: String,
    /// The certificates of the service and the node, as they are shown now.
    pub certificates: Arc<Certificates>,
    /// The node's attestation.
    pub quote: Quote,
    /// How the service resumes after a restart, as it was founded (D31).
    pub resume: ResumeMode,
    /// Hex SHA-256 of the running binary.
    pub build_digest: String,
    /// The last seqno when the node started; 0 for a new service.
    pub startup_seqno: u64,
    /// The configuration that the node was started with.
    pub config: Arc<Config>,
    /// Whether the node was told that it is going to be stopped.
    pub stop_notice: Arc<AtomicBool>,
}

/// The name of the application in `GET /app/version` and in the ledger.
pub const APPLICATION_NAME: &str = "cgs";
