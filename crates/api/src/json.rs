use serde_json::{Number, Value};

/// JSON text as `JSON.stringify` of JavaScript writes it: compact, members in order, and a number that is an integer
/// without a fraction (`1.0` becomes `1`).
///
/// Integers beyond 2^53 keep their digits, which JavaScript would round.
#[must_use]
pub fn to_js_text(value: &Value) -> String {
    if has_integral_float(value) { normalised(value).to_string() } else { value.to_string() }
}

fn integral(number: &Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|_| number.is_f64())?;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

fn has_integral_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => integral(number).is_some(),
        Value::Array(items) => items.iter().any(has_integral_float),
        Value::Object(members) => members.values().any(has_integral_float),
        _ => false,
    }
}

fn normalised(value: &Value) -> Value {
    match value {
        Value::Number(number) => integral(number).map_or_else(|| value.clone(), Value::from),
        Value::Array(items) => items.iter().map(normalised).collect(),
        Value::Object(members) => members.iter().map(|(name, item)| (name.clone(), normalised(item))).collect(),
        _ => value.clone(),
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

    #[test]
    fn integral_floats_lose_their_fraction() {
        let value: Value = serde_json::from_str(r#"{"b":[1.0,2.5,-0.0,null],"a":1e3}"#).unwrap_or_default();
        assert_eq!(to_js_text(&value), r#"{"b":[1,2.5,0,null],"a":1000}"#);
    }
}
