//! Ledgers that CCF wrote: read, verified, decrypted, and written again byte for byte.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is the failure report"
)]

mod common;

use common::{EXPIRED, FLIPFLOP, certificate, decoded, entries, ledger, secrets};
use crypto::{Certificate, sha256};
use kv::{TxId, UNIT_KEY};
use ledger::{
    entry::{EntryInput, EntryType, encode},
    merkle::{Tree, fold},
    receipt::{Components, Receipt, cose_receipt, verify, verify_cose_receipt},
    secrets::LedgerSecrets,
    show::{Filter, show_directory},
    signature::{NodeSignature, cose_bytes},
    tables,
    verify::{Options, verify_directory},
};

#[test]
fn both_verify_to_the_end() {
    for (name, last, signatures, cose, private) in
        [(EXPIRED, TxId::new(4, 74), 26, 18, 3), (FLIPFLOP, TxId::new(2, 46), 23, 5, 13)]
    {
        let bytes = entries(name);
        let secrets = secrets(name, &decoded(&bytes));
        let service = certificate(name);
        for secrets in [None, Some(&secrets)] {
            let options = Options { service: Some(&service), secrets, ..Options::default() };
            let report = verify_directory(&ledger(name), options).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((report.first, report.last), (Some(TxId::new(2, 1)), Some(last)));
            assert_eq!((report.verified, report.unverified_tail()), (Some(last), 0));
            assert_eq!((report.signatures, report.cose_signatures, report.private), (signatures, cose, private));
            assert_eq!(report.endorsements, 1, "each was opened once by a node that endorses itself");
        }
    }
}

#[test]
fn the_service_must_be_the_expected_one() {
    let other = certificate(FLIPFLOP);
    let options = Options { service: Some(&other), ..Options::default() };
    let error = verify_directory(&ledger(EXPIRED), options).unwrap_err().to_string();
    assert!(error.contains("service at the end of the ledger"), "{error}");
}

#[test]
fn the_states_of_a_recovered_service() {
    let report = verify_directory(&ledger(EXPIRED), Options::default()).unwrap();
    let seen: Vec<_> = report.services.iter().map(|seen| (seen.since.seqno, seen.status.as_str())).collect();
    let expected = [(1, "Opening"), (17, "Open"), (29, "Recovering"), (52, "WaitingForRecoveryShares"), (60, "Open")];
    assert_eq!(seen, expected);
    let certificates: Vec<String> = report.services.iter().map(|seen| seen.certificate.id()).collect();
    assert_ne!(certificates[1], certificates[2]);
    assert_eq!(certificates[2], certificates[4]);
}

/// Secrets from shares, private parts opened, and the same bytes written again from what was read.
#[test]
fn every_entry_opens_and_is_written_again_byte_for_byte() {
    for name in [EXPIRED, FLIPFLOP] {
        let bytes = entries(name);
        let entries = decoded(&bytes);
        let secrets = secrets(name, &entries);
        for entry in &entries {
            let writes = entry.open(&secrets).unwrap();
            if entry.entry_type != EntryType::WriteSetWithCommitEvidenceAndClaims {
                continue;
            }
            let sealed = encode(EntryInput {
                tx_id: entry.tx_id,
                flags: entry.header.flags,
                writes: &writes,
                claims_digest: entry.claims_digest.unwrap(),
                secrets: &secrets,
            })
            .unwrap();
            assert_eq!(sealed.bytes, entry.bytes(), "{name} {}", entry.tx_id);
            assert_eq!(sealed.leaf, entry.leaf());
            assert_eq!(Some(sealed.commit_evidence_digest), entry.commit_evidence_digest);
            assert_eq!(sealed.write_set_digest, entry.write_set_digest());
        }
    }
}

#[test]
fn secrets_by_version() {
    let versions = |secrets: &LedgerSecrets| secrets.iter().map(|secret| secret.version()).collect::<Vec<_>>();
    let bytes = entries(EXPIRED);
    assert_eq!(versions(&secrets(EXPIRED, &decoded(&bytes))), [1, 29]);
    let bytes = entries(FLIPFLOP);
    let found = secrets(FLIPFLOP, &decoded(&bytes));
    assert_eq!(versions(&found), [1]);
    let expected = "d917951c0773a06148d2ff5bf0c984d075fdceb601255157ac004bb53b351079";
    assert_eq!(hex::encode(found.latest().unwrap().key().as_bytes()), expected);
}

