//! What a script is asked, and what comes back.

use serde::{Deserialize, Serialize};

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
}
