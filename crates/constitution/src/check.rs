use crate::{Budget, Call, Context, Engine, RuntimeLimits, ScriptError, Tables};

/// Loads a constitution as governance would: it must compile and export what is called (D3). `who` is whose turn it is, and
/// what traces call the caller.
///
/// # Errors
/// What is wrong with the text, or why it cannot be tried.
pub fn check_constitution(engine: &dyn Engine, who: &str, text: &str, budget: &mut Budget) -> Result<(), ScriptError> {
    let call = Call {
        module_name: who.to_owned(),
        module_text: "export function check(text) { ccf.gov.validateConstitution(text) }".to_owned(),
        function: "check".to_owned(),
        arguments: vec![text.into()],
        context: Context::ReadOnly,
        limits: RuntimeLimits::BASE,
        created_at_ms: 0,
        seed: [0; 32],
    };
    engine.run(who, &call, &mut NoTables, budget).map(drop)
}

/// There is no ledger that the rules belong to.
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
