use super::*;
use crate::proposals::open::{MOST_OPEN, MOST_OPEN_BYTES};

/// Open proposals of member 0 as they would stand after it proposed so many, each with a text of so many bytes.
fn with_open(count: usize, bytes: usize) -> Consortium {
    let mut consortium = Consortium::active(2);
    let mut tx = consortium.tx();
    for number in 0..count {
        let id = hex::encode(crypto::sha256(&number.to_le_bytes()));
        tx.put(tables::PROPOSALS, id.clone(), vec![b' '; bytes]);
        ProposalInfo::open(&consortium.member(0).id).put(&mut tx, &id);
    }
    consortium.commit(tx);
    consortium
}

#[test]
fn a_member_has_a_bounded_number_of_open_proposals() {
    let engine = Closures::unanimous();
    let mut consortium = with_open(MOST_OPEN, 10);
    let error = propose_as(&mut consortium, &engine, 0, 100).unwrap_err();
    assert_eq!((error.status, error.code), (400, "TooManyOpenProposals"));
    assert!(error.message.contains("withdraw"), "{error}");
    propose_as(&mut consortium, &engine, 1, 100).unwrap();
    let mut tx = consortium.tx();
    let id = hex::encode(crypto::sha256(&0_usize.to_le_bytes()));
    let signed = consortium.signed(0, MessageType::Withdrawal, Some(&id), "");
    withdraw(&mut tx, &signed, &id).unwrap();
    consortium.commit(tx);
    propose_as(&mut consortium, &engine, 0, 101).unwrap();
}

#[test]
fn the_open_proposals_of_a_member_have_a_bounded_length() {
    let engine = Closures::unanimous();
    propose_as(&mut with_open(2, MOST_OPEN_BYTES / 4), &engine, 0, 100).unwrap();
    let error = propose_as(&mut with_open(2, MOST_OPEN_BYTES / 2), &engine, 0, 100).unwrap_err();
    assert_eq!(error.code, "TooManyOpenProposals");
}

#[test]
fn a_ballot_has_a_bounded_length() {
    let mut consortium = Consortium::active(2);
    let engine = Closures::unanimous();
    let id = propose(&mut consortium, &engine);
    let error = vote(&mut consortium, &engine, &id, 0, &"x".repeat(33 << 10)).unwrap_err();
    assert_eq!((error.status, error.code), (400, "InvalidInput"));
    assert_eq!(error.message, "The ballot has 33792 bytes, at most 32768 are allowed");
}
