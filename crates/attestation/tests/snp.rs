//! SEV-SNP on genuine evidence: what is accepted, and each way to tamper with it.

mod common;

use attestation::{Check, Trail, snp};
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
fn a_genuine_virtual_machine_is_accepted() {
    let all = common::json("cvm/encryption/attestation.json");
    let part = &all["report"]["snpCvm"];
    let decode = |name: &str| common::base64(&part["evidence"][name]);
    let (quote, hcl, snp_report, aik) =
        (decode("tpmQuote"), decode("hclReport"), decode("snpReport"), decode("aikCert"));
    let pcrs = part["evidence"]["pcrs"].as_object().unwrap().iter();
    let pcrs = pcrs.map(|(name, value)| (name.parse().unwrap(), common::base64(value).try_into().unwrap())).collect();
    let nonce = common::base64(&part["nonce"]);
    let evidence = attestation::cvm::Evidence {
        quote: &quote,
        hcl_report: &hcl,
        snp_report: Some(&snp_report),
        aik_certificate: Some(&aik),
        pcrs: &pcrs,
        nonce: &nonce,
        chain: part["platformCertificates"].as_str().unwrap(),
    };
    let mut trail = Trail::new();
    let verified = attestation::cvm::verify(&evidence, &mut snp::ChainCache::new(4), &mut trail).unwrap();
    assert_eq!(verified.pcrs.len(), 24);
    assert!(trail.passed().contains(&Check::QuoteDigest));
}
