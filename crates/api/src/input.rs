use bytes::Bytes;
use kv::TxId;
use serde_json::Value;

use crate::{ApiError, from_unique_json};

/// The parameters behind the `?` of a request.
///
/// Decoded as CCF does it: the whole string once (`%XX`, `+` is a space), then split at `&`, then at the first `=`.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pairs: Vec<(String, Option<String>)>,
}

impl Query {
    /// Parses the raw query string (without the `?`).
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let text = percent_decode(raw, |byte| if byte == b'+' { b' ' } else { byte });
        let pairs = text.split('&').filter(|part| !part.is_empty()).map(|part| {
            let mut parts = part.split('=');
            let name = parts.next().unwrap_or_default().to_owned();
            (name, parts.next().map(str::to_owned))
        });
        Self { pairs: pairs.collect() }
    }

    /// The value of a parameter; `None` if it is absent or has no `=`. The last one wins.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref())
    }
}

/// Text with its `%XX` decoded, as CCF does it: what is no such thing stays, and what is not UTF-8 is replaced. `plain` maps
/// all other bytes.
pub fn percent_decode(raw: &str, plain: impl Fn(u8) -> u8) -> String {
    let bytes = raw.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let escaped = || u8::from_str_radix(raw.get(at + 1..at + 3)?, 16).ok();
        let value = if byte == b'%' { escaped() } else { None };
        out.push(value.unwrap_or_else(|| plain(byte)));
        at += if value.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a request brings to its handler.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Path parameters in the order of the template, as received (not percent-decoded).
    pub params: Vec<(&'static str, String)>,
    /// The parsed query.
    pub query: Query,
    /// The body; for signed requests the whole COSE_Sign1 message.
    pub body: Bytes,
    /// The last transaction known to be committed when the handler started.
    pub committed: TxId,
}

impl Input {
    /// The value of a path parameter; empty if the template has no such parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON in which no object names a member twice.
    ///
    /// # Errors
    /// 400 `InvalidInput` that says where the text stops being JSON (the reference answers 500; D4).
    pub fn json(&self) -> Result<Value, ApiError> {
        from_unique_json(&self.body).map_err(|error| {
            ApiError::bad_request("InvalidInput", format!("The request body is not valid JSON: {error}."))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_is_decoded_as_a_whole_before_it_is_split() {
        let query = Query::parse("&id=a=b&x=1%262&flag&s=a+b%zz");
        assert_eq!(query.get("id"), Some("a"));
        assert_eq!(query.get("x"), Some("1"));
        assert_eq!(query.get("2"), None);
        assert_eq!(query.get("flag"), None);
        assert_eq!(query.get("s"), Some("a b%zz"));
    }
}
