use api::{ApiError, to_js_text};
use serde_json::Value;

use crate::body::invalid;

/// Refuses labels that are no map of names to plain values. Null stands for no labels.
///
/// # Errors
/// 400 `InvalidInput` that names the label.
pub(super) fn check(labels: &Value) -> Result<(), ApiError> {
    let Some(labels) = labels.as_object() else {
        return if labels.is_null() { Ok(()) } else { Err(invalid("labels must be an object of names and values.")) };
    };
    let plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    match labels.iter().find(|(_, value)| !plain(value)) {
        Some((name, _)) => Err(invalid(format!("The label {name} must be a string, a number or a boolean."))),
        None => Ok(()),
    }
}

/// What labels are asked for: `name:value`, and others behind commas.
pub(super) struct Selector(Vec<(String, String)>);

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// 400 `InvalidParameter`.
    pub(super) fn parse(text: &str) -> Result<Self, ApiError> {
        let wanted: Option<Vec<_>> = text.split(',').map(label).collect();
        wanted.map(Self).ok_or_else(|| {
            let message = "labelSelector query parameter must be of the form labelName:labelValue.";
            ApiError::bad_request("InvalidParameter", message)
        })
    }

    /// Whether there are all the labels that are asked for.
    pub(super) fn selects(&self, labels: Option<&Value>) -> bool {
        let has = |(name, value): &(String, String)| match labels.and_then(|labels| labels.get(name)) {
            Some(Value::String(label)) => label == value,
            Some(label) => to_js_text(label) == *value,
            None => false,
        };
        self.0.iter().all(has)
    }
}

fn label(part: &str) -> Option<(String, String)> {
    let (name, value) = part.split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let whole = !name.is_empty() && !value.is_empty() && !value.contains(':');
    whole.then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_labels_must_be_there() {
        let labels = json!({"type": "ds", "env": "test", "n": 1.0, "yes": true});
        for (text, selected) in [
            ("type:ds", true),
            (" type : ds ,env:test", true),
            ("type:ds,env:prod", false),
            ("type:other", false),
            ("constructor:x", false),
            ("n:1,yes:true", true),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!(selector.selects(Some(&labels)), selected, "{text}");
            assert!(!selector.selects(None) && !selector.selects(Some(&Value::Null)), "{text}");
        }
    }

    #[test]
    fn a_selector_has_names_and_values() {
        for text in ["", "type", "a:b:c", "a:", ":b", "a:b,", "a: ,c:d"] {
            let error = Selector::parse(text).err().unwrap();
            assert_eq!((error.status, error.code), (400, "InvalidParameter"), "{text}");
        }
    }

    #[test]
    fn labels_are_a_map_of_plain_values() {
        for labels in [json!(null), json!({}), json!({"a": "b", "c": 1, "d": false})] {
            assert_eq!(check(&labels), Ok(()));
        }
        for (labels, named) in
            [(json!("notamap"), "labels"), (json!([]), "labels"), (json!({"a": {}}), "a"), (json!({"b": null}), "b")]
        {
            let error = check(&labels).unwrap_err();
            assert_eq!((error.status, error.code), (400, "InvalidInput"));
            assert!(error.message.contains(named), "{error}");
        }
    }
}
