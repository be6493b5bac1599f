use api::{Body, Output};
use serde_json::{Map, Value};

/// JSON text as the reference writes what does not come from a script: compact, members sorted bytewise.
pub(crate) fn sorted_text(value: &Value) -> String {
    sorted(value).to_string()
}

/// 200 with such a text.
pub(crate) fn answer(value: &Value) -> Output {
    Output::new(200, Body::Json(sorted_text(value)))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut names: Vec<(&String, &Value)> = members.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            Value::Object(names.into_iter().map(|(name, item)| (name.clone(), sorted(item))).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_sorted_bytewise_at_every_depth() {
        let value = json!({"b": [{"z": 1, "Z": 2}], "a": {"é": "世", "e": 1.0}});
        assert_eq!(sorted_text(&value), r#"{"a":{"e":1.0,"é":"世"},"b":[{"Z":2,"z":1}]}"#);
    }
}
