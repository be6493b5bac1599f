//! What the tests of this crate share.

use api::{ApiError, Body, Caller, CallerPolicy, Input, Output, Query, Token};
use kv::{State, Tx, TxId, WriteSet};
use serde_json::{Map, Value, json};

/// A service with one member in each status.
pub(crate) fn world() -> Tx {
    let mut writes = WriteSet::default();
    for (id, status) in [("active", "Active"), ("accepted", "Accepted")] {
        writes.put("public:ccf.gov.members.info", id, json!({ "status": status }).to_string());
    }
    let mut state = State::default();
    state.apply(TxId::new(2, 1), &writes);
    Tx::new(state)
}

/// The same with a draft of contract c.
pub(crate) fn with_contract() -> Tx {
    let mut tx = world();
    tx.put("public:contracts", "c", r#"{"data":1}"#);
    commit(tx)
}

pub(crate) fn member(id: &str) -> Caller {
    Caller::identified(CallerPolicy::MemberCert, id)
}

/// A user with a certificate.
pub(crate) fn user(id: &str) -> Caller {
    Caller::identified(CallerPolicy::UserCert, id)
}

/// Whoever has a token with these claims.
pub(crate) fn token(claims: &Value) -> Caller {
    let payload = claims.as_object().cloned().unwrap_or_default();
    let key_issuer = "https://login.microsoftonline.com/common/v2.0".into();
    Caller::with_token(Token { key_issuer, of_entra: true, header: Map::new(), payload })
}

/// What a refusal says: status and code.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>) -> (u16, &'static str) {
    let error = result.unwrap_err();
    (error.status, error.code)
}

pub(crate) fn propose(tx: &mut Tx, id: &str, state: &str, text: &str) {
    let info = json!({ "ballots": {}, "proposer_id": "active", "state": state });
    tx.put("public:ccf.gov.proposals_info", id.to_owned(), info.to_string());
    tx.put("public:ccf.gov.proposals", id.to_owned(), text.to_owned());
    tx.put("public:ccf.internal.cgs_open_proposals", id.to_owned(), vec![0; 8]);
}

/// The transaction committed, and a new one behind it.
pub(crate) fn commit(tx: Tx) -> Tx {
    let mut state = tx.base().clone();
    let (_, writes) = tx.into_parts();
    let next = TxId::new(2, state.tx_id().seqno + 1);
    state.apply(next, &writes);
    Tx::new(state)
}

pub(crate) fn input(name: &'static str, value: &str, query: &str, body: &[u8]) -> Input {
    Input {
        params: vec![(name, value.to_owned())],
        query: Query::parse(query),
        body: body.to_vec().into(),
        committed: TxId::new(2, 60),
    }
}

pub(crate) fn text(output: &Output) -> &str {
    let Body::Json(text) = &output.body else { panic!("not JSON: {output:?}") };
    text
}

pub(crate) fn body(output: &Output) -> Value {
    serde_json::from_str(text(output)).unwrap()
}
