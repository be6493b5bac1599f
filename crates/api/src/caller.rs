use serde_json::{Map, Value};

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

/// Who asks, as far as authentication could tell.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What was proven.
    pub policy: CallerPolicy,
    /// Member or user id (hex SHA-256 of the certificate), or the token's `oid`; empty when nothing was proven.
    pub id: String,
    /// The claims of the token, for [`CallerPolicy::Jwt`].
    pub claims: Option<Map<String, Value>>,
}

impl Caller {
    /// A caller who proved nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self { policy: CallerPolicy::NoAuth, id: String::new(), claims: None }
    }

    /// A caller known by its id.
    #[must_use]
    pub fn identified(policy: CallerPolicy, id: impl Into<String>) -> Self {
        Self { policy, id: id.into(), claims: None }
    }
}
