//! The body of a request, field by field.

use api::{ApiError, Input, is_truthy};
use serde_json::Value;

/// The body of a request that must be JSON; `null` has no members, which the reference does not survive.
///
/// # Errors
/// 400 `InvalidInput` (D4).
pub(crate) fn read(input: &Input) -> Result<Value, ApiError> {
    let body = input.json()?;
    if body.is_null() {
        return Err(invalid("The request body must be a JSON object, but is null."));
    }
    Ok(body)
}

/// A member that says something: it is there and, as in JavaScript, not null, false, zero or the empty text.
pub(crate) fn given<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    body.get(name).filter(|value| is_truthy(value))
}

/// The text of a member that is given.
///
/// # Errors
/// 400 `InvalidInput` that names the member.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    value.as_str().ok_or_else(|| invalid(format!("{name} must be a string.")))
}

/// 400: what was sent has not the form that it must have (D4).
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad_request("InvalidInput", message)
}
