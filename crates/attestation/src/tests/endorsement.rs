//! Endorsements of utility VMs: the genuine one changed, and those of a maker of our own.

use coset::{CborSerializable as _, CoseSign1, Label, TaggedCborSerializable as _, cbor::value::Value};
use rcgen::{BasicConstraints, CustomExtension, IsCa, KeyUsagePurpose};

use super::{
    forge::{Authority, authority, named},
    makers::{Maker, USAGE, payload, signer, verify},
    samples::{Random, bare, container, refused},
};
use crate::{Check, policy::Policy, uvm};

fn genuine() -> Vec<u8> {
    container("encryption").uvm_endorsements.unwrap()
}

/// Where a part of a message stands in it.
fn place(message: &[u8], part: &[u8]) -> std::ops::Range<usize> {
    let at = message.windows(part.len()).position(|window| window == part).unwrap();
    at..at + part.len()
}

#[test]
fn every_part_of_a_genuine_endorsement_counts() {
    use Check::{UvmChain, UvmFormat, UvmIssuer, UvmPayload, UvmSignature};
    let message = genuine();
    let parsed = CoseSign1::from_tagged_slice(&message).unwrap();
    let certificates = crypto::cose::Sign1::from_bytes(&message)
        .unwrap()
        .x5chain()
        .unwrap()
        .into_iter()
        .map(<[u8]>::to_vec)
        .collect::<Vec<_>>();
    let protected = place(&message, parsed.protected.original_data.as_ref().unwrap());
    let certificate = |at: usize| place(&message, &certificates[at]);
    let text = |text: &str| place(&message, text.as_bytes());
    let mut random = Random(3);
    for (part, place, allowed) in [
        ("tag", 0..1, &[UvmFormat][..]),
        ("payload", place(&message, parsed.payload.as_ref().unwrap()), &[UvmSignature, UvmPayload]),
        ("signature", place(&message, &parsed.signature), &[UvmSignature]),
        ("algorithm", protected.start + 1..protected.start + 4, &[UvmFormat, UvmSignature]),
        ("content type", text("application/json"), &[UvmFormat]),
        ("issuer", text("did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s"), &[UvmFormat, UvmIssuer]),
        ("issuer's policy", text("eku:1.3.6.1.4.1.311.76.59.1.2"), &[UvmFormat, UvmIssuer, UvmSignature]),
        ("feed", text("ContainerPlat-AMD-UVM"), &[UvmFormat, UvmSignature]),
        ("time of signing", text("signingtime"), &[UvmFormat, UvmSignature]),
        ("signer", certificate(0), &[UvmFormat, UvmChain]),
        ("authority", certificate(1), &[UvmFormat, UvmChain]),
        ("root", certificate(2), &[UvmFormat, UvmChain, UvmIssuer]),
    ] {
        for _ in 0..24.min(8 * place.len()) {
            let (at, bit) = (place.start + random.below(place.len()), random.below(8));
            let mut changed = message.clone();
            changed[at] ^= 1 << bit;
            let found = verify(&changed).expect_err(part);
            assert!(allowed.contains(&found), "{part}, byte {at}, bit {bit}: {found}");
        }
    }
}

#[test]
fn a_flipped_signature_of_each_certificate_is_refused() {
    let message = genuine();
    for der in crypto::cose::Sign1::from_bytes(&message).unwrap().x5chain().unwrap() {
        let mut changed = message.clone();
        changed[place(&message, der).end - 1] ^= 1;
        assert_eq!(verify(&changed), Err(Check::UvmChain));
    }
}

#[test]
fn what_stands_beside_the_signed_headers_says_nothing() {
    let message = genuine();
    let mut parsed = CoseSign1::from_tagged_slice(&message).unwrap();
    let expected = verify(&message).unwrap();
    for (label, value) in parsed.unprotected.rest.iter_mut() {
        assert_eq!(*label, Label::Text("timestamp".into()));
        *value = Value::from("another");
    }
    parsed.unprotected.rest.push((Label::Text("feed".into()), Value::from("another")));
    assert_eq!(verify(&parsed.to_tagged_vec().unwrap()), Ok(expected));
    let mut maker = Maker::new();
    maker.feed = None;
    let mut message = CoseSign1::from_tagged_slice(&maker.sign()).unwrap();
    message.unprotected.rest.push((Label::Text("feed".into()), Value::from("feed")));
    assert_eq!(verify(&message.to_tagged_vec().unwrap()), Err(Check::UvmFormat));
}