#[test]
fn transaction_2_17_in_every_detail() {
    let bytes = entries(FLIPFLOP);
    let entries = decoded(&bytes);
    let entry = &entries[16];
    assert_eq!(entry.tx_id, TxId::new(2, 17));
    assert_eq!(entry.bytes().len(), 195);
    let digest = "c5496af8ff336bca85edc3ee95843622b16b0d08296d7f43674e65cfb6d07980";
    assert_eq!(hex::encode(entry.write_set_digest()), digest);
    let leaf = "520d2e9a61bac7ea344c60b5c31563cd2f6ce3474e8680d44029e8cad13a9aaa";
    assert_eq!(hex::encode(entry.leaf()), leaf);
    assert!(entry.public.is_empty());
    let writes = entry.open(&secrets(FLIPFLOP, &entries)).unwrap();
    assert_eq!(writes.maps().count(), 1);
    assert_eq!(writes.get("records", b"42").unwrap().unwrap().as_ref(), b"hello");
}

#[test]
fn signatures_are_written_as_ccf_writes_them() {
    for name in [EXPIRED, FLIPFLOP] {
        let bytes = entries(name);
        let mut found = 0;
        for entry in decoded(&bytes) {
            if let Some(Some(json)) = entry.public.get(tables::SIGNATURES, &UNIT_KEY) {
                assert_eq!(NodeSignature::from_json(json).unwrap().to_json().unwrap(), json.as_ref());
                found += 1;
            }
        }
        assert!(found > 20);
    }
}

/// The receipt of each transaction, as the node that wrote the next signature would answer it.
#[test]
fn receipts_of_every_transaction() {
    for (name, expected_cose) in [(EXPIRED, 45), (FLIPFLOP, 10)] {
        let bytes = entries(name);
        let entries = decoded(&bytes);
        let secrets = secrets(name, &entries);
        let mut tree = Tree::new();
        entries.iter().for_each(|entry| tree.append(entry.leaf()));
        let service = |seqno: u64| service_at(&entries, seqno);
        let mut cose_receipts = 0;
        for entry in &entries {
            let seqno = entry.tx_id.seqno;
            let Some((signature, cose)) = signature_after(&entries, seqno) else { continue };
            let secret = secrets.for_seqno(seqno).unwrap();
            let components = Components {
                write_set_digest: entry.write_set_digest(),
                commit_evidence: secret.commit_evidence(entry.tx_id),
                claims_digest: entry.claims_digest,
            };
            let receipt = Receipt::of_transaction(seqno, &components, &tree, &signature, Vec::new()).unwrap();
            let json = serde_json::to_string(&receipt).unwrap();
            let receipt: Receipt = serde_json::from_str(&json).unwrap();
            let verified = verify(&receipt, &service(signature.seqno)).unwrap();
            assert_eq!(verified.tx_id, Some(entry.tx_id));
            assert_eq!(verified.claims_digest, entry.claims_digest.filter(|digest| *digest != [0; 32]));

            let signed = Receipt::of_signature(&signature, Vec::new()).unwrap();
            assert_eq!(verify(&signed, &service(signature.seqno)).unwrap().root, verified.root);

            let Some(cose) = cose.filter(|_| entry.claims_digest.is_some()) else { continue };
            let proof = tree.proof(seqno, signature.seqno).unwrap();
            let receipt = cose_receipt(&cose, &components, &proof).unwrap();
            let verified = verify_cose_receipt(&receipt, &service(signature.seqno)).unwrap();
            assert_eq!((verified.tx_id, verified.root), (entry.tx_id, fold(components.leaf(), &proof)));
            assert!(verify_cose_receipt(&cose, &service(signature.seqno)).is_err(), "a signature is no receipt");
            cose_receipts += 1;
        }
        assert_eq!(cose_receipts, expected_cose, "{name}");
    }
}

