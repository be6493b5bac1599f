use serde_json::{Map, Value};

use crate::ApiError;

/// How a caller proved who it is; the names are those of CCF's authentication policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerPolicy {
    /// A TLS client certificate of a member (`member_cert`), in any status.
    MemberCert,
    /// A TLS client certificate of a user (`user_cert`).
    UserCert,
    /// A bearer token (`jwt`).
    Jwt,
    /// A request signed by a member (`member_cose_sign1`).
    MemberCoseSign1,
    /// Nothing was proven and nothing is needed (`no_auth`, or an empty list of policies).
    NoAuth,
}

/// A bearer token whose signature, times and issuer were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The issuer that its key is registered for. What the token itself says is the claim `iss`.
    pub key_issuer: String,
    /// Whether both are Microsoft Entra, which vouches for accounts of Microsoft.
    pub of_entra: bool,
    /// The header.
    pub header: Map<String, Value>,
    /// The claims.
    pub payload: Map<String, Value>,
}

/// Who asks, as far as authentication could tell.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What was proven.
    pub policy: CallerPolicy,
    /// Member or user id (hex SHA-256 of the certificate), or the token's `oid`; empty when nothing was proven, or the
    /// token has none.
    pub id: String,
    /// The token, for [`CallerPolicy::Jwt`].
    pub token: Option<Token>,
    /// On a route that takes everybody: why the credentials that came along prove nothing, if any did (D12).
    pub refused: Option<Box<ApiError>>,
}

impl Caller {
    /// A caller who proved nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::identified(CallerPolicy::NoAuth, "")
    }

    /// A caller known by its id.
    #[must_use]
    pub fn identified(policy: CallerPolicy, id: impl Into<String>) -> Self {
        Self { policy, id: id.into(), token: None, refused: None }
    }

    /// A caller with a token.
    #[must_use]
    pub fn with_token(token: Token) -> Self {
        let id = token.payload.get("oid").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { token: Some(token), ..Self::identified(CallerPolicy::Jwt, id) }
    }

    /// A claim of the token.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.token.as_ref()?.payload.get(name)
    }
}
