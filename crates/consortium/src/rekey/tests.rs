use constitution::Effect;
use ledger::{
    secrets::{LedgerSecrets, Secret},
    shares::{RecoveryShares, Share, SharedSecret, combine},
};

use super::*;
use crate::{
    effects::apply,
    members,
    testing::{Consortium, context, encryption_keys, ledger_secret, next_secret, service_certificate},
};

/// An open service with two active members, of whom the first holds a share.
fn open() -> Consortium {
    let mut consortium = Consortium::active(2);
    let mut tx = consortium.tx();
    let open = Effect::TransitionServiceToOpen { previous: None, next: service_certificate().into() };
    apply(&mut tx, open, &context()).unwrap();
    consortium.commit(tx);
    consortium
}

fn do_rekey(tx: &mut Tx, context: &ServiceContext<'_>) -> Vec<NodeEffect> {
    apply(tx, Effect::RekeyLedger, context).unwrap()
}

fn chain(tx: &mut Tx) -> HistoricalSecret {
    HistoricalSecret::from_json(&tx.get(CHAIN, &UNIT_KEY).unwrap()).unwrap()
}

fn shares_of(tx: &mut Tx) -> RecoveryShares {
    RecoveryShares::from_json(&tx.get(tables::RECOVERY_SHARES, &UNIT_KEY).unwrap()).unwrap()
}

fn wrapping(shares: &RecoveryShares) -> SharedSecret {
    let sealed = STANDARD.decode(shares.encrypted_shares.values().next().unwrap()).unwrap();
    let share = crypto::wrap::rsa_oaep_decrypt(&encryption_keys().1, &sealed).unwrap();
    combine(&[Share::from_bytes(&share).unwrap()]).unwrap()
}

/// What a holder of shares gets at.
fn recovered(tx: &mut Tx) -> AesKey {
    let shares = shares_of(tx);
    wrapping(&shares).unwrap(&STANDARD.decode(&shares.wrapped_latest_ledger_secret).unwrap()).unwrap()
}

#[test]
fn a_rekey_writes_the_chain_and_shares_of_the_new_secret() {
    let consortium = open();
    let mut tx = consortium.tx();
    let old = shares_of(&mut tx);
    assert_eq!(recovered(&mut tx), *ledger_secret().key());
    let fresh = ServiceContext { share_seed: &[4; 32], ..context() };
    assert_eq!(do_rekey(&mut tx, &fresh), [NodeEffect::Rekey(next_secret().clone())]);
    let record = chain(&mut tx);
    assert_eq!((record.next_version, record.is_rekey()), (None, true));
    let opened_at = consortium.state.get(CHAIN, &UNIT_KEY).unwrap().written.seqno;
    let previous = record.previous_ledger_secret.as_ref().unwrap();
    assert_eq!((previous.version, previous.previous_secret_stored_version), (1, Some(opened_at)));
    let mut secrets = LedgerSecrets::from_keys([(1, ledger_secret().key().clone())]).unwrap();
    secrets.follow(50, &record, &[next_secret().clone()]).unwrap();
    assert_eq!(secrets.latest().unwrap().version(), 51);

    assert_eq!(recovered(&mut tx), *next_secret());
    let new = shares_of(&mut tx);
    assert_eq!(new.previous_secret_stored_version, None, "its own record has no seqno yet");
    let wrapped = STANDARD.decode(&new.wrapped_latest_ledger_secret).unwrap();
    assert!(wrapping(&old).unwrap(&wrapped).is_err(), "an old share opens nothing newer");
    assert!(!tx.has(tables::ENCRYPTED_LEDGER_SECRETS, &UNIT_KEY), "no node has a key for it");
}

#[test]
fn shares_that_are_refreshed_later_name_the_record() {
    let mut consortium = open();
    let mut tx = consortium.tx();
    do_rekey(&mut tx, &context());
    consortium.commit(tx);
    let rekeyed_at = consortium.state.tx_id().seqno;
    let current = Secret::new(rekeyed_at + 1, next_secret().clone());
    let mut tx = consortium.tx();
    let later = ServiceContext { ledger_secret: &current, share_seed: &[6; 32], ..context() };
    apply(&mut tx, Effect::RefreshRecoveryShares, &later).unwrap();
    assert_eq!(shares_of(&mut tx).previous_secret_stored_version, Some(rekeyed_at));
    assert_eq!(recovered(&mut tx), *next_secret());
}

/// Whatever else the same proposal does, in whatever order.
#[test]
fn two_rekeys_in_one_transaction_are_one() {
    let consortium = open();
    let mut tx = consortium.tx();
    assert_eq!(do_rekey(&mut tx, &context()).len(), 1);
    let (record, shares) = (chain(&mut tx), shares_of(&mut tx));
    assert_eq!(do_rekey(&mut tx, &context()), []);
    assert_eq!((chain(&mut tx), shares_of(&mut tx)), (record, shares));
    apply(&mut tx, Effect::RefreshRecoveryShares, &context()).unwrap();
    assert_eq!(recovered(&mut tx), *next_secret(), "shares that are refreshed behind it unwrap the new secret");
}

