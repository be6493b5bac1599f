//! A ledger of our own: written as a node does, read back, and judged by the same rules as CCF's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a panic is the failure report")]

#[path = "common/own.rs"]
mod own;

use crypto::{
    AesKey, Curve, SigningKey,
    issue::{node_certificate, self_signed, service_certificate},
};
use kv::{TxId, UNIT_KEY, WriteSet};
use ledger::{
    LedgerError,
    entry::{EntryInput, decode, encode},
    merkle::Tree,
    receipt::{Components, Receipt, verify},
    secrets::LedgerSecrets,
    signature::NodeSignature,
    tables,
    verify::{Options, verify_directory},
};
use own::{Service, VALIDITY, build, single, write};

#[test]
fn what_is_written_verifies() {
    let directory = tempfile::tempdir().unwrap();
    let service = build(directory.path());
    let options =
        Options { service: Some(&service.certificate), secrets: Some(&service.secrets), ..Options::default() };
    let report = verify_directory(directory.path(), options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((report.chunks, report.signatures, report.cose_signatures, report.private), (3, 41, 41, 80));
    assert_eq!((report.verified, report.last), (Some(TxId::new(5, 162)), Some(TxId::new(5, 162))));
}

#[test]
fn receipts_verify_until_any_of_their_parts_is_of_another_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let service = build(directory.path());
    let signature = |seqno: u64| {
        let later = service.entries.iter().skip(seqno as usize).map(|bytes| decode(bytes).unwrap());
        let json = later.filter_map(|entry| entry.public.get(tables::SIGNATURES, &UNIT_KEY).flatten().cloned()).next();
        NodeSignature::from_json(&json.unwrap()).unwrap()
    };
    for seqno in 1..160 {
        let entry = decode(&service.entries[seqno as usize - 1]).unwrap();
        let components = Components {
            write_set_digest: entry.write_set_digest(),
            commit_evidence: service.secrets.for_seqno(seqno).unwrap().commit_evidence(entry.tx_id),
            claims_digest: entry.claims_digest,
        };
        let receipt =
            Receipt::of_transaction(seqno, &components, &service.tree, &signature(seqno), Vec::new()).unwrap();
        let verified = verify(&receipt, &service.certificate).unwrap();
        let claims = entry.claims_digest.filter(|digest| *digest != [0; 32]);
        assert_eq!((verified.tx_id, verified.claims_digest), (Some(entry.tx_id), claims));
        let other = Receipt::of_transaction(seqno + 1, &components, &service.tree, &signature(seqno + 1), Vec::new());
        assert!(other.is_err());
    }
}

/// A receipt of a signature by an earlier identity of the service, endorsed by the current one.
#[test]
fn endorsements_lead_to_the_current_service() {
    let service = Service::new();
    let signature = service.signer().sign_as_node(TxId::new(2, 2), &service.tree.root()).unwrap();
    let current = SigningKey::generate(Curve::P384).unwrap();
    let certificate = service_certificate(&current, "CCF Service", VALIDITY).unwrap();
    let names = [];
    let endorsement = node_certificate(service.key.public(), "CCF Service", &names, VALIDITY, &current, &certificate);
    let endorsement = endorsement.unwrap().to_pem();
    let receipt = |endorsements| Receipt::of_signature(&signature, endorsements).unwrap();
    verify(&receipt(Vec::new()), &service.certificate).unwrap();
    verify(&receipt(vec![endorsement.clone()]), &certificate).unwrap();
    assert!(verify(&receipt(Vec::new()), &certificate).is_err());
    assert!(verify(&receipt(vec![endorsement.clone()]), &service.certificate).is_err());
    assert!(verify(&receipt(vec![endorsement.clone(), endorsement]), &certificate).is_err());
}

/// A ledger that is signed correctly, but where `act` breaks a rule.
fn fails(expected: &str, act: &dyn Fn(&mut Service)) {
    let mut service = Service::new();
    let genesis = service.genesis();
    service.commit(&genesis, 0);
    service.sign(0);
    service.validate().unwrap();
    act(&mut service);
    let error = service.validate().unwrap_err().to_string();
    assert!(error.contains(expected), "expected {expected}, got {error}");
}

