use api::{ApiError, Caller, Input, Output};
use kv::Tx;
use serde_json::json;

use super::switches;
use crate::authorise;

const OPTIONS: [&str; 5] = [
    "autoapprove-constitution-proposal",
    "autoapprove-jsapp-proposal",
    "autoapprove-deploymentspec-proposal",
    "autoapprove-deploymentinfo-proposal",
    "autoapprove-cleanroompolicy-proposal",
];

/// `POST /app/runtimeoptions/{option}/status`: an option of the whole service, which is voted.
///
/// # Errors
/// As [`authorise`]; 400 `InvalidOption`.
pub fn get_service_option(tx: &mut Tx, caller: &Caller, input: &Input) -> Result<Output, ApiError> {
    authorise(tx, caller)?;
    let option = input.param("option");
    if !OPTIONS.contains(&option) {
        return Err(ApiError::bad_request("InvalidOption", format!("Option '{option}' is not a valid value.")));
    }
    let status = switches::voted(tx, "public:ccf.gov.cgs_runtime_options", option)?;
    Ok(Output::json(&json!({ "status": status })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{input, member, text, world};

    #[test]
    fn options_are_off_until_they_are_voted() {
        let mut tx = world();
        tx.put("public:ccf.gov.cgs_runtime_options", OPTIONS[2], r#"{"status":"enabled"}"#);
        for (at, option) in OPTIONS.into_iter().enumerate() {
            let output = get_service_option(&mut tx, &member("accepted"), &input("option", option, "", b"")).unwrap();
            let expected = if at == 2 { r#"{"status":"enabled"}"# } else { r#"{"status":"disabled"}"# };
            assert_eq!(text(&output), expected);
        }
        for option in ["nope", "constructor"] {
            let error = get_service_option(&mut tx, &member("active"), &input("option", option, "", b"")).unwrap_err();
            assert_eq!((error.status, error.code), (400, "InvalidOption"));
            assert_eq!(error.message, format!("Option '{option}' is not a valid value."));
        }
    }
}
