//! What a script is asked, and what comes back.

use serde::{Deserialize, Serialize};

use crate::RuntimeLimits;

/// One function of one module, to be called in a fresh interpreter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Name of the module in traces and error texts, such as `public:ccf.gov.constitution[0]`.
    pub module_name: String,
    /// Source text of the ES module.
    pub module_text: String,
    /// Name of the exported function that is called.
    pub function: String,
    /// Arguments, turned into JavaScript values as `JSON.parse` would.
    pub arguments: Vec<serde_json::Value>,
    /// What the script may do with tables.
    pub context: Context,
    /// What `Date` shows (D39): milliseconds since 1970 of the request that is being decided.
    pub created_at_ms: i64,
    /// Seed of `Math.random` (D39).
    pub seed: [u8; 32],
    /// Memory that the script may use.
    pub limits: RuntimeLimits,
}

/// What a script may do with tables (ccf-substrate 8.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Context {
    /// `validate`, `resolve` and ballots: they read the governance and internal tables.
    ReadOnly,
    /// `apply`: it also writes the governance tables and the public tables of the application.
    Apply,
}

/// What a script returned and what it wants to happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The returned value as `JSON.stringify` shows it; `undefined` is `Null`.
    pub value: serde_json::Value,
    /// The last value written to each key, ordered by table and key. Empty for [`Context::ReadOnly`].
    pub writes: Vec<TableWrite>,
    /// What the service carries out after the script, in the order asked. Empty for [`Context::ReadOnly`].
    pub effects: Vec<Effect>,
}

/// One key that a script wrote or, with no value, removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableWrite {
    /// Full name of the table, such as `public:ccf.gov.members.info`.
    pub table: String,
    /// The key.
    pub key: Vec<u8>,
    /// The new value; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

/// A certificate that a script in `apply` asks for and goes on with: unlike an [`Effect`], it is made at once.
///
/// It holds a random serial and signature, so another run makes another one: whoever computes a decision again takes the
/// certificate from the record, and checks it (D39).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CertificateRequest {
    /// For the key of a node, endorsed by the service.
    Endorsed {
        /// Certificate signing request, PEM.
        request: String,
        /// When it begins to be valid, as the script wrote it.
        valid_from: String,
        /// For how many days.
        days: u32,
    },
    /// The certificate of the service itself, for its key and subject.
    Network {
        /// When it begins to be valid, as the script wrote it.
        valid_from: String,
        /// For how many days.
        days: u32,
    },
}

impl CertificateRequest {
    /// The bytes of its texts.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Endorsed { request, valid_from, .. } => request.len() + valid_from.len(),
            Self::Network { valid_from, .. } => valid_from.len(),
        }
    }
}

/// Something only the service can do, asked for by a `ccf.node` function in `apply`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Effect {
    /// Open the service, or end its recovery.
    TransitionServiceToOpen {
        /// PEM certificate of the service before a recovery.
        previous: Option<String>,
        /// PEM certificate of the service that is opened.
        next: String,
    },
    /// Start a new ledger secret.
    RekeyLedger,
    /// Issue new recovery shares.
    RefreshRecoveryShares,
    /// Close the ledger chunk after this transaction.
    ChunkLedger,
    /// Write a snapshot after this transaction.
    Snapshot,
    /// Replace all keys that an issuer of JWTs signs with.
    SetJwtPublicSigningKeys {
        /// The issuer.
        issuer: String,
        /// A JWK set (RFC 7517, section 5) as the script gave it.
        jwks: serde_json::Value,
    },
    /// Remove all keys that an issuer of JWTs signs with.
    RemoveJwtPublicSigningKeys {
        /// The issuer.
        issuer: String,
    },
}

impl Effect {
    /// The bytes that it brings from the script.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::TransitionServiceToOpen { previous, next } => previous.as_ref().map_or(0, String::len) + next.len(),
            Self::SetJwtPublicSigningKeys { issuer, jwks } => issuer.len() + jwks.to_string().len(),
            Self::RemoveJwtPublicSigningKeys { issuer } => issuer.len(),
            Self::RekeyLedger | Self::RefreshRecoveryShares | Self::ChunkLedger | Self::Snapshot => 0,
        }
    }
}
