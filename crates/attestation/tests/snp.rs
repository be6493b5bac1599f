//! SEV-SNP on genuine evidence: what is accepted, and each way to tamper with it.

mod common;

use attestation::{Check, Document, Trail, snp};
use common::Sample;

#[test]
fn genuine_reports_are_accepted() {
    for (sample, family, tcb) in [
        (Sample::caci("encryption"), snp::Family::Milan, "db18000000000004"),
        (Sample::caci("signing"), snp::Family::Milan, "db18000000000004"),
        (Sample::cvm(), snp::Family::Milan, "db18000000000004"),
    ] {
        let verified = sample.verify().unwrap();
        assert_eq!((verified.chain.family(), verified.tcb().to_hex().as_str()), (family, tcb));
        assert_eq!(verified.chain.key(), snp::ChipKey::Vcek);
        sample.verify_with(Some(tcb)).unwrap();
    }
    assert_eq!(Sample::genoa().verify().unwrap().chain.family(), snp::Family::Genoa);
}

#[test]
fn genuine_endorsements_of_the_utility_vm_are_accepted() {
    for name in ["encryption", "signing"] {
        let sample = Sample::caci(name);
        let endorsement = attestation::uvm::verify(sample.uvm.as_ref().unwrap(), &mut Trail::new()).unwrap();
        assert_eq!((endorsement.feed.as_str(), endorsement.svn.as_str()), ("ContainerPlat-AMD-UVM", "103"));
        endorsement.check_measurement(&sample.verify().unwrap().report.measurement()).unwrap();
    }
}

#[test]
fn canned_documents_are_accepted_with_their_claims() {
    for (name, host_data) in [
        ("caci/encryption/attestation.json", Some("73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20")),
        ("caci/signing/attestation.json", Some("73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20")),
        ("cvm/encryption/attestation.json", None),
    ] {
        let bytes = std::fs::read(common::path(name)).unwrap();
        let document = Document::from_json(&bytes).unwrap();
        let mut trail = Trail::new();
        let proven = document.verify(&mut snp::ChainCache::new(4), &mut trail).unwrap();
        let key = common::json(name)["publicKey"].as_str().unwrap().to_owned();
        let bound = format!("{}{}", hex::encode(crypto::sha256(key.as_bytes())), "0".repeat(64));
        assert_eq!(proven.bound.as_deref(), Some(bound.as_str()), "{name}");
        match host_data {
            Some(host_data) => assert_eq!(proven.claims["x-ms-sevsnpvm-hostdata"], host_data),
            None => assert_eq!(proven.claims.len(), 24),
        }
        assert!(trail.passed().contains(&Check::ReportSignature));
    }
}
