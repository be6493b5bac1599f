use std::time::Duration;

use api::ApiError;
use constitution::{Budget, Call, CertificateRequest, Context, Engine, Outcome, ScriptError, TableWrite, Tables};
use kv::Tx;
use serde_json::Value;

use crate::{
    ServiceContext,
    effects::{self, Issuer},
    proposals::Failure,
    runtime, service,
};

/// The module name of the constitution in traces (CCF).
const CONSTITUTION_MODULE: &str = "public:ccf.gov.constitution[0]";
/// Prefix of the tables that governance scripts may read and, in `apply`, write.
const GOVERNANCE: &str = "public:ccf.gov.";
/// Prefix of the tables that governance scripts may read.
const INTERNAL: &str = "public:ccf.internal.";
/// Prefixes of public tables that no script may write: CCF's own and those that this service keeps about itself.
const RESERVED: [&str; 2] = ["public:ccf.", "public:cgs."];
/// How long a caller waits before it tries again when all script hosts are busy.
const BUSY_RETRY_SECONDS: &str = "1";

/// What runs the scripts of one request, and how much it may still use.
pub struct Scripts<'a> {
    /// The sandbox.
    pub engine: &'a dyn Engine,
    /// Shared by all scripts of the request (D41).
    pub budget: &'a mut Budget,
}

/// Whose request is being decided and when it says it was made: `Date` in scripts (D39).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) member_id: &'a str,
    /// Seconds since 1970.
    pub(crate) created_at: i64,
    /// `Math.random` in scripts (D39).
    pub(crate) seed: [u8; 32],
}

impl Scripts<'_> {
    /// Calls a function of the constitution that decides something: `validate` or `resolve`.
    pub(crate) fn constitution(
        &mut self,
        tx: &mut Tx,
        request: Request<'_>,
        function: &str,
        arguments: Vec<Value>,
    ) -> Result<Outcome, Fault> {
        let module = constitution_module(tx)?;
        self.run(tx, request, module, function, arguments, None)
    }

    /// Calls `apply` of the constitution, which may write and ask for certificates.
    pub(crate) fn apply(
        &mut self,
        tx: &mut Tx,
        request: Request<'_>,
        arguments: Vec<Value>,
        context: &ServiceContext<'_>,
    ) -> Result<Outcome, Fault> {
        let module = constitution_module(tx)?;
        self.run(tx, request, module, "apply", arguments, Some(context.issuer))
    }

    /// Calls `vote` of a ballot, given as module name and text, with at most `share` of the budget.
    pub(crate) fn ballot(
        &mut self,
        tx: &mut Tx,
        request: Request<'_>,
        module: (String, String),
        arguments: Vec<Value>,
        share: Duration,
    ) -> Result<Outcome, Fault> {
        let mut own = Budget::new(share.min(self.budget.remaining()));
        let given = own.remaining();
        let mut scripts = Scripts { engine: self.engine, budget: &mut own };
        let outcome = scripts.run(tx, request, module, "vote", arguments, None);
        self.budget.spend(given.saturating_sub(own.remaining()));
        outcome
    }

    fn run(
        &mut self,
        tx: &mut Tx,
        request: Request<'_>,
        (module_name, module_text): (String, String),
        function: &str,
        arguments: Vec<Value>,
        issuer: Option<&dyn Issuer>,
    ) -> Result<Outcome, Fault> {
        let call = Call {
            module_name,
            module_text,
            function: function.into(),
            arguments,
            context: if issuer.is_some() { Context::Apply } else { Context::ReadOnly },
            created_at_ms: request.created_at.saturating_mul(1000),
            seed: request.seed,
            limits: runtime::limits(tx),
        };
        let outcome = self.engine.run(request.member_id, &call, &mut TxTables { tx, issuer }, self.budget);
        outcome.map_err(Fault::from)
    }
}

/// Name and text of the constitution as a module.
fn constitution_module(tx: &mut Tx) -> Result<(String, String), Fault> {
    let text = service::constitution_text(tx).map_err(|why| Fault::Service(why.into()))?;
    Ok((CONSTITUTION_MODULE.into(), text))
}

/// Why a script gave no result.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The script's own fault.
    Script(Failure),
    /// The script's own fault: it used more time or memory than it may.
    Limit(Failure),
    /// The script cannot be started: it does not compile or lacks the function.
    Unusable(String),
    /// Not the script's fault: nothing must be decided.
    Service(ApiError),
}