#[test]
fn an_endorsement_of_another_size_is_refused() {
    let message = genuine();
    assert_eq!(verify(&[]), Err(Check::UvmFormat));
    for length in [1, message.len() / 2, message.len() - 1] {
        assert_eq!(verify(&message[..length]), Err(Check::UvmFormat), "{length}");
    }
    assert_eq!(verify(&[&message[..], &[0]].concat()), Err(Check::UvmFormat));
    let mut maker = Maker::new();
    let room = 64 * 1024 - maker.sign().len();
    maker.payload.extend(vec![b' '; room - 1]);
    assert_eq!(maker.sign().len(), 64 * 1024);
    assert!(maker.verify().is_ok());
    maker.payload.push(b' ');
    assert_eq!(maker.verify(), Err(Check::UvmFormat));
}

#[test]
fn another_launch_is_not_endorsed() {
    let mut other = bare("genoa");
    other.uvm_endorsements = Some(genuine());
    assert_eq!(refused(&other, |_| ()), Some(Check::UvmMeasurement));
    assert!(verify(&genuine()).unwrap().check_measurement(&[0; 48]).is_err());
}

#[test]
fn d27_whoever_endorses_is_for_the_policy_to_say() {
    let mut evidence = bare("genoa");
    let mut maker = Maker::new();
    maker.payload = payload(&hex::encode(&evidence.report[0x90..0xc0]), "103");
    maker.feed = Some("ContainerPlat-AMD-UVM".into());
    evidence.uvm_endorsements = Some(maker.sign());
    let proven = super::samples::verify(&crate::Document::Caci(evidence)).unwrap();
    let genuine = super::samples::verify(&crate::Document::Caci(container("encryption"))).unwrap();
    let wanted = serde_json::json!({"uvm_endorsements-did": [genuine.claims["uvm_endorsements-did"]]});
    let policy = Policy::from_json(wanted.as_object().unwrap()).unwrap();
    assert!(policy.is_met(&genuine.claims) && !policy.is_met(&proven.claims));
    assert!(genuine.uvm.is_some() && proven.claims["uvm_endorsements-feed"] == "ContainerPlat-AMD-UVM");
    // The name of another maker is not to be had without its certificates.
    maker.iss = Some(genuine.claims["uvm_endorsements-did"].as_str().unwrap().into());
    assert_eq!(maker.verify(), Err(Check::UvmIssuer));
}

#[test]
fn headers_are_as_they_should_be() {
    let endorsement = Maker::new().verify().unwrap();
    assert_eq!(
        (endorsement.feed.as_str(), endorsement.svn.as_str(), endorsement.measurement),
        ("feed", "7", [0xab; 48])
    );
    for (what, change) in [
        ("no issuer", (|maker| maker.iss = None) as fn(&mut Maker)),
        ("an issuer of bytes", |maker| maker.iss = Some(Value::Bytes(vec![1]))),
        ("no feed", |maker| maker.feed = None),
        ("a feed of another type", |maker| maker.feed = Some(1.into())),
        ("two feeds", |_| ()),
        ("no content type", |maker| maker.content_type = None),
        ("another content type", |maker| maker.content_type = Some("text/plain")),
        ("a critical header", |maker| maker.critical = true),
    ] {
        let mut maker = Maker::new();
        change(&mut maker);
        let found = if what == "two feeds" { twice(&maker) } else { maker.verify() };
        assert_eq!(found.err(), Some(Check::UvmFormat), "{what}");
    }
    let mut maker = Maker::new();
    maker.more = vec![(Label::Text("other".into()), Value::Null)];
    assert!(maker.verify().is_ok(), "headers that nobody demands to be understood");
}