#[test]
fn only_endorsed_and_trusted_nodes_sign() {
    fails("signing node", &|s| {
        s.node = SigningKey::generate(Curve::P384).unwrap();
        s.sign(0);
    });
    fails("status of the signing node is Pending", &|s| {
        s.commit(&write(tables::NODES_INFO, &s.node.public().id(), r#"{"status":"Pending"}"#), 0);
        s.sign(0);
    });
    fails("key in cert of the signature", &|s| {
        let other = SigningKey::generate(Curve::P384).unwrap();
        s.node_pem = self_signed(&other, "CCF Node", &[], VALIDITY).unwrap().to_pem();
        s.sign(0);
    });
    fails("certificate of a node", &|s| {
        let id = s.node.public().id();
        let legacy = serde_json::json!({"status": "Trusted", "cert": s.node_pem}).to_string();
        let mut writes = write(tables::NODES_INFO, &id, &legacy);
        writes.put(tables::NODES_ENDORSED_CERTIFICATES, id, s.node_pem.clone());
        s.commit(&writes, 0);
    });
    for table in [tables::NODES_INFO, tables::NODES_ENDORSED_CERTIFICATES] {
        fails("was never there", &|s| {
            let mut writes = WriteSet::default();
            writes.remove(table, "unknown");
            s.commit(&writes, 0);
        });
    }
}

#[test]
fn a_service_changes_as_services_do() {
    fails("kid of the COSE signature", &|s| {
        s.key = SigningKey::generate(Curve::P384).unwrap();
        s.sign(0);
    });
    fails("status of the service", &|s| {
        for status in ["WaitingForRecoveryShares", "Recovering"] {
            let info = s.info(status);
            s.commit(&single(tables::SERVICE_INFO, info), 0);
        }
    });
    fails("version of the previous ledger secret is 2, expected 1", &|s| {
        let table = tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET;
        s.commit(&single(table, r#"{"next_version":1}"#), 0);
        s.commit(&single(table, r#"{"previous_ledger_secret":{"encrypted_data":"","version":2}}"#), 0);
    });
    fails("view of the entry", &|s| {
        s.view = 1;
        s.commit(&write("public:app", "key", "value"), 0);
    });
    fails("does not open", &|s| {
        s.secrets = LedgerSecrets::from_keys([(1, AesKey::from_bytes([9; 32]).unwrap())]).unwrap();
    });
}

#[test]
fn a_signature_has_its_three_tables_and_nothing_else() {
    for map in ["public:app", "private"] {
        fails("tables of a signature transaction", &|s| {
            let mut writes = s.signature();
            writes.put(map, "key", "value");
            s.commit(&writes, 0);
        });
    }
    let without = |s: &Service, left_out: &str| {
        let mut writes = WriteSet::default();
        for (table, values) in s.signature().maps().filter(|(table, _)| *table != left_out) {
            values.iter().for_each(|(key, value)| writes.set(table, key.clone(), value.clone()));
        }
        writes
    };
    fails("without a signature of a node", &|s| {
        let writes = without(s, tables::SIGNATURES);
        s.commit(&writes, 0);
    });
    fails("a signature comes without it", &|s| {
        let writes = without(s, tables::TREE);
        s.commit(&writes, 0);
    });
    fails("tree beside the signature", &|s| {
        let mut writes = s.signature();
        let mut other = Tree::new();
        other.append([1; 32]);
        other.append([2; 32]);
        writes.put(tables::TREE, UNIT_KEY.as_slice(), other.serialise(0, 3).unwrap());
        s.commit(&writes, 0);
    });
    fails("transaction of the signature is 2.3, expected 2.4", &|s| {
        let signature = s.signature();
        s.commit(&write("public:app", "key", "value"), 0);
        s.commit(&signature, 0);
    });
}

/// The same, where only the signed root tells: the error names the transaction that was replaced.
#[test]
fn a_replaced_transaction_is_named() {
    let mut service = Service::new();
    let genesis = service.genesis();
    service.commit(&genesis, 0);
    service.sign(0);
    for key in ["a", "b", "c"] {
        service.commit(&write("public:app", key, "true"), 0);
    }
    service.sign(0);
    let replaced = write("public:app", "b", "false");
    let (tx_id, secrets) = (TxId::new(2, 4), &service.secrets);
    let input = EntryInput { tx_id, flags: 0, writes: &replaced, claims_digest: [0; 32], secrets };
    service.entries[3] = encode(input).unwrap().bytes;
    assert!(matches!(service.validate(), Err(LedgerError::Changed { seqno: 4, .. })));
}
