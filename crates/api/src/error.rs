use serde::Serialize;

/// One cause of an error, as in OData: for example why each authentication policy failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorDetail {
    /// The authentication policy that the cause belongs to, if it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_policy: Option<String>,
    /// The OData code of the cause.
    pub code: String,
    /// What happened.
    pub message: String,
}

/// An answer that is a refusal: an HTTP status, an OData code and a text that says what to do.
///
/// The texts are read by people and compared by tools; they never contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
#[non_exhaustive]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The OData code, for example `ContractNotFound`.
    pub code: &'static str,
    /// The text.
    pub message: String,
    /// Causes, if there are several.
    pub details: Vec<ErrorDetail>,
    /// Headers beyond the usual ones, in lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl ApiError {
    /// An error with this status, code and text.
    #[must_use]
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), headers: Vec::new() }
    }

    /// 400: the caller's input is wrong.
    #[must_use]
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// 403: the caller may not do this.
    #[must_use]
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    /// 404: there is no such thing.
    #[must_use]
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// 500: the service is at fault.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// The same error with an additional header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same error with an additional cause.
    #[must_use]
    pub fn with_detail(mut self, detail: ErrorDetail) -> Self {
        self.details.push(detail);
        self
    }

    /// The body of the answer: `{"error":{"code":…,"message":…}}`, with `details` before `message` where there are
    /// any (the order of the reference).
    #[must_use]
    pub fn body(&self) -> String {
        let mut error = serde_json::Map::new();
        error.insert("code".into(), self.code.into());
        if !self.details.is_empty() {
            error.insert("details".into(), serde_json::json!(self.details));
        }
        error.insert("message".into(), self.message.as_str().into());
        serde_json::json!({ "error": error }).to_string()
    }
}
