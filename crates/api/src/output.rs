use bytes::Bytes;
use serde_json::Value;

/// The body of an answer, with what its `content-type` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// No body, no content type.
    Empty,
    /// `application/json`.
    Json(String),
    /// `text/plain`.
    Text(String),
    /// `text/javascript`.
    JavaScript(String),
    /// Bytes without a content type (a proposal exactly as it was signed).
    Raw(Bytes),
}

/// An answer that is not a refusal. Only an answer with a 2xx status changes anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// Headers beyond the usual ones, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// SHA-256 that the transaction's receipt carries as claims digest; zero if the handler claims nothing.
    pub claims_digest: [u8; 32],
}

impl Output {
    /// An answer with this status and body.
    #[must_use]
    pub fn new(status: u16, body: Body) -> Self {
        Self { status, body, headers: Vec::new(), claims_digest: [0; 32] }
    }

    /// 200 with JSON, written as JavaScript writes it.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        Self::new(200, Body::Json(crate::to_js_text(value)))
    }

    /// 200 without a body.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(200, Body::Empty)
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self::new(204, Body::Empty)
    }

    /// The same answer with an additional header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
