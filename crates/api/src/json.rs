use std::{borrow::Cow, io};

use serde::Serialize as _;
use serde_json::{Serializer, Value, ser::Formatter};

/// The largest integer up to which all integers are numbers of JavaScript: 2^53.
const EXACT: u64 = 1 << 53;
/// The largest member name that JavaScript takes for an index: 2^32 - 2.
const LAST_INDEX: u32 = u32::MAX - 1;

/// JSON text as `JSON.stringify` of JavaScript writes it, so that a value is the same text whether or not it went through
/// a script: compact, numbers as doubles, members that are named like an index first.
#[must_use]
pub fn to_js_text(value: &Value) -> String {
    let mut text = Vec::with_capacity(128);
    let mut serializer = Serializer::with_formatter(&mut text, JavaScript);
    match in_order(value).serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        // Writing to memory does not fail, and all names are texts.
        Err(_) => value.to_string(),
    }
}

struct JavaScript;

impl Formatter for JavaScript {
    fn write_i64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        if value.unsigned_abs() <= EXACT {
            return write!(writer, "{value}");
        }
        #[expect(clippy::cast_precision_loss, reason = "as JavaScript does")]
        self.write_f64(writer, value as f64)
    }

    fn write_u64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        if value <= EXACT {
            return write!(writer, "{value}");
        }
        #[expect(clippy::cast_precision_loss, reason = "as JavaScript does")]
        self.write_f64(writer, value as f64)
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }
}

/// A number as `Number.prototype.toString` writes it (ECMA-262, Number::toString): the fewest digits that give it back.
fn number(value: f64) -> String {
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.replace('.', "");
    let (length, exponent) = (i32::try_from(digits.len()).unwrap_or(i32::MAX), exponent.parse::<i32>().unwrap_or(0));
    let point = exponent + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let split = |at: i32| digits.split_at_checked(usize::try_from(at).unwrap_or(0)).unwrap_or((&digits, ""));
    let text = match point {
        _ if (length..=21).contains(&point) => digits.clone() + &zeros(point - length),
        1..=21 => format!("{}.{}", split(point).0, split(point).1),
        -5..=0 => format!("0.{}{digits}", zeros(-point)),
        _ => format!("{mantissa}e{exponent:+}"),
    };
    if value < 0.0 { format!("-{text}") } else { text }
}

/// The value with the members of its objects in the order in which JavaScript has them.
fn in_order(value: &Value) -> Cow<'_, Value> {
    if has_index(value) { Cow::Owned(reordered(value)) } else { Cow::Borrowed(value) }
}

fn index(name: &str) -> Option<u32> {
    let plain = name == "0" || (name.starts_with(|first: char| first.is_ascii_digit()) && !name.starts_with('0'));
    name.parse().ok().filter(|index| plain && *index <= LAST_INDEX)
}

fn has_index(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_index),
        Value::Object(members) => members.iter().any(|(name, item)| index(name).is_some() || has_index(item)),
        _ => false,
    }
}

fn reordered(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(reordered).collect(),
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| index(name).map_or((true, 0), |index| (false, index)));
            Value::Object(members.into_iter().map(|(name, item)| (name.clone(), reordered(item))).collect())
        }
        other => other.clone(),
    }
}

/// Truth as in JavaScript.
#[must_use]
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str) -> String {
        to_js_text(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn numbers_are_written_as_javascript_does() {
        for (given, written) in [
            ("[1.0,2.5,-0.0,-0,1e3,null]", "[1,2.5,0,0,1000,null]"),
            ("[9007199254740993,-9007199254740993]", "[9007199254740992,-9007199254740992]"),
            (
                "[18446744073709551615,1e20,123456789012345678901]",
                "[18446744073709552000,100000000000000000000,123456789012345680000]",
            ),
            ("[1e21,-1.5e300,5e-324]", "[1e+21,-1.5e+300,5e-324]"),
            ("[0.000001,0.00000123,1e-7,-1.25e-9]", "[0.000001,0.00000123,1e-7,-1.25e-9]"),
            ("[123456.789,0.1]", "[123456.789,0.1]"),
        ] {
            assert_eq!(rewritten(given), written);
        }
    }

    #[test]
    fn numbers_stay_what_they_are() {
        for exact in ["0.30000000000000004", "0.36298962312359884", "0.9768813373382741", "2.225073858507201e-308"] {
            assert_eq!(rewritten(exact), exact);
        }
    }

    #[test]
    fn members_named_like_an_index_come_first() {
        let given = r#"{"b":{"1":1,"0":2},"10":[{"2":1,"x":2,"1":3}],"2":3,"01":4,"-1":5,"4294967295":6,"4294967294":7,"+1":8}"#;
        assert_eq!(
            rewritten(given),
            r#"{"2":3,"10":[{"1":3,"2":1,"x":2}],"4294967294":7,"b":{"0":2,"1":1},"01":4,"-1":5,"4294967295":6,"+1":8}"#
        );
    }
}
