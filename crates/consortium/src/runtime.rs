//! The limits of scripts that members have raised.

use std::time::Duration;

use constitution::{Budget, RuntimeLimits};
use kv::Tx;
use ledger::tables;
use serde_json::Value;

use crate::stored;

/// The limits that `js_runtime_options` asks for, within those of the sandbox. A record that asks for none, or makes no
/// sense, changes nothing: whatever it holds, members must be able to vote for another one.
pub(crate) fn limits(tx: &mut Tx) -> RuntimeLimits {
    let record: Option<Value> = stored::single(tx, tables::JS_RUNTIME_OPTIONS).ok().flatten();
    let asked = |name: &str| record.as_ref().and_then(|record| record.get(name)?.as_u64()).unwrap_or_default();
    RuntimeLimits::asked(asked("max_heap_bytes"), asked("max_stack_bytes"), asked("max_execution_time_ms"))
}

/// The time that all scripts of one request share (D41): `base`, or what the members have raised it to.
pub fn script_budget(tx: &mut Tx, base: Duration) -> Budget {
    let raised = limits(tx).time();
    Budget::new(if raised > RuntimeLimits::BASE.time() { base.max(raised) } else { base })
}

#[cfg(test)]
mod tests {
    use kv::{State, UNIT_KEY};
    use serde_json::json;

    use super::*;

    fn with(options: &str) -> Tx {
        let mut tx = Tx::new(State::default());
        tx.put(tables::JS_RUNTIME_OPTIONS, UNIT_KEY.to_vec(), options.to_owned());
        tx
    }

    #[test]
    fn what_was_voted_raises_the_limits() {
        let options = json!({
            "max_heap_bytes": 200 << 20, "max_stack_bytes": 1, "max_execution_time_ms": 2000, "return_exception_details": true
        });
        let limits = limits(&mut with(&options.to_string()));
        assert_eq!(limits, RuntimeLimits::asked(200 << 20, 0, 2000));
        let base = Duration::from_millis(1000);
        let budget = |options: &str| script_budget(&mut with(options), base).remaining();
        assert_eq!(budget(&options.to_string()), Duration::from_secs(2));
        assert_eq!(budget(r#"{"max_execution_time_ms":1}"#), base);
        assert_eq!(budget(r#"{"max_execution_time_ms":1000000}"#), Duration::from_secs(5));
        let patient = Duration::from_secs(3);
        assert_eq!(script_budget(&mut with(&options.to_string()), patient).remaining(), patient);
        assert_eq!(script_budget(&mut Tx::new(State::default()), Duration::from_millis(9)).remaining().as_millis(), 9);
    }

    #[test]
    fn records_without_sense_change_nothing() {
        for options in ["", "null", "[]", "{}", "7", r#"{"max_heap_bytes":-1}"#, r#"{"max_heap_bytes":"x"}"#, "\u{1}"] {
            assert_eq!(limits(&mut with(options)), RuntimeLimits::BASE, "{options}");
        }
    }
}
