//! The contract that the three agree on.

use serde_json::{Value, json};

/// Its name.
pub(super) const CONTRACT: &str = "sepsis-early-warning";

/// The first draft, by the provider of the solution.
pub(super) fn draft() -> Value {
    json!({
        "purpose": "Train an early-warning model for sepsis",
        "parties": {
            "solution": "Helio Insights",
            "data": "Ada Hospital",
            "model": "Birch Models"
        },
        "inputs": {
            "vitals-2025": { "from": "Ada Hospital", "use": "training only" },
            "birch-base-3": { "from": "Birch Models", "use": "fine-tuning" }
        },
        "output": { "to": ["Ada Hospital", "Helio Insights"], "what": "model weights" }
    })
}

/// What is deployed for it.
pub(super) fn spec() -> Value {
    json!({ "template": "confidential container group", "containers": ["sepsis-trainer:1.4"], "cpu": 8 })
}

/// Where it is deployed.
pub(super) fn info() -> Value {
    json!({ "where": "germany-west", "url": "https://sepsis.example" })
}

/// The amendment of the model's owner: the weights leave only in a form that does not reveal the base model.
pub(super) fn with_sealed_weights(mut contract: Value) -> Value {
    set(&mut contract, "/output", "what", json!("adapter weights; the base model stays sealed"));
    contract
}

/// The amendment of the data's owner: records are protected and deleted.
pub(super) fn with_privacy(mut contract: Value) -> Value {
    set(&mut contract, "/inputs/vitals-2025", "privacy", json!({ "epsilon": 1.0, "deletedAfterDays": 30 }));
    contract
}

fn set(contract: &mut Value, path: &str, name: &str, value: Value) {
    if let Some(object) = contract.pointer_mut(path).and_then(Value::as_object_mut) {
        object.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amendments_change_different_parts() {
        let both = with_privacy(with_sealed_weights(draft()));
        assert_eq!(both, with_sealed_weights(with_privacy(draft())));
        assert_ne!(both, with_privacy(draft()));
        assert_eq!(both["inputs"]["vitals-2025"]["privacy"]["deletedAfterDays"], 30);
    }
}
