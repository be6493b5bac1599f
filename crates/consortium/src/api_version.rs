//! The `api-version` of a request to `/gov`.

use api::{ApiError, Query};

const NAMES: [(&str, ApiVersion); 2] = [("2023-06-01-preview", ApiVersion::Preview), ("2024-07-01", ApiVersion::V1)];

/// The versions of the governance API, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiVersion {
    /// `2023-06-01-preview`, which has no `javascript-app` and `javascript-modules`.
    Preview,
    /// `2024-07-01`
    V1,
}

/// The version that a request asks for; `oldest` is the first one that has the endpoint.
///
/// # Errors
/// 400 `MissingApiVersionParameter` or `UnsupportedApiVersionValue`, both naming what the endpoint supports.
pub fn check(query: &Query, oldest: ApiVersion) -> Result<ApiVersion, ApiError> {
    let supported = || NAMES.iter().filter(|(_, version)| *version >= oldest);
    let names = || supported().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let Some(asked) = query.get("api-version") else {
        let message = format!(
            "The api-version query parameter (?api-version=) is required for all requests. The supported api-versions \
             are: {}",
            names()
        );
        return Err(ApiError::bad_request("MissingApiVersionParameter", message));
    };
    supported().find(|(name, _)| *name == asked).map(|(_, version)| *version).ok_or_else(|| {
        let message = format!("Unsupported api-version '{asked}'. The supported api-versions are: {}", names());
        ApiError::bad_request("UnsupportedApiVersionValue", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_pass() {
        let ask = |raw: &str, oldest| check(&Query::parse(raw), oldest);
        assert_eq!(ask("api-version=2024-07-01", ApiVersion::Preview), Ok(ApiVersion::V1));
        assert_eq!(ask("api-version=2023-06-01-preview", ApiVersion::Preview), Ok(ApiVersion::Preview));
        let error = ask("api-version=2023-06-01-preview", ApiVersion::V1).unwrap_err();
        assert!(error.message.ends_with("are: 2024-07-01"), "{error}");
    }

    #[test]
    fn others_are_refused_as_recorded() {
        let missing = check(&Query::parse(""), ApiVersion::Preview).unwrap_err();
        assert_eq!(missing.code, "MissingApiVersionParameter");
        assert_eq!(
            missing.message,
            "The api-version query parameter (?api-version=) is required for all requests. The supported api-versions \
             are: 2023-06-01-preview, 2024-07-01"
        );
        let unknown = check(&Query::parse("api-version=1999-01-01"), ApiVersion::Preview).unwrap_err();
        assert_eq!(unknown.code, "UnsupportedApiVersionValue");
        assert_eq!(
            unknown.message,
            "Unsupported api-version '1999-01-01'. The supported api-versions are: 2023-06-01-preview, 2024-07-01"
        );
    }
}
