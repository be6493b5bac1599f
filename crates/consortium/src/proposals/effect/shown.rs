//! Writes and effects as the API shows them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use constitution::Effect;
use kv::{Tx, UNIT_KEY};
use serde_json::{Map, Value};

use super::{Proposal, tables};

/// Tables that are not shown: what the service derives or keeps about itself, shares and wrapped secrets among it.
const HIDDEN: [&str; 2] = ["public:ccf.internal.", "public:cgs."];

/// How the values of a record are shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    /// As JSON, where the bytes are exactly what this JSON is written as.
    Json,
    /// As text.
    Text,
    /// As base64.
    Base64,
}

/// What the transaction would change: table, key (absent where a table has one value), the value before and after
/// (absent where there is none) and the format of both. Records that stay as they are, and that of the proposal itself,
/// are left out.
pub(super) fn writes(tx: &Tx, proposal: &Proposal) -> Vec<Value> {
    let own = |table: &str, key: &Bytes| table == tables::PROPOSALS_INFO && **key == *proposal.id.as_bytes();
    let mut shown = Vec::new();
    for (table, writes) in tx.writes().maps().filter(|(table, _)| is_shown(table)) {
        for (key, after) in writes.iter().filter(|(key, _)| !own(table, key)) {
            let before = tx.base().get(table, key).map(|versioned| &versioned.value);
            if before != after.as_ref() {
                shown.push(record(table, key, before, after.as_ref()));
            }
        }
    }
    shown
}

fn is_shown(table: &str) -> bool {
    kv::is_public(table) && !HIDDEN.iter().any(|prefix| table.starts_with(prefix))
}

fn record(table: &str, key: &Bytes, before: Option<&Bytes>, after: Option<&Bytes>) -> Value {
    let format = [before, after].into_iter().flatten().map(|value| Format::of(value)).max().unwrap_or(Format::Json);
    let mut record = Map::new();
    record.extend(after.map(|value| ("after".to_owned(), format.show(value))));
    record.extend(before.map(|value| ("before".to_owned(), format.show(value))));
    let name = match format {
        Format::Json => "json",
        Format::Text => "text",
        Format::Base64 => "base64",
    };
    record.insert("format".into(), name.into());
    record.extend((**key != UNIT_KEY).then(|| ("key".to_owned(), name_of(key))));
    record.insert("table".into(), table.into());
    Value::Object(record)
}

fn name_of(key: &Bytes) -> Value {
    match std::str::from_utf8(key) {
        Ok(text) => text.into(),
        Err(_) => Value::Object(Map::from_iter([("base64".to_owned(), STANDARD.encode(key).into())])),
    }
}

impl Format {
    fn of(value: &[u8]) -> Self {
        let json = serde_json::from_slice::<Value>(value).ok();
        // A member that stands twice, or other ways to write the same, would be lost.
        if json.is_some_and(|json| *json.to_string().as_bytes() == *value) {
            Self::Json
        } else if std::str::from_utf8(value).is_ok() {
            Self::Text
        } else {
            Self::Base64
        }
    }

    fn show(self, value: &[u8]) -> Value {
        match self {
            Self::Json => serde_json::from_slice(value).unwrap_or_default(),
            Self::Text => String::from_utf8_lossy(value).into(),
            Self::Base64 => STANDARD.encode(value).into(),
        }
    }
}

/// The name of an effect, for example `rekeyLedger`.
pub(super) fn effect(effect: &Effect) -> String {
    let value = serde_json::to_value(effect).unwrap_or_default();
    let name = value.as_str().or_else(|| value.as_object()?.keys().next().map(String::as_str)).unwrap_or("unknown");
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(before: Option<&'static [u8]>, after: Option<&'static [u8]>) -> Value {
        let bytes = |value: Option<&'static [u8]>| value.map(Bytes::from_static);
        record("t", &Bytes::from_static(b"k"), bytes(before).as_ref(), bytes(after).as_ref())
    }

    #[test]
    fn values_are_shown_as_what_they_are() {
        let both = json!({"after": {"a": [1]}, "before": "x", "format": "json", "key": "k", "table": "t"});
        assert_eq!(shown(Some(br#""x""#), Some(br#"{"a":[1]}"#)), both);
        let text = json!({"after": "{\"a\":1}", "before": "PEM", "format": "text", "key": "k", "table": "t"});
        assert_eq!(shown(Some(b"PEM"), Some(br#"{"a":1}"#)), text);
        assert_eq!(shown(None, Some(&[255])), json!({"after": "/w==", "format": "base64", "key": "k", "table": "t"}));
        assert_eq!(shown(Some(b"1"), None), json!({"before": 1, "format": "json", "key": "k", "table": "t"}));
    }

    #[test]
    fn json_that_is_not_what_it_looks_like_is_text() {
        for odd in [&br#"{"a":1,"a":2}"#[..], b" 1", br#"{"a": 1}"#, b"1e2"] {
            assert_eq!(shown(None, Some(odd))["format"], "text", "{odd:?}");
        }
    }

    #[test]
    fn a_key_is_text_or_absent() {
        let of = |key: &'static [u8]| record("t", &Bytes::from_static(key), None, Some(&Bytes::from_static(b"1")));
        assert_eq!(of(&[0; 8]).get("key"), None);
        assert_eq!(of(&[200])["key"], json!({"base64": "yA=="}));
    }

    #[test]
    fn effects_have_names() {
        let open = Effect::TransitionServiceToOpen { previous: None, next: "PEM".into() };
        assert_eq!(
            (effect(&open).as_str(), effect(&Effect::RekeyLedger).as_str()),
            ("transitionServiceToOpen", "rekeyLedger")
        );
    }
}
