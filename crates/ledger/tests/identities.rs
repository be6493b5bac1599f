//! A service that was recovered under another identity: the chain from one to the next.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a panic is the failure report")]

#[path = "common/own.rs"]
mod own;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::{
    Curve, Digest, PublicKey, SigningKey,
    cose::endorse_identity,
    issue::{node_certificate, service_certificate},
};
use kv::{UNIT_KEY, WriteSet};
use ledger::{
    entry::decode,
    tables,
    verify::{Options, Report, Validator},
};
use own::{Service, VALIDITY};
use serde_json::{Value, json};

/// What a recovered service says of the one before, field by field.
struct Claims {
    endorsed: PublicKey,
    signer: SigningKey,
    begin: String,
    end: Option<String>,
    root: Digest,
    last_root: Digest,
    previous_version: Option<u64>,
}

fn another_key() -> SigningKey {
    SigningKey::generate(Curve::P384).unwrap()
}

fn link(claims: &Claims) -> Value {
    let end = claims.end.as_deref().map(|end| (end, &claims.root));
    let message = endorse_identity(&claims.signer, &claims.endorsed, 1_700_000_000, &claims.begin, end).unwrap();
    let mut record = json!({
        "endorsement": STANDARD.encode(message),
        "endorsement_epoch_begin": claims.begin,
        "endorsing_key": STANDARD.encode(claims.signer.public().spki_der()),
    });
    if let Some(end) = &claims.end {
        record["endorsement_epoch_end"] = end.as_str().into();
    }
    if let Some(version) = claims.previous_version {
        record["previous_version"] = version.into();
    }
    record
}

fn put(writes: &mut WriteSet, table: &str, value: impl Into<String>) {
    writes.put(table, UNIT_KEY.as_slice(), value.into());
}

fn commit_signed(service: &mut Service, writes: &WriteSet) {
    service.commit(writes, 0);
    service.sign(0);
}

fn clone(key: &SigningKey) -> SigningKey {
    SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap()
}

/// Opened at 3, recovered at 5 by a service of another key, opened again at 9.
fn recovered(change: &dyn Fn(&mut Claims), edit: &dyn Fn(&mut Value)) -> Result<Report, String> {
    let mut service = Service::new();
    let genesis = service.genesis();
    commit_signed(&mut service, &genesis);
    let of_itself = Claims {
        endorsed: service.key.public().clone(),
        signer: clone(&service.key),
        begin: "2.1".into(),
        end: None,
        root: [0; 32],
        last_root: [0; 32],
        previous_version: None,
    };
    let mut writes = WriteSet::default();
    put(&mut writes, tables::SERVICE_INFO, service.info("Open"));
    put(&mut writes, tables::PREVIOUS_SERVICE_IDENTITY_ENDORSEMENT, link(&of_itself).to_string());
    service.commit(&writes, 0);
    let signed = service.tree.root();
    service.sign(0);

    let next = another_key();
    let mut claims = Claims {
        endorsed: service.key.public().clone(),
        signer: clone(&next),
        begin: "2.1".into(),
        end: Some("2.4".into()),
        root: signed,
        last_root: signed,
        previous_version: Some(3),
    };
    change(&mut claims);
    recover(&mut service, next, claims.last_root);
    let mut record = link(&claims);
    edit(&mut record);
    let mut writes = WriteSet::default();
    put(&mut writes, tables::SERVICE_INFO, service.info("Open"));
    put(&mut writes, tables::PREVIOUS_SERVICE_IDENTITY_ENDORSEMENT, record.to_string());
    commit_signed(&mut service, &writes);
    judge(&service)
}

fn recover(service: &mut Service, key: SigningKey, last_root: Digest) {
    service.view = 4;
    service.key = key;
    service.certificate = service_certificate(&service.key, "CCF Service", VALIDITY).unwrap();
    service.node = another_key();
    let (node, names) = (service.node.public(), ["iPAddress:127.0.0.1".to_owned()]);
    let endorsed = node_certificate(node, "CCF Node", &names, VALIDITY, &service.key, &service.certificate).unwrap();
    service.node_pem = endorsed.to_pem();
    let mut writes = service.genesis();
    put(&mut writes, tables::SERVICE_INFO, service.info("Recovering"));
    put(&mut writes, tables::PREVIOUS_SERVICE_LAST_SIGNED_ROOT, format!("\"{}\"", hex::encode(last_root)));
    commit_signed(service, &writes);
    let mut writes = WriteSet::default();
    put(&mut writes, tables::SERVICE_INFO, service.info("WaitingForRecoveryShares"));
    commit_signed(service, &writes);
}

fn judge(service: &Service) -> Result<Report, String> {
    let mut validator = Validator::new(Options { service: Some(&service.certificate), ..Options::default() });
    for bytes in &service.entries {
        let entry = decode(bytes).unwrap();
        validator.add(&entry).map_err(|error| format!("{}: {error}", entry.tx_id.seqno))?;
    }
    validator.finish().map_err(|error| error.to_string())
}

#[test]
fn a_recovered_service_endorses_the_one_before() {
    let report = recovered(&|_| {}, &|_| {}).unwrap();
    assert_eq!((report.endorsements, report.signatures), (2, 5));
    let keys: Vec<_> = report.services.iter().map(|seen| seen.certificate.spki_der().to_vec()).collect();
    assert!(keys[0] == keys[1] && keys[1] != keys[2] && keys[2] == keys[4]);
}

#[test]
fn a_link_that_does_not_continue_the_chain_is_refused() {
    let fails = |expected: &str, change: &dyn Fn(&mut Claims), edit: &dyn Fn(&mut Value)| {
        let error = recovered(change, edit).unwrap_err();
        assert!(error.contains(expected), "expected {expected}, got {error}");
    };
    let as_it_is = |_: &mut Value| {};
    fails("9: endorsed key", &|claims| claims.endorsed = another_key().public().clone(), &as_it_is);
    fails("9: endorsing_key", &|claims| claims.signer = another_key(), &as_it_is);
    fails("9: epoch of the endorsed", &|claims| claims.begin = "2.2".into(), &as_it_is);
    fails("9: epoch of the endorsed", &|claims| claims.end = Some("2.3".into()), &as_it_is);
    fails("9: epoch of the endorsed", &|claims| claims.end = None, &as_it_is);
    fails("9: epoch of the endorsed", &|claims| claims.root = [1; 32], &as_it_is);
    fails("9: previous_version is missing", &|claims| claims.previous_version = None, &as_it_is);
    fails("9: previous_version is 2", &|claims| claims.previous_version = Some(2), &as_it_is);
    fails("5: public:ccf.internal.previous_service_last_signed_root", &|claims| claims.last_root = [1; 32], &as_it_is);
    let same = |_: &mut Claims| {};
    fails("9: epoch in the endorsement", &same, &|record| record["endorsement_epoch_end"] = "2.5".into());
    fails("9: epoch in the endorsement", &same, &|record| record["endorsement_epoch_begin"] = "2.5".into());
    let stranger = STANDARD.encode(another_key().public().spki_der());
    fails("9: endorsing_key", &same, &|record| record["endorsing_key"] = stranger.as_str().into());
    let other = link(&Claims {
        endorsed: another_key().public().clone(),
        signer: another_key(),
        begin: "2.1".into(),
        end: None,
        root: [0; 32],
        last_root: [0; 32],
        previous_version: None,
    });
    fails("9: ", &same, &|record| record["endorsement"] = other["endorsement"].clone());
}
