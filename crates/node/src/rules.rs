//! The rules that a service is to be founded with, before it is founded with them.

use constitution::{Budget, Call, Context, Engine, RuntimeLimits, Tables};

use crate::{NodeError, config::Start, found};

/// Checks that the constitution of a new service can be loaded and has what governance calls (D3, at founding too).
pub(crate) fn check(engine: &dyn Engine, start: &Start, mut budget: Budget) -> Result<(), NodeError> {
    let call = Call {
        module_name: "founding".into(),
        module_text: "export function check(text) { ccf.gov.validateConstitution(text) }".into(),
        function: "check".into(),
        arguments: vec![found::constitution(start)?.into()],
        context: Context::ReadOnly,
        created_at_ms: 0,
        seed: [0; 32],
        limits: RuntimeLimits::BASE,
    };
    let checked = engine.run("founding", &call, &mut NoTables, &mut budget);
    checked.map(|_| ()).map_err(|why| NodeError::Constitution { why: why.to_string() })
}

/// There is no ledger yet.
struct NoTables;

impl Tables for NoTables {
    fn get(&mut self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn entries(&mut self, _: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        Vec::new()
    }

    fn written(&mut self, _: &str, _: &[u8]) -> Option<u64> {
        None
    }
}
