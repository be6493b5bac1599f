use kv::{State, TxId, WriteSet};
use serde_json::json;

use super::*;

fn certificate(id: &str) -> ClientCertificate {
    ClientCertificate { id: id.into(), not_before: 0, not_after: i64::MAX, der: Vec::new() }
}

fn state() -> State {
    let mut writes = WriteSet::default();
    writes.put(tables::MEMBERS_CERTS, "m1", "pem");
    writes.put(tables::USERS_CERTS, "u1", "pem");
    let mut state = State::default();
    state.apply(TxId::new(2, 1), &writes);
    state
}

fn ask(policies: &[Policy], certificate: Option<&ClientCertificate>) -> Result<Caller, ApiError> {
    let headers = HeaderMap::new();
    authenticate(policies, &Credentials { certificate, headers: &headers }, &mut &state())
}

const ALL: [Policy; 3] = [Policy::MemberCert, Policy::UserCert, Policy::Jwt];

#[test]
fn the_first_policy_that_succeeds_counts() {
    let member = ask(&ALL, Some(&certificate("m1"))).unwrap();
    assert_eq!((member.policy, member.id.as_str()), (CallerPolicy::MemberCert, "m1"));
    let user = ask(&ALL, Some(&certificate("u1"))).unwrap();
    assert_eq!((user.policy, user.id.as_str()), (CallerPolicy::UserCert, "u1"));
    let anyone = ask(&[Policy::MemberCert, Policy::NoAuth], Some(&certificate("x"))).unwrap();
    assert_eq!(anyone.policy, CallerPolicy::NoAuth);
    assert_eq!(ask(&[], None).unwrap().policy, CallerPolicy::NoAuth);
}

#[test]
fn d12_bad_credentials_become_nobody_who_knows_why() {
    let open = [Policy::MemberCert, Policy::UserCert, Policy::Jwt, Policy::NoAuth];
    let stranger = ask(&open, Some(&certificate("x"))).unwrap();
    assert_eq!(stranger.policy, CallerPolicy::NoAuth);
    let refused = stranger.refused.unwrap();
    assert_eq!((refused.status, refused.code, refused.details.len()), (401, CODE, 3));
    assert!(ask(&open, None).unwrap().refused.is_none());
    assert!(ask(&open, Some(&certificate("m1"))).unwrap().refused.is_none());
    // Where certificates are not looked at, a strange one is not bad.
    assert!(ask(&[Policy::Jwt, Policy::NoAuth], Some(&certificate("x"))).unwrap().refused.is_none());
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, "Bearer x".parse().unwrap())]);
    let credentials = Credentials { certificate: None, headers: &headers };
    let caller = authenticate(&[Policy::Jwt, Policy::NoAuth], &credentials, &mut &state()).unwrap();
    assert_eq!(caller.refused.unwrap().status, 401);
}

#[test]
fn nobody_is_refused_as_recorded() {
    let error = ask(&ALL, None).unwrap_err();
    let body: serde_json::Value = serde_json::from_str(&error.body()).unwrap();
    let detail = |policy: &str, message: &str| json!({"auth_policy": policy, "code": CODE, "message": message});
    assert_eq!(
        body,
        json!({"error": {
            "code": "InvalidAuthenticationInfo",
            "details": [
                detail("member_cert", "No caller member certificate"),
                detail("user_cert", "No caller user certificate"),
                detail("jwt", "Missing authorization header"),
            ],
            "message": "Invalid authentication credentials.",
        }})
    );
    let challenge = "Bearer realm=\"JWT bearer token access\", error=\"invalid_token\"".to_owned();
    assert_eq!((error.status, error.headers), (401, vec![("www-authenticate", challenge)]));
}

#[test]
fn a_stranger_is_refused_as_recorded() {
    let error = ask(&[Policy::MemberCert], Some(&certificate("x"))).unwrap_err();
    assert_eq!(error.details[0].message, "Could not find matching member certificate");
    assert!(error.headers.is_empty());
    let error = ask(&ALL, Some(&certificate("x"))).unwrap_err();
    assert_eq!(error.details[1].message, "Could not find matching user certificate");
}

#[test]
fn dates_matter_for_users_only() {
    let mut old = certificate("u1");
    old.not_after = 5;
    let error = ask(&[Policy::UserCert], Some(&old)).unwrap_err();
    assert!(error.details[0].message.ends_with("is after certificate's Not After validity period 5"));
    old.id = "m1".into();
    assert!(ask(&[Policy::MemberCert], Some(&old)).is_ok());
    let mut young = certificate("u1");
    young.not_before = i64::MAX;
    let error = ask(&[Policy::UserCert], Some(&young)).unwrap_err();
    assert!(error.details[0].message.contains("is before certificate's Not Before validity period"));
}

#[test]
fn what_was_looked_up_is_read_by_the_transaction() {
    let (known, headers) = (certificate("m1"), HeaderMap::new());
    let mut tx = Tx::new(state());
    let credentials = Credentials { certificate: Some(&known), headers: &headers };
    authenticate(&[Policy::MemberCert], &credentials, &mut tx).unwrap();
    let mut removed = state();
    let mut writes = WriteSet::default();
    writes.remove(tables::MEMBERS_CERTS, "m1");
    removed.apply(TxId::new(2, 2), &writes);
    assert!(tx.into_parts().0.check(&removed).is_err());
}