#[test]
fn a_changed_receipt_names_the_step_that_fails() {
    let bytes = entries(FLIPFLOP);
    let entries = decoded(&bytes);
    let secrets = secrets(FLIPFLOP, &entries);
    let service = certificate(FLIPFLOP);
    let mut tree = Tree::new();
    entries.iter().for_each(|entry| tree.append(entry.leaf()));
    let (signature, _) = signature_after(&entries, 17).unwrap();
    let components = Components {
        write_set_digest: entries[16].write_set_digest(),
        commit_evidence: secrets.for_seqno(17).unwrap().commit_evidence(TxId::new(2, 17)),
        claims_digest: Some([0; 32]),
    };
    let receipt = Receipt::of_transaction(17, &components, &tree, &signature, Vec::new()).unwrap();
    verify(&receipt, &service).unwrap();

    let fails = |change: &dyn Fn(&mut Receipt), step: &str| {
        let mut changed = receipt.clone();
        change(&mut changed);
        let error = verify(&changed, &service).unwrap_err().to_string();
        assert!(error.contains(step), "{step}: {error}");
    };
    let leaf = |receipt: &mut Receipt| receipt.leaf_components.clone().unwrap();
    fails(&|r| r.leaf_components = None, "either leaf or leaf_components");
    fails(&|r| r.leaf = Some("0".repeat(64)), "either leaf or leaf_components");
    fails(&|r| r.leaf_components.as_mut().unwrap().write_set_digest = hex::encode(sha256(b"x")), "not over");
    fails(&|r| r.leaf_components.as_mut().unwrap().claims_digest = Some(hex::encode(sha256(b"x"))), "not over");
    fails(&|r| r.leaf_components.as_mut().unwrap().claims_digest = None, "not over");
    fails(&|r| r.leaf_components.as_mut().unwrap().commit_evidence = "ce:2.17:00".into(), "not over");
    fails(&|r| r.leaf_components.as_mut().unwrap().write_set_digest.truncate(10), "write_set_digest");
    fails(&|r| drop(r.proof.pop()), "not over");
    fails(&|r| r.proof.reverse(), "not over");
    fails(&|r| r.proof = vec![r.proof[0].clone(); 65], "proof");
    fails(&|r| r.signature = "AA==".into(), "not over");
    fails(&|r| r.signature = "?".into(), "signature is malformed");
    fails(&|r| r.node_id = "0".repeat(64), "node_id");
    fails(&|r| r.cert = service.to_pem(), "node_id");
    fails(&|r| r.service_endorsements = vec![service.to_pem(), r.cert.clone()], "was not issued by");
    fails(&|r| r.service_endorsements = vec!["x".into()], "service endorsement 0");
    assert_eq!(leaf(&mut receipt.clone()).commit_evidence, components.commit_evidence);

    let error = verify(&receipt, &common::certificate(EXPIRED)).unwrap_err().to_string();
    assert!(error.contains("the certificate of the node was not issued by the service"), "{error}");

    let another = Components { claims_digest: Some(sha256(b"x")), ..components };
    assert!(Receipt::of_transaction(17, &another, &tree, &signature, Vec::new()).is_err());
    assert!(Receipt::of_transaction(18, &another, &tree, &signature, Vec::new()).is_err(), "not covered");
}

#[test]
fn contents_are_shown() {
    let mut records = Vec::new();
    show_directory(&ledger(FLIPFLOP), &Filter::default(), |record| records.push(record)).unwrap();
    assert_eq!(records.iter().map(|record| record.seqno).collect::<Vec<_>>(), (1..=46).collect::<Vec<_>>());
    assert_eq!((records[16].tables.len(), records[16].private_bytes, records[16].size), (0, 70, 195));

    let bytes = entries(FLIPFLOP);
    let secrets = secrets(FLIPFLOP, &decoded(&bytes));
    let table: &dyn Fn(&str) -> bool = &|name| name == "records";
    let filter = Filter { seqnos: 16..=20, table: Some(table), secrets: Some(&secrets), ..Filter::default() };
    let mut records = Vec::new();
    show_directory(&ledger(FLIPFLOP), &filter, |record| records.push(record)).unwrap();
    assert_eq!(records.iter().map(|record| record.seqno).collect::<Vec<_>>(), [17, 19]);
    let json = serde_json::to_value(&records[0]).unwrap();
    assert_eq!(json["tables"][0]["writes"][0], serde_json::json!({"key": "42", "value": "hello"}));
}

/// The signature that covers a transaction, with its COSE message if it has one.
fn signature_after(entries: &[ledger::entry::Entry<'_>], seqno: u64) -> Option<(NodeSignature, Option<Vec<u8>>)> {
    entries.iter().filter(|entry| entry.tx_id.seqno > seqno).find_map(|entry| {
        let signature = NodeSignature::from_json(entry.public.get(tables::SIGNATURES, &UNIT_KEY)??).unwrap();
        let cose = entry.public.get(tables::COSE_SIGNATURES, &UNIT_KEY).flatten();
        Some((signature, cose.map(|json| cose_bytes(json).unwrap())))
    })
}

fn service_at(entries: &[ledger::entry::Entry<'_>], seqno: u64) -> Certificate {
    let entries = &entries[..seqno as usize];
    let (_, json) = common::latest(entries, tables::SERVICE_INFO).unwrap();
    let info: serde_json::Value = serde_json::from_slice(&json).unwrap();
    Certificate::from_pem(info["cert"].as_str().unwrap()).unwrap()
}
