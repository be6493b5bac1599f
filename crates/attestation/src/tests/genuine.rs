//! Genuine evidence is accepted, and says what it is known to say.

use serde_json::{Value, json};

use super::samples::{CANNED, bare, bytes, container, json, machine, reports, verify};
use crate::{
    Bound, Check, Claims, Document, Platform, Trail, Verifier,
    snp::{Chain, ChipKey, Family},
};

#[test]
fn reports_of_every_version_family_and_kind_of_key_are_accepted() {
    for (name, version, family, key, tcb, product) in [
        ("encryption", 3, Family::Milan, ChipKey::Vcek, "db18000000000004", "Milan-B0"),
        ("signing", 3, Family::Milan, ChipKey::Vcek, "db18000000000004", "Milan-B0"),
        ("machine", 3, Family::Milan, ChipKey::Vcek, "db18000000000004", "Milan-B0"),
        ("genoa", 3, Family::Genoa, ChipKey::Vcek, "541700000000000a", "Genoa"),
        ("milan-v2", 2, Family::Milan, ChipKey::Vcek, "7308000000000003", "Milan-B0"),
        ("vlek", 5, Family::Milan, ChipKey::Vlek, "de1d000000000004", "Milan"),
    ] {
        let (_, mut evidence) = reports().into_iter().find(|(one, _)| *one == name).unwrap();
        evidence.endorsed_tcb = Some(tcb.to_owned());
        let proven = verify(&Document::Caci(evidence)).unwrap_or_else(|why| panic!("{name}: {why}"));
        let snp = proven.snp.unwrap();
        assert_eq!((snp.report.version(), snp.chain.family(), snp.chain.key()), (version, family, key), "{name}");
        assert_eq!((snp.tcb().to_hex().as_str(), snp.chain.product()), (tcb, product), "{name}");
        let provider = (key == ChipKey::Vlek).then_some("CN=cc-eu-west-1.amazonaws.com");
        assert_eq!(snp.chain.provider(), provider, "{name}");
    }
}

#[test]
fn a_chain_of_the_newest_family_is_accepted() {
    let chain = Chain::verify(&String::from_utf8(bytes("turin/chain.pem")).unwrap(), &mut Trail::new()).unwrap();
    assert_eq!((chain.family(), chain.key(), chain.product()), (Family::Turin, ChipKey::Vcek, "Turin"));
}

