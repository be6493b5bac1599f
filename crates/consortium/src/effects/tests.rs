use base64::{Engine as _, engine::general_purpose::STANDARD};
use ledger::shares::{RecoveryShares, Share, combine};

use super::*;
use crate::testing::{Consortium, context, encryption_keys, ledger_secret, service_certificate};

fn open(tx: &mut Tx, previous: Option<&str>, next: &str) -> Result<Vec<NodeEffect>, ConsortiumError> {
    let effect = Effect::TransitionServiceToOpen { previous: previous.map(str::to_owned), next: next.into() };
    apply(tx, effect, &context())
}

#[test]
fn opening_writes_what_a_recovery_needs() {
    let consortium = Consortium::active(2);
    let mut tx = consortium.tx();
    let effects = open(&mut tx, None, service_certificate()).unwrap();
    assert_eq!(effects, [NodeEffect::ChunkLedger, NodeEffect::Snapshot]);
    assert_eq!(service::status(&mut tx).unwrap(), ServiceStatus::Open);
    let value = |tx: &mut Tx, table: &str| tx.get(table, &UNIT_KEY).unwrap();
    assert_eq!(value(&mut tx, tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET), r#"{"next_version":1}"#);
    assert_eq!(value(&mut tx, tables::PREVIOUS_SERVICE_IDENTITY_ENDORSEMENT), r#"{"endorsement":"e"}"#);
    let shares = RecoveryShares::from_json(&value(&mut tx, tables::RECOVERY_SHARES)).unwrap();
    assert_eq!(shares.previous_secret_stored_version, None);
    let holders: Vec<&String> = shares.encrypted_shares.keys().collect();
    assert_eq!(holders, [&consortium.member(0).id]);
    let sealed = STANDARD.decode(&shares.encrypted_shares[holders[0]]).unwrap();
    let share = crypto::wrap::rsa_oaep_decrypt(&encryption_keys().1, &sealed).unwrap();
    let secret = combine(&[Share::from_bytes(&share).unwrap()]).unwrap();
    let wrapped = STANDARD.decode(&shares.wrapped_latest_ledger_secret).unwrap();
    assert_eq!(secret.unwrap(&wrapped).unwrap().as_bytes(), ledger_secret().key().as_bytes());
}

#[test]
fn opening_again_changes_nothing() {
    let mut consortium = Consortium::active(1);
    let mut tx = consortium.tx();
    open(&mut tx, None, service_certificate()).unwrap();
    consortium.commit(tx);
    let mut tx = consortium.tx();
    assert_eq!(open(&mut tx, None, "another"), Ok(Vec::new()));
    assert!(tx.is_read_only());
}

#[test]
fn identities_must_match() {
    let consortium = Consortium::active(1);
    let error = open(&mut consortium.tx(), None, &consortium.member(0).certificate).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "Service identity mismatch: the next service identity in the transition_service_to_open proposal does not \
             match the current service identity:\nNext:\n-----BEGIN CERTIFICATE-----"
        ),
        "{error}"
    );
    assert!(open(&mut consortium.tx(), None, "").is_err());
    let previous = open(&mut consortium.tx(), Some("x"), service_certificate());
    assert_eq!(previous, Err(ConsortiumError::PreviousIdentity));
    let crlf = service_certificate().replace('\n', "\r\n");
    assert!(open(&mut consortium.tx(), None, &crlf).is_ok());
}

#[test]
fn d31_a_chain_that_a_resume_began_is_kept() {
    let mut consortium = Consortium::active(1);
    let mut tx = consortium.tx();
    let record = r#"{"next_version":4,"previous_ledger_secret":{"encrypted_data":"x","version":1}}"#;
    tx.put(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, UNIT_KEY.to_vec(), record);
    consortium.commit(tx);
    let resumed_at = consortium.state.tx_id().seqno;
    let mut tx = consortium.tx();
    open(&mut tx, None, service_certificate()).unwrap();
    assert_eq!(tx.get(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, &UNIT_KEY).unwrap(), record);
    let shares = RecoveryShares::from_json(&tx.get(tables::RECOVERY_SHARES, &UNIT_KEY).unwrap()).unwrap();
    assert_eq!(shares.previous_secret_stored_version, Some(resumed_at));
}

#[test]
fn nobody_to_hold_shares_is_an_error() {
    let consortium = Consortium::accepted(1);
    let error = open(&mut consortium.tx(), None, service_certificate()).unwrap_err();
    assert!(error.to_string().starts_with("Failed to issue recovery shares: no active member"), "{error}");
}

#[test]
fn a_threshold_that_cannot_be_met_is_an_error() {
    let consortium = Consortium::active(1);
    let mut tx = consortium.tx();
    tx.put(tables::SERVICE_CONFIG, UNIT_KEY.to_vec(), r#"{"recovery_threshold":2}"#);
    assert!(matches!(open(&mut tx, None, service_certificate()), Err(ConsortiumError::Shares(_))));
}

#[test]
fn owners_get_the_whole_secret() {
    let consortium = Consortium::active(1);
    let mut tx = consortium.tx();
    let id = consortium.member(0).id.clone();
    tx.put(tables::MEMBERS_INFO, id.clone(), r#"{"recovery_role":"Owner","status":"Active"}"#);
    open(&mut tx, None, service_certificate()).unwrap();
    let shares = RecoveryShares::from_json(&tx.get(tables::RECOVERY_SHARES, &UNIT_KEY).unwrap()).unwrap();
    let sealed = STANDARD.decode(&shares.encrypted_shares[&id]).unwrap();
    let share = crypto::wrap::rsa_oaep_decrypt(&encryption_keys().1, &sealed).unwrap();
    assert!(Share::from_bytes(&share).unwrap().is_full());
}

#[test]
fn shares_are_refreshed_when_there_are_any() {
    let consortium = Consortium::active(1);
    let mut tx = consortium.tx();
    assert_eq!(apply(&mut tx, Effect::RefreshRecoveryShares, &context()), Ok(Vec::new()));
    assert!(!tx.has(tables::RECOVERY_SHARES, &UNIT_KEY));
    open(&mut tx, None, service_certificate()).unwrap();
    let before = tx.get(tables::RECOVERY_SHARES, &UNIT_KEY).unwrap();
    let other = ServiceContext { share_seed: &[4; 32], ..context() };
    apply(&mut tx, Effect::RefreshRecoveryShares, &other).unwrap();
    assert_ne!(tx.get(tables::RECOVERY_SHARES, &UNIT_KEY).unwrap(), before);
}

#[test]
fn a_snapshot_is_left_to_the_node() {
    let consortium = Consortium::active(1);
    assert_eq!(apply(&mut consortium.tx(), Effect::Snapshot, &context()), Ok(vec![NodeEffect::Snapshot]));
}
