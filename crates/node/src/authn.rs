//! Who asks: client certificates and tokens become a [`Caller`], or the 401 that says why they do not.
//!
//! The policies of a route are tried in order, and the first that succeeds counts. What a caller may do is for the
//! handlers to decide. Signed requests are authenticated where they are decided (`consortium::envelope`).

pub mod jwt;

use api::{ApiError, Caller, CallerPolicy, ErrorDetail};
use bytes::Bytes;
use http::HeaderMap;
use kv::{State, Tx};
use ledger::tables;

use crate::tls::ClientCertificate;

const CODE: &str = "InvalidAuthenticationInfo";

/// One way to prove who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// The client certificate of a member, in any status; its dates do not matter.
    MemberCert,
    /// The client certificate of a user, within its dates.
    UserCert,
    /// A bearer token of an issuer that the consortium trusts.
    Jwt,
    /// Nothing; always succeeds.
    NoAuth,
}

/// What a request brings to prove who sent it.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The client certificate whose key was proven.
    pub certificate: Option<&'a ClientCertificate>,
    /// The headers, for the token.
    pub headers: &'a HeaderMap,
}

/// Where members, users and the keys of issuers are looked up.
pub trait Registry {
    /// Whether a table has a key.
    fn has(&mut self, table: &'static str, key: &str) -> bool;
    /// The value of a key.
    fn get(&mut self, table: &'static str, key: &[u8]) -> Option<Bytes>;
}

impl Registry for Tx {
    fn has(&mut self, table: &'static str, key: &str) -> bool {
        Self::has(self, table, key.as_bytes())
    }

    fn get(&mut self, table: &'static str, key: &[u8]) -> Option<Bytes> {
        Self::get(self, table, key)
    }
}

impl Registry for &State {
    fn has(&mut self, table: &'static str, key: &str) -> bool {
        State::get(self, table, key.as_bytes()).is_some()
    }

    fn get(&mut self, table: &'static str, key: &[u8]) -> Option<Bytes> {
        State::get(self, table, key).map(|versioned| versioned.value.clone())
    }
}

/// Finds out who asks. A route without policies takes everybody.
///
/// # Errors
/// 401 `InvalidAuthenticationInfo` with the reason of each policy.
pub fn authenticate(
    policies: &[Policy],
    credentials: &Credentials<'_>,
    registry: &mut impl Registry,
) -> Result<Caller, ApiError> {
    if policies.is_empty() {
        return Ok(Caller::anonymous());
    }
    let mut reasons: Vec<(Policy, String)> = Vec::new();
    for policy in policies {
        match policy.check(credentials, registry) {
            Ok(mut caller) => {
                if *policy == Policy::NoAuth && reasons.iter().any(|(tried, _)| tried.looks_at(credentials)) {
                    caller.refused = Some(Box::new(unauthenticated(reasons)));
                }
                return Ok(caller);
            }
            Err(reason) => reasons.push((*policy, reason)),
        }
    }
    Err(unauthenticated(reasons))
}

fn unauthenticated(reasons: Vec<(Policy, String)>) -> ApiError {
    let mut error = ApiError::new(401, CODE, "Invalid authentication credentials.");
    for (policy, message) in reasons {
        if policy == Policy::Jwt {
            let challenge = "Bearer realm=\"JWT bearer token access\", error=\"invalid_token\"";
            error = error.with_header("www-authenticate", challenge);
        }
        let auth_policy = Some(policy.name().to_owned());
        error = error.with_detail(ErrorDetail { auth_policy, code: CODE.into(), message });
    }
    error
}

impl Policy {
    /// The name of the policy in answers and in the interface description (CCF).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MemberCert => "member_cert",
            Self::UserCert => "user_cert",
            Self::Jwt => "jwt",
            Self::NoAuth => "no_auth",
        }
    }

    /// Whether there is something that the policy could have taken.
    fn looks_at(self, credentials: &Credentials<'_>) -> bool {
        match self {
            Self::NoAuth => false,
            Self::Jwt => credentials.headers.contains_key(http::header::AUTHORIZATION),
            Self::MemberCert | Self::UserCert => credentials.certificate.is_some(),
        }
    }

    fn check(self, credentials: &Credentials<'_>, registry: &mut impl Registry) -> Result<Caller, String> {
        match self {
            Self::NoAuth => Ok(Caller::anonymous()),
            Self::Jwt => jwt::check(credentials.headers, registry, now()).map(Caller::with_token),
            Self::MemberCert => match credentials.certificate {
                None => Err("No caller member certificate".into()),
                Some(certificate) if registry.has(tables::MEMBERS_CERTS, &certificate.id) => {
                    Ok(Caller::identified(CallerPolicy::MemberCert, certificate.id.as_str()))
                }
                Some(_) => Err("Could not find matching member certificate".into()),
            },
            Self::UserCert => match credentials.certificate {
                None => Err("No caller user certificate".into()),
                Some(certificate) if registry.has(tables::USERS_CERTS, &certificate.id) => {
                    check_dates(certificate, now())?;
                    Ok(Caller::identified(CallerPolicy::UserCert, certificate.id.as_str()))
                }
                Some(_) => Err("Could not find matching user certificate".into()),
            },
        }
    }
}

fn check_dates(certificate: &ClientCertificate, now: i64) -> Result<(), String> {
    let (from, to) = (certificate.not_before, certificate.not_after);
    if now < from {
        return Err(format!("Current time {now} is before certificate's Not Before validity period {from}"));
    }
    if now > to {
        return Err(format!("Current time {now} is after certificate's Not After validity period {to}"));
    }
    Ok(())
}

/// Seconds since 1970, by the clock of the host.
fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

#[cfg(test)]
mod tests;
