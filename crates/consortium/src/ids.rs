use api::ApiError;

/// Whether a text is 64 hexadecimal digits, as all ids of entities are.
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Checks an id from a path; `kind` is as in "a valid hex-encoded member ID".
pub(crate) fn check(kind: &str, text: &str) -> Result<(), ApiError> {
    if is_id(text) {
        return Ok(());
    }
    let message = format!("'{text}' is not a valid hex-encoded {kind} ID");
    Err(ApiError::bad_request("InvalidResourceName", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_64_hex_digits() {
        assert_eq!(check("member", &"aF".repeat(32)), Ok(()));
        let error = check("member", "abc").unwrap_err();
        assert_eq!(error.message, "'abc' is not a valid hex-encoded member ID");
        for bad in ["", &"g".repeat(64), &"a".repeat(63), &"a".repeat(65), &"é".repeat(32)] {
            assert!(check("proposal", bad).is_err(), "{bad}");
        }
    }
}
