//! A pool of real script hosts, and tables in memory.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

pub mod consortium;
pub mod operated;

use std::{collections::BTreeMap, ffi::OsString};

use constitution::{Budget, Call, Context, Engine, Outcome, Pool, PoolOptions, RuntimeLimits, ScriptError, Tables};

pub fn options() -> PoolOptions {
    PoolOptions::new(env!("CARGO_BIN_EXE_script-host"), Vec::<OsString>::new())
}

pub fn pool() -> Pool {
    Pool::new(options()).unwrap()
}

/// A call of `f` in a module.
pub fn call(module_text: &str) -> Call {
    Call {
        module_name: "test[0]".to_owned(),
        module_text: module_text.to_owned(),
        function: "f".to_owned(),
        arguments: Vec::new(),
        context: Context::ReadOnly,
        created_at_ms: 0,
        seed: [0; 32],
        limits: RuntimeLimits::BASE,
    }
}

/// A call of a function with this body.
pub fn body(text: &str) -> Call {
    call(&format!("export function f() {{ {text} }}"))
}

pub fn run(call: &Call) -> Result<Outcome, ScriptError> {
    run_in(&pool(), call, &mut Memory::default())
}

pub fn run_in(pool: &Pool, call: &Call, tables: &mut Memory) -> Result<Outcome, ScriptError> {
    pool.run("member", call, tables, &mut Budget::default())
}

/// The text of the exception that a script must have thrown.
pub fn threw(result: Result<Outcome, ScriptError>) -> String {
    match result {
        Err(ScriptError::Threw { reason, .. }) => reason,
        other => panic!("expected an exception, got {other:?}"),
    }
}

/// Tables in memory; whatever is there was written at seqno 7.
#[derive(Clone, Default)]
pub struct Memory(pub BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>);

impl Memory {
    pub fn put(&mut self, table: &str, key: &[u8], value: &[u8]) {
        self.0.entry(table.to_owned()).or_default().insert(key.to_vec(), value.to_vec());
    }

    /// Carries out what a script wrote.
    pub fn apply(&mut self, outcome: &Outcome) {
        for write in &outcome.writes {
            let table = self.0.entry(write.table.clone()).or_default();
            match &write.value {
                Some(value) => table.insert(write.key.clone(), value.clone()),
                None => table.remove(&write.key),
            };
        }
    }
}

impl Tables for Memory {
    fn get(&mut self, table: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get(table)?.get(key).cloned()
    }

    fn entries(&mut self, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.get(table).into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn written(&mut self, table: &str, key: &[u8]) -> Option<u64> {
        self.0.get(table)?.get(key).map(|_| 7)
    }
}