#[test]
fn the_claims_of_a_container_are_those_that_were_recorded() {
    let proven = verify(&Document::Caci(container("encryption"))).unwrap();
    let mut claims = proven.claims;
    let signature = ["signature-r", "signature-s"].map(|name| claims.remove(name).unwrap());
    assert!(signature.iter().all(|value| value.as_str().unwrap().len() == 144), "72 bytes as they stand in the report");
    let key = crypto::sha256(&bytes("caci/encryption/pub_key.pem"));
    let expected = json!({
        "x-ms-ver": "3",
        "x-ms-sevsnpvm-guestsvn": 2,
        "x-ms-sevsnpvm-smt-allowed": true,
        "x-ms-sevsnpvm-is-debuggable": false,
        "x-ms-sevsnpvm-familyId": "01000000000000000000000000000000",
        "x-ms-sevsnpvm-imageId": "02000000000000000000000000000000",
        "x-ms-sevsnpvm-vmpl": 0,
        "x-ms-sevsnpvm-reportdata": format!("{}{}", hex::encode(key), "0".repeat(64)),
        "x-ms-sevsnpvm-launchmeasurement":
            "d0c9e2be22046e60779be88868cff64c2aa22047c15d3127ba495cee3fbc2854c5633f9da2096e6c64ae2b69bbff8082",
        "x-ms-sevsnpvm-hostdata": "73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20",
        "uvm_endorsements-did":
            "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2",
        "uvm_endorsements-feed": "ContainerPlat-AMD-UVM",
        "uvm_endorsements-svn": "103",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(claims.remove(name).as_ref(), Some(value), "{name}");
    }
    let rest: Vec<(String, usize)> =
        claims.into_iter().map(|(name, value)| (name, value.as_str().unwrap().len())).collect();
    let name = |short: &str| format!("x-ms-sevsnpvm-{short}");
    assert_eq!(rest, [(name("authorkeydigest"), 96), (name("idkeydigest"), 96), (name("reportid"), 64)]);
}

#[test]
fn the_claims_of_a_virtual_machine_are_its_registers() {
    let expected = json("cvm/encryption/attestation.json")["report"]["snpCvm"]["evidence"]["pcrs"].clone();
    let mut expected: Claims =
        expected.as_object().unwrap().iter().map(|(number, value)| (format!("pcr{number}"), value.clone())).collect();
    assert_eq!(expected.len(), 24);
    let paravisor = json!({
        "paravisor-authorkeydigest": "0".repeat(96),
        "paravisor-familyId": "02212000000000000000000000000000",
        "paravisor-guestsvn": 10,
        "paravisor-idkeydigest":
            "942fd93ebde6ea7a96efadeafc60f1c6b3d10e703b1dafd7555b92f7f3d32d0e006767648cba5b102af3d65756af4177",
        "paravisor-imageId": "02000000000000000000000000000000",
        "paravisor-launchmeasurement":
            "6a063be9dd79f6371c842e480f8dc3b5c725961344e57130e88c5adf49e8f7f6c79b75a5eb77fc769959f4aeb2f9401e",
    });
    expected.extend(paravisor.as_object().unwrap().clone());
    assert_eq!(verify(&Document::Cvm(machine())).unwrap().claims, expected);
}

/// What the rules of the consortium let a policy name is what evidence shows, and no name means two things.
#[test]
fn d10_a_policy_names_the_claims_of_its_own_evidence() {
    let rules = include_str!("../../../../constitution/policy.js");
    let (_, of_machines) = rules.split_once("\"snp-cvm\"").unwrap();
    let (of_machines, _) = of_machines.split_once("]);").unwrap();
    let named: Vec<&str> = of_machines.split('"').filter(|text| text.starts_with("paravisor-")).collect();
    assert_eq!(named, crate::claims::PARAVISOR);
    let [container, machine] = [Document::Caci(container("encryption")), Document::Cvm(machine())]
        .map(|document| verify(&document).unwrap().claims);
    assert!(container.keys().all(|name| !machine.contains_key(name)));
}

#[test]
fn the_key_beside_the_evidence_is_bound() {
    for name in CANNED {
        let document = Document::from_json(&bytes(name)).unwrap();
        let bound = verify(&document).unwrap().bound;
        let key = json(name)["publicKey"].as_str().unwrap().to_owned();
        assert_eq!(bound.check_key(key.as_bytes()), Ok(()), "{name}");
        assert!(bound.check_key(format!("{key}\n").as_bytes()).is_err(), "{name}: byte for byte");
        assert_eq!(matches!(bound, Bound::UserData(_)), document.platform() == Platform::SnpCvm);
    }
}

#[test]
fn the_wire_and_the_agents_spell_it_differently() {
    let canned = |name: &str| json(name)["report"].take();
    let mut container = canned("caci/signing/attestation.json")["snpCACI"].take();
    let wire = json!({
        "evidence": container["attestation"].take(),
        "endorsements": container["platformCertificates"].take(),
        "uvm_endorsements": container["uvmEndorsements"].take(),
        "endorsed_tcb": "",
    });
    assert_same(&wire, Platform::SnpCaci, "caci/signing/attestation.json");
    let machine = canned("cvm/encryption/attestation.json")["snpCvm"].take();
    assert_same(&machine, Platform::SnpCvm, "cvm/encryption/attestation.json");
}

fn assert_same(wire: &Value, platform: Platform, canned: &str) {
    let document = Document::from_json(&bytes(canned)).unwrap();
    assert_eq!(Document::from_json(wire.to_string().as_bytes()).unwrap(), document);
    assert_eq!(Document::of_platform(platform, wire.clone()).unwrap(), document);
    assert_eq!((document.platform(), document.platform().to_string().as_str()), (platform, platform.name()));
}

#[test]
fn evidence_passes_the_checks_that_it_announces() {
    let mut documents: Vec<Document> = CANNED
        .iter()
        .map(|name| Document::from_json(&bytes(name)).unwrap())
        .chain([Document::Caci(bare("genoa"))])
        .collect();
    let mut with_tcb = container("encryption");
    with_tcb.endorsed_tcb = Some("db18000000000004".into());
    let mut without_aik = machine();
    without_aik.aik_certificate = None;
    without_aik.snp_report = None;
    documents.extend([Document::Caci(with_tcb), Document::Cvm(without_aik)]);
    let mut verifier = Verifier::new(1);
    for document in &documents {
        // The second time, the chain comes from the cache.
        for _ in 0..2 {
            let mut trail = Trail::new();
            verifier.verify(document, &mut trail).unwrap();
            assert_eq!(trail.passed(), document.checks());
        }
    }
}

#[test]
fn d30_dates_of_certificates_do_not_matter() {
    let certificate = crypto::certificates_from_pem(&bare("vlek").chain).unwrap().remove(0);
    let message = container("encryption").uvm_endorsements.unwrap();
    let message = crypto::cose::Sign1::from_bytes(&message).unwrap();
    let signer = crypto::Certificate::from_der(message.x5chain().unwrap()[0]).unwrap();
    // Nothing here knows what time it is: one of these is over, the other will be.
    assert!(signer.not_after() < certificate.not_after());
    verify(&Document::Caci(bare("vlek"))).unwrap();
    verify(&Document::Caci(container("encryption"))).unwrap();
}

#[test]
fn d16_registers_are_proven_whatever_their_order_in_the_json() {
    let text = String::from_utf8(bytes("cvm/encryption/attestation.json")).unwrap();
    let mut json: Value = serde_json::from_str(&text).unwrap();
    let pcrs = &mut json["report"]["snpCvm"]["evidence"]["pcrs"];
    let reversed: serde_json::Map<String, Value> =
        pcrs.as_object().unwrap().iter().rev().map(|(name, value)| (name.clone(), value.clone())).collect();
    assert_eq!(reversed.keys().next().unwrap(), "23");
    *pcrs = Value::Object(reversed);
    let document = Document::from_json(json.to_string().as_bytes()).unwrap();
    assert_eq!(document, Document::Cvm(machine()));
}

#[test]
fn what_a_report_says_is_read_where_it_stands() {
    let snp = verify(&Document::Caci(bare("vlek"))).unwrap().snp.unwrap();
    let report = &snp.report;
    assert_eq!((report.guest_svn(), report.vmpl(), report.signature_algorithm()), (0, 1, 1));
    assert_eq!((report.platform_info(), report.signing_key(), report.cpuid()), (0x27, 1, Some((0x19, 0x01))));
    assert_eq!((report.policy().0, report.chip_id(), report.report_id_ma()), (0x0203_0000, [0; 64], [0xff; 32]));
    assert_eq!(hex::encode(report.report_id()), "d0965113a4188af55ae6bfaecf78ce564aa0f4df816d8d1dfba5f184c003b8df");
    let milan = |hex| crate::snp::Tcb::from_hex(Family::Milan, hex).unwrap();
    assert_eq!(report.current_tcb(Family::Milan), milan("de1d000000000004"));
    assert_eq!(report.committed_tcb(Family::Milan), milan("de1d000000000004"));
    assert_eq!(report.launch_tcb(Family::Milan), milan("de1d000000000004"));
    assert!(!format!("{report:?}").is_empty());
    assert_eq!(verify(&Document::Caci(bare("milan-v2"))).unwrap().snp.unwrap().report.cpuid(), None);
}

#[test]
fn a_minimum_of_the_firmware_is_compared_part_by_part() {
    let snp = verify(&Document::Caci(container("encryption"))).unwrap().snp.unwrap();
    let minimum = |hex| snp.check_minimum(crate::snp::Tcb::from_hex(Family::Milan, hex).unwrap());
    assert_eq!(minimum("db18000000000004"), Ok(()));
    assert_eq!(minimum("0000000000000000"), Ok(()));
    for newer in ["dc18000000000004", "db19000000000004", "db18000000000104", "0000000000000005"] {
        assert_eq!(minimum(newer).unwrap_err().check, Check::MinimumTcb, "{newer}");
    }
    let genoa = crate::snp::Tcb::new(Family::Genoa, [0; 8]);
    assert_eq!(snp.check_minimum(genoa).unwrap_err().check, Check::MinimumTcb);
}
