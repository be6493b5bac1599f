//! JSON for those who check what others use: no object may name a member twice.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// JSON in which no object names a member twice: parsers disagree on which of the two counts, and who checks must see what
/// is used. Nesting is limited to 128, and the text must be UTF-8, as everywhere.
///
/// # Errors
/// As `serde_json`, also with `duplicate member "…"`.
pub fn from_unique_json(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Unique>(text).map(|unique| unique.0)
}

/// Characters of a name in an error.
const SHOWN: usize = 64;

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Members).map(Self)
    }
}

/// Builds a value, and remembers the members of each object.
struct Members;

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number beyond a double"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Members)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                let shown: String = name.chars().take(SHOWN).collect();
                return Err(de::Error::custom(format_args!("duplicate member {shown:?}")));
            }
            object.insert(name, members.next_value_seed(Members)?);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_named_twice_is_an_error_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"b":{"":0,"":0}}]"#] {
            let error = from_unique_json(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("duplicate member"), "{error}");
        }
        let long = "x".repeat(1 << 20);
        let error = from_unique_json(format!(r#"{{"{long}":1,"{long}":2}}"#).as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 200, "a long name is cut: {error:.300}");
    }

    #[test]
    fn everything_else_is_as_usual() {
        for text in [r#"{"a":[1,-2,0.5,1e300,true,null,"x\n"],"b":{"a":{}}}"#, "[]", "18446744073709551615", "\"\""] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(from_unique_json(text.as_bytes()).unwrap(), expected);
        }
        for text in ["", "{", "[1] 2", "1e999", r#""\ud800""#, &"[".repeat(200)] {
            assert!(from_unique_json(text.as_bytes()).is_err(), "{text}");
        }
        assert!(from_unique_json(b"\"\xff\"").is_err());
    }
}