impl From<ScriptError> for Fault {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Threw { reason, trace } => Self::Script(Failure { reason, trace }),
            ScriptError::Compile { reason } => Self::Unusable(format!("does not compile: {reason}")),
            ScriptError::MissingExport { name } => Self::Unusable(format!("does not export a function '{name}'")),
            ScriptError::Busy { .. } | ScriptError::Starved => Self::Service(busy(&error)),
            limit if limit.is_limit() => Self::Limit(Failure { reason: limit.to_string(), trace: None }),
            other => Self::Service(ApiError::internal(other.to_string())),
        }
    }
}

fn busy(error: &ScriptError) -> ApiError {
    ApiError::new(503, "TooManyPendingTransactions", error.to_string()).with_header("retry-after", BUSY_RETRY_SECONDS)
}

/// Makes the writes of a script those of the transaction.
///
/// The sandbox refuses most other tables already; this is the rule on this side of the pipe, which also keeps scripts
/// away from what the service records about itself.
pub(crate) fn take_writes(tx: &mut Tx, writes: Vec<TableWrite>) -> Result<(), Fault> {
    for TableWrite { table, key, value } in writes {
        let reserved = RESERVED.iter().any(|prefix| table.starts_with(prefix));
        if !kv::is_public(&table) || (reserved && !table.starts_with(GOVERNANCE)) {
            let reason = format!("TypeError: Cannot write to table {table}, which is written by the service only.");
            return Err(Fault::Script(Failure { reason, trace: None }));
        }
        match value {
            Some(value) => tx.put(&table, key, value),
            None => tx.remove(&table, key),
        }
    }
    Ok(())
}

/// The tables of a transaction as scripts see them: governance and internal tables, nothing of the application and
/// nothing private. In `apply` it also makes certificates.
struct TxTables<'a> {
    tx: &'a mut Tx,
    issuer: Option<&'a dyn Issuer>,
}

fn is_readable(table: &str) -> bool {
    table.starts_with(GOVERNANCE) || table.starts_with(INTERNAL)
}

impl Tables for TxTables<'_> {
    fn get(&mut self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        is_readable(table).then(|| self.tx.get(table, key)).flatten().map(|value| value.to_vec())
    }

    fn entries(&mut self, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let entries = if is_readable(table) { self.tx.entries(table) } else { Vec::new() };
        entries.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    fn written(&mut self, table: &str, key: &[u8]) -> Option<u64> {
        is_readable(table).then(|| self.tx.written(table, key)).flatten().map(|written| written.seqno)
    }

    fn certificate(&mut self, wanted: &CertificateRequest) -> Result<String, String> {
        let issuer = self.issuer.ok_or_else(|| "certificates are made in apply only".to_owned())?;
        effects::make_certificate(self.tx, wanted, issuer).map_err(|why| why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use kv::{State, TxId, WriteSet};
    use ledger::tables;

    use super::*;
    use crate::{OPEN_PROPOSALS, RESUME_MODE};

    #[test]
    fn scripts_see_governance_and_internal_tables_only() {
        let mut writes = WriteSet::default();
        for table in ["public:ccf.gov.a", "public:ccf.internal.a", "public:app", "public:cgs.a", "secrets"] {
            writes.put(table, "k", "v");
        }
        let mut state = State::default();
        state.apply(TxId::new(2, 7), &writes);
        let mut tx = Tx::new(state);
        let mut tables = TxTables { tx: &mut tx, issuer: None };
        for (table, seen) in
            [("public:ccf.gov.a", true), ("public:ccf.internal.a", true), ("public:app", false), ("secrets", false)]
        {
            assert_eq!(tables.get(table, b"k").is_some(), seen, "{table}");
            assert_eq!(tables.entries(table).len(), usize::from(seen), "{table}");
            assert_eq!(tables.written(table, b"k"), seen.then_some(7), "{table}");
        }
    }

    #[test]
    fn scripts_write_governance_and_application_tables_only() {
        let write = |table: &str| {
            let mut tx = Tx::new(State::default());
            let write = TableWrite { table: table.into(), key: b"k".to_vec(), value: Some(b"v".to_vec()) };
            take_writes(&mut tx, vec![write]).is_ok() && tx.has(table, b"k")
        };
        assert!(write("public:ccf.gov.members.info") && write("public:contracts"));
        for table in
            [OPEN_PROPOSALS, tables::RECOVERY_SHARES, RESUME_MODE, "public:cgs.resumes", "secrets", "public:ccf.other"]
        {
            assert!(!write(table), "{table}");
        }
    }
}