#[test]
fn a_service_that_opens_can_rekey_in_the_same_transaction_but_not_before() {
    let open = || Effect::TransitionServiceToOpen { previous: None, next: service_certificate().into() };
    let consortium = Consortium::active(1);
    let mut tx = consortium.tx();
    let error = apply(&mut tx, Effect::RekeyLedger, &context()).unwrap_err().to_string();
    assert_eq!(error, "the service is Opening: the ledger can be rekeyed only while the service is open");
    apply(&mut tx, open(), &context()).unwrap();
    let wrapped_at_first = wrapping(&shares_of(&mut tx));
    do_rekey(&mut tx, &context());
    let record = chain(&mut tx);
    let previous = record.previous_ledger_secret.as_ref().unwrap();
    assert_eq!((previous.version, previous.previous_secret_stored_version), (1, None));
    assert!(record.links(ledger_secret(), next_secret()));
    assert_eq!(recovered(&mut tx), *next_secret());
    assert_ne!(wrapping(&shares_of(&mut tx)), wrapped_at_first, "no wrapping key wraps two secrets");
}

/// What was decided before a rekey and comes after it would be about the wrong secret.
#[test]
fn a_rekey_and_shares_that_race_it_are_in_conflict() {
    let rekey: fn(&mut Tx) = |tx| drop(do_rekey(tx, &context()));
    let refresh: fn(&mut Tx) = |tx| drop(apply(tx, Effect::RefreshRecoveryShares, &context()).unwrap());
    let ack: fn(&mut Tx) = |tx| shares::issue(tx, &context()).unwrap();
    for late in [rekey, refresh, ack] {
        let mut consortium = open();
        let (mut first, mut second) = (consortium.tx(), consortium.tx());
        rekey(&mut first);
        late(&mut second);
        consortium.commit(first);
        assert!(second.into_parts().0.check(&consortium.state).is_err());
    }
    // The other way round: the rekey has not seen the member that shares were issued to.
    let mut consortium = open();
    let (mut first, mut second) = (consortium.tx(), consortium.tx());
    members::activate(&mut first, &consortium.member(1).id.clone()).unwrap();
    first.put(tables::MEMBERS_INFO, consortium.member(1).id.clone(), r#"{"status":"Active"}"#);
    rekey(&mut second);
    consortium.commit(first);
    assert!(second.into_parts().0.check(&consortium.state).is_err());
}

/// Two attempts with one key, as when the first one conflicts: never the same IV for different contents.
#[test]
fn another_attempt_has_another_iv() {
    let consortium = open();
    let iv_of = |seed: &[u8; 32]| {
        let mut tx = consortium.tx();
        do_rekey(&mut tx, &ServiceContext { share_seed: seed, ..context() });
        let sealed = chain(&mut tx).previous_ledger_secret.unwrap().encrypted_data;
        STANDARD.decode(sealed).unwrap()[16..28].to_vec()
    };
    assert_ne!(iv_of(&[1; 32]), iv_of(&[2; 32]));
}

#[test]
fn trusted_nodes_with_a_key_are_sent_the_secret() {
    let mut consortium = open();
    let mut tx = consortium.tx();
    let node = |status: &str| json!({"status": status, "encryption_pub_key": encryption_keys().0}).to_string();
    tx.put(tables::NODES_INFO, "aa", node("Trusted"));
    tx.put(tables::NODES_INFO, "bb", node("Retired"));
    consortium.commit(tx);
    let mut tx = consortium.tx();
    do_rekey(&mut tx, &context());
    let sent: Value = serde_json::from_slice(&tx.get(tables::ENCRYPTED_LEDGER_SECRETS, &UNIT_KEY).unwrap()).unwrap();
    assert_eq!(sent.as_object().unwrap().keys().collect::<Vec<_>>(), ["aa"]);
    assert_eq!(sent["aa"][0]["version"], Value::Null);
    let encrypted = STANDARD.decode(sent["aa"][0]["encrypted_secret"].as_str().unwrap()).unwrap();
    let secret = crypto::wrap::rsa_oaep_decrypt(&encryption_keys().1, &encrypted).unwrap();
    assert_eq!(secret.as_slice(), next_secret().as_bytes());
}

#[test]
fn a_service_that_nobody_could_recover_any_more_is_not_rekeyed() {
    let mut consortium = open();
    let mut tx = consortium.tx();
    tx.remove(tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, consortium.member(0).id.clone());
    consortium.commit(tx);
    let error = apply(&mut consortium.tx(), Effect::RekeyLedger, &context()).unwrap_err();
    assert!(matches!(error, ConsortiumError::Shares(_)), "{error}");
}
