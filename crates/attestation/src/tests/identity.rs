//! By what evidence is known again, and that a policy can say which paravisor it trusts.

use coset::{CoseSign1, Label, TaggedCborSerializable as _, cbor::value::Value};
use crypto::{Digest, sha256};
use serde_json::json;

use super::{
    machine::Own,
    report::negate,
    samples::{bare, container, machine, verify},
};
use crate::{Document, policy::Policy};

fn identity(document: Document) -> Digest {
    verify(&document).unwrap().identity
}

/// As the documentation says it.
fn recomputed(platform: &str, statements: &[&[u8]]) -> Digest {
    let digests: Vec<u8> = statements.iter().flat_map(|statement| sha256(statement)).collect();
    sha256(&[platform.as_bytes(), &[0], &digests].concat())
}

#[test]
fn d33_an_identity_is_what_was_signed() {
    let genoa = bare("genoa");
    assert_eq!(identity(Document::Caci(genoa.clone())), recomputed("snp-caci", &[&genoa.report[..672]]));
    let endorsed = container("encryption");
    let message = CoseSign1::from_tagged_slice(endorsed.uvm_endorsements.as_ref().unwrap()).unwrap();
    let statements = [&endorsed.report[..672], &message.tbs_data(b"")];
    assert_eq!(identity(Document::Caci(endorsed.clone())), recomputed("snp-caci", &statements));
    let machine = machine();
    let attest = usize::from(u16::from_be_bytes([machine.quote[0], machine.quote[1]]));
    let statements = [&machine.hcl_report[32..32 + 672], &machine.quote[2..2 + attest]];
    assert_eq!(identity(Document::Cvm(machine.clone())), recomputed("snp-cvm", &statements));
}

#[test]
fn d33_the_same_container_in_other_bytes_has_the_same_identity() {
    let genuine = container("encryption");
    let same = |what: &str, change: &dyn Fn(&mut crate::Caci)| {
        let mut changed = genuine.clone();
        change(&mut changed);
        assert_ne!(changed, genuine, "{what}");
        assert_eq!(identity(Document::Caci(changed)), identity(Document::Caci(genuine.clone())), "{what}");
    };
    same("the other form of the signature", &|changed| negate(&mut changed.report[0x2e8..0x318]));
    same("other lines", &|changed| changed.chain = changed.chain.replace("-----BEGIN", "\n-----BEGIN"));
    same("the firmware beside", &|changed| changed.endorsed_tcb = Some("db18000000000004".into()));
    same("headers that nobody signed", &|changed| {
        let message = changed.uvm_endorsements.as_mut().unwrap();
        let mut parsed = CoseSign1::from_tagged_slice(message).unwrap();
        parsed.unprotected.rest.push((Label::Text("feed".into()), Value::from("another")));
        *message = parsed.to_tagged_vec().unwrap();
    });
}

#[test]
fn d33_the_same_machine_in_other_bytes_has_the_same_identity() {
    let genuine = machine();
    let same = |what: &str, change: &dyn Fn(&mut crate::Cvm)| {
        let mut changed = genuine.clone();
        change(&mut changed);
        assert_ne!(changed, genuine, "{what}");
        assert_eq!(identity(Document::Cvm(changed)), identity(Document::Cvm(genuine.clone())), "{what}");
    };
    same("the other form of the signature", &|changed| {
        changed.snp_report = None;
        negate(&mut changed.hcl_report[32 + 0x2e8..32 + 0x318]);
    });
    same("another version of paravisors", &|changed| changed.hcl_report[4] ^= 3);
    same("zeros", &|changed| changed.hcl_report.push(0));
    same("a certificate that somebody else signed", &|changed| {
        changed.aik_certificate.as_mut().unwrap()[1008] ^= 1;
    });
    same("no certificate", &|changed| changed.aik_certificate = None);
    same("no report beside", &|changed| changed.snp_report = None);
}

#[test]
fn d33_other_evidence_has_another_identity() {
    let mut unendorsed = container("encryption");
    unendorsed.uvm_endorsements = None;
    let documents = [
        Document::Caci(container("encryption")),
        Document::Caci(container("signing")),
        Document::Caci(unendorsed),
        Document::Caci(bare("genoa")),
        Document::Cvm(machine()),
    ];
    let identities: std::collections::BTreeSet<Digest> = documents.into_iter().map(identity).collect();
    assert_eq!(identities.len(), 5);
}

#[test]
fn d33_each_quote_of_a_machine_has_its_own_identity() {
    let quoted = |nonce: &[u8]| Own::asked(nonce).verify().unwrap().statement;
    assert_ne!(quoted(b"one"), quoted(b"other"));
    assert_eq!(quoted(b"one"), quoted(b"one"));
}

#[test]
fn a_policy_says_which_paravisor_it_trusts() {
    let policy = |claims: serde_json::Value| Policy::from_json(claims.as_object().unwrap()).unwrap();
    let genuine = verify(&Document::Cvm(machine())).unwrap().claims;
    // A paravisor of somebody who owns a processor; it says the same of the registers.
    let mut lying = crate::claims::of_cvm(&Own::new().verify().unwrap());
    lying.extend(genuine.clone().into_iter().filter(|(name, _)| name.starts_with("pcr")));
    let registers = json!({"pcr4": [genuine["pcr4"]], "pcr7": [genuine["pcr7"]]});
    assert!(policy(registers.clone()).is_met(&genuine) && policy(registers.clone()).is_met(&lying));
    for (name, accepted) in [
        ("paravisor-idkeydigest", genuine["paravisor-idkeydigest"].clone()),
        ("paravisor-launchmeasurement", genuine["paravisor-launchmeasurement"].clone()),
        ("paravisor-guestsvn", json!(9)),
    ] {
        let mut named = registers.clone();
        named[name] = json!([accepted]);
        assert!(policy(named.clone()).is_met(&genuine), "{name}");
        assert!(!policy(named).is_met(&lying), "{name}");
    }
    let newer = json!({"paravisor-guestsvn": [11]});
    assert!(!policy(newer).is_met(&genuine), "a version is a minimum");
}