/// A message with a header twice, which the library does not write.
fn twice(maker: &Maker) -> Result<uvm::Endorsement, Check> {
    let mut header = Vec::new();
    let Ok(Value::Map(mut map)) = Value::from_slice(&maker.header().to_vec().unwrap()) else { panic!("a map") };
    map.push((Value::from("feed"), Value::from("feed")));
    coset::cbor::ser::into_writer(&Value::Map(map), &mut header).unwrap();
    let signed = Value::Array(vec![
        "Signature1".into(),
        Value::Bytes(header.clone()),
        Value::Bytes(Vec::new()),
        Value::Bytes(maker.payload.clone()),
    ]);
    let mut bytes = Vec::new();
    coset::cbor::ser::into_writer(&signed, &mut bytes).unwrap();
    let signature = maker.chain[0].key.sign(&bytes).unwrap();
    let message = Value::Tag(
        18,
        Box::new(Value::Array(vec![
            Value::Bytes(header),
            Value::Map(Vec::new()),
            Value::Bytes(maker.payload.clone()),
            Value::Bytes(signature),
        ])),
    );
    let mut bytes = Vec::new();
    coset::cbor::ser::into_writer(&message, &mut bytes).unwrap();
    verify(&bytes)
}

#[test]
fn payloads_are_json_with_a_measurement_and_a_version() {
    let valid = "ab".repeat(48);
    let twice = String::from_utf8(payload(&valid, "7")).unwrap().replace('}', r#","x-ms-sevsnpvm-guestsvn":"9"}"#);
    for (what, payload) in [
        ("nothing", Vec::new()),
        ("no JSON", b"x".to_vec()),
        ("more than JSON", [payload(&valid, "7"), b"x".to_vec()].concat()),
        ("no version", format!(r#"{{"x-ms-sevsnpvm-launchmeasurement":"{valid}"}}"#).into_bytes()),
        ("no measurement", br#"{"x-ms-sevsnpvm-guestsvn":"7"}"#.to_vec()),
        ("a short measurement", payload(&valid[2..], "7")),
        ("a long measurement", payload(&format!("{valid}ab"), "7")),
        ("no digits", payload(&valid.replace('a', "x"), "7")),
        ("an empty version", payload(&valid, "")),
        ("a negative version", payload(&valid, "-1")),
        ("a long version", payload(&valid, &"1".repeat(21))),
        ("another version", payload(&valid, "1e2")),
        ("two versions", twice.into_bytes()),
    ] {
        let maker = Maker { payload, ..Maker::new() };
        assert_eq!(maker.verify(), Err(Check::UvmPayload), "{what}");
    }
    let maker = Maker { payload: payload(&valid, &"1".repeat(20)), ..Maker::new() };
    assert_eq!(maker.verify().unwrap().svn, "1".repeat(20));
}

#[test]
fn a_message_carries_its_payload_and_is_signed_by_its_signer() {
    let mut message = CoseSign1::from_tagged_slice(&Maker::new().sign()).unwrap();
    message.payload = None;
    assert_eq!(verify(&message.to_tagged_vec().unwrap()), Err(Check::UvmSignature));
    let mut maker = Maker::new();
    let stranger = maker.chain[1].issue(signer());
    let certificates = maker.certificates();
    maker.chain[0] = stranger;
    maker.more = vec![(Label::Int(33), certificates)];
    assert_eq!(maker.verify(), Err(Check::UvmSignature));
}

#[test]
fn chains_have_two_to_eight_certificates() {
    let maker = Maker::new();
    let certificate = Value::Bytes(maker.chain[0].certificate.der().to_vec());
    for (what, chain) in [
        ("a single one", certificate.clone()),
        ("one in a list", Value::Array(vec![certificate.clone()])),
        ("none", Value::Array(Vec::new())),
        ("nine", Value::Array(vec![certificate.clone(); 9])),
        ("a number", Value::from(1)),
        ("a list of numbers", Value::Array(vec![certificate.clone(), Value::from(1)])),
        ("no certificate", Value::Array(vec![certificate, Value::Bytes(vec![0x30])])),
    ] {
        let maker = Maker { more: vec![(Label::Int(33), chain)], ..Maker::new() };
        assert_eq!(maker.verify(), Err(Check::UvmChain), "{what}");
    }
    let mut chain = vec![Authority::root("root", 6)];
    for number in 0..6 {
        chain.push(chain[number].issue(authority(&format!("issuer {number}"), KeyUsagePurpose::KeyCertSign)));
    }
    chain.push(chain[6].issue(signer()));
    chain.reverse();
    assert!(Maker::with_chain(chain).verify().is_ok(), "eight");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_certificate_may_be_issued_by_the_next() {
    let issuer = || authority("issuer", KeyUsagePurpose::KeyCertSign);
    let root = || Authority::root("root", 1);
    let unknown = |critical| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
        extension.set_criticality(critical);
        extension
    };
    let params = |mut params: rcgen::CertificateParams, change: &dyn Fn(&mut rcgen::CertificateParams)| {
        change(&mut params);
        params
    };
    let usage = |usage: KeyUsagePurpose| move |params: &mut rcgen::CertificateParams| params.key_usages = vec![usage];
    for (what, maker, is_taken) in [
        ("as it should be", Maker::of(root(), issuer(), signer()), true),
        (
            "an issuer that is no authority",
            Maker::of(root(), params(issuer(), &|params| params.is_ca = IsCa::ExplicitNoCa), signer()),
            false,
        ),
        (
            "an issuer that does not say it",
            Maker::of(root(), params(issuer(), &|params| params.is_ca = IsCa::NoCa), signer()),
            false,
        ),
        (
            "an issuer's key for signatures",
            Maker::of(root(), params(issuer(), &usage(KeyUsagePurpose::DigitalSignature)), signer()),
            false,
        ),
        (
            "an issuer's key for anything",
            Maker::of(root(), params(issuer(), &|params| params.key_usages.clear()), signer()),
            true,
        ),
        ("a root that allows none below", Maker::of(Authority::root("root", 0), issuer(), signer()), false),
        (
            "an issuer that allows none below",
            Maker::of(
                root(),
                params(issuer(), &|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
                signer(),
            ),
            true,
        ),
        (
            "a signer's key for certificates",
            Maker::of(root(), issuer(), params(signer(), &usage(KeyUsagePurpose::KeyCertSign))),
            false,
        ),
        (
            "a signer's key for anything",
            Maker::of(root(), issuer(), params(signer(), &|params| params.key_usages.clear())),
            true,
        ),
        (
            "a signer with an unknown extension",
            Maker::of(root(), issuer(), params(signer(), &|params| params.custom_extensions.push(unknown(false)))),
            true,
        ),
        (
            "a critical one",
            Maker::of(root(), issuer(), params(signer(), &|params| params.custom_extensions.push(unknown(true)))),
            false,
        ),
        (
            "two of them",
            Maker::of(
                root(),
                issuer(),
                params(signer(), &|params| params.custom_extensions.extend([unknown(false), unknown(false)])),
            ),
            false,
        ),
        (
            "a critical one of the issuer",
            Maker::of(root(), params(issuer(), &|params| params.custom_extensions.push(unknown(true))), signer()),
            false,
        ),
        (
            "a critical one of the root",
            Maker::of(
                Authority::self_signed(params(authority("root", KeyUsagePurpose::KeyCertSign), &|params| {
                    params.custom_extensions.push(unknown(true))
                })),
                issuer(),
                signer(),
            ),
            false,
        ),
        (
            "a root's key for signatures",
            Maker::of(Authority::self_signed(authority("root", KeyUsagePurpose::DigitalSignature)), issuer(), signer()),
            false,
        ),
        ("a root that is no authority", Maker::of(Authority::self_signed(named("root")), issuer(), signer()), false),
    ] {
        assert_eq!(maker.verify().err(), (!is_taken).then_some(Check::UvmChain), "{what}");
    }
}

#[test]
fn names_in_a_chain_follow_each_other() {
    let mut maker = Maker::new();
    // The issuer's key, under another name.
    let other = Authority::root("other", 1);
    maker.chain[2] = other;
    assert_eq!(maker.verify(), Err(Check::UvmChain));
    let mut maker = Maker::new();
    maker.chain[2] = Authority::root("root", 1);
    assert_eq!(maker.verify(), Err(Check::UvmChain), "the same name, another key");
    let mut maker = Maker::new();
    maker.chain.swap(0, 1);
    assert_eq!(maker.verify(), Err(Check::UvmChain), "another order");
}

#[test]
fn an_authority_in_the_middle_may_be_the_one_that_is_trusted() {
    let mut maker = Maker::new();
    maker.iss = Some(maker.did(1, &format!("::eku:{USAGE}")).into());
    assert!(maker.verify().is_ok());
    maker.chain.pop();
    assert!(maker.verify().is_ok(), "without the root");
    maker.iss = Some(maker.did(0, &format!("::eku:{USAGE}")).into());
    assert_eq!(maker.verify(), Err(Check::UvmIssuer), "the signer is no authority");
}
