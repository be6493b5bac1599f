//! What a reference node has and this one does not, answered as by one that has none of it.

use api::{ApiError, Input, Output};
use constitution::RuntimeLimits;
use kv::UNIT_KEY;
use serde_json::{Value, json};

use super::{json, not_found, of_state, reading, tell};
use crate::{inside::Inside, reply::Answered};

/// `GET /node/js_metrics`: scripts are compiled for each call, and no interpreter is kept for another one.
pub(crate) fn js_metrics(inside: &Inside, _: &Input) -> Answered {
    let tx = reading(inside);
    let stored = tx.base().get(::ledger::tables::JS_RUNTIME_OPTIONS, &UNIT_KEY);
    let stored = stored.and_then(|stored| serde_json::from_slice::<Value>(&stored.value).ok()).unwrap_or_default();
    let asked = |name: &str| stored.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (heap, stack, time) = (asked("max_heap_bytes"), asked("max_stack_bytes"), asked("max_execution_time_ms"));
    let limits = RuntimeLimits::asked(heap, stack, time);
    let body = json!({
        "bytecode_size": 0,
        "bytecode_used": false,
        "max_cached_interpreters": 0,
        "max_execution_time": u64::try_from(limits.time().as_millis()).unwrap_or(u64::MAX),
        "max_heap_size": limits.heap_bytes(),
        "max_stack_size": limits.stack_bytes(),
    });
    of_state(json(&body), &tx)
}

/// `GET /node/index/strategies`: what is looked up is kept up to date with each commit, not by a strategy that lags.
pub(crate) fn index_strategies(_: &Inside, _: &Input) -> Answered {
    tell(json(&json!([])))
}

/// `GET` and `HEAD /node/snapshot?since=`: no snapshots are taken yet.
pub(crate) fn latest_snapshot(_: &Inside, input: &Input) -> Answered {
    Err(no_snapshot_since(input.query.get("since")))
}

fn no_snapshot_since(since: Option<&str>) -> ApiError {
    let wrong = |text: &str| {
        let text = format!("Unable to parse value '{text}' in parameter 'since'");
        ApiError::bad_request("InvalidQueryParameterValue", text)
    };
    match since.map_or(Ok(0), |text| text.parse::<u64>().map_err(|_| wrong(text))) {
        Ok(since) => not_found(format!("This node has no committed snapshots since {since}")),
        Err(error) => error,
    }
}

/// `GET` and `HEAD /node/snapshot/{snapshot_name}`
pub(crate) fn snapshot(_: &Inside, input: &Input) -> Answered {
    let name = input.param("snapshot_name");
    Err(not_found(format!("This node does not have a snapshot named {name}")))
}

/// `DELETE /node/network/nodes/{node_id}`
pub(crate) fn remove_node(tx: &mut kv::Tx, _: &api::Caller, input: &Input) -> Result<Output, ApiError> {
    consortium::nodes::remove(tx, input.param("node_id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_snapshots() {
        let error = no_snapshot_since(None);
        assert_eq!((error.status, error.code), (404, "ResourceNotFound"));
        assert_eq!(error.message, "This node has no committed snapshots since 0");
        assert!(no_snapshot_since(Some("17")).message.ends_with("since 17"));
        assert_eq!(no_snapshot_since(Some("-1")).code, "InvalidQueryParameterValue");
    }
}
