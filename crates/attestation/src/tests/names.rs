//! Names of makers: did:x509.

use proptest::prelude::*;
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};

use super::{
    forge::{Authority, authority, named},
    makers::{Maker, USAGE, signer},
};
use crate::{Check, did};

/// Whether a name resolves for a signer with these parameters.
fn resolves(params: rcgen::CertificateParams, policies: &str) -> bool {
    let maker = Maker::of(Authority::root("root", 1), authority("issuer", KeyUsagePurpose::KeyCertSign), params);
    let chain: Vec<_> = maker.chain.iter().map(|one| one.certificate.clone()).collect();
    did::resolve(&maker.did(2, policies), &chain).is_ok()
}

#[test]
fn names_by_extended_key_usage() {
    for (policies, resolved) in [
        ("::eku:1.3.6.1.4.1.311.76.59.1.2", true),
        ("::eku:1.3.6.1.4.1.311.76.59.1", false),
        ("::eku:1.3.6.1.4.1.311.76.59.1.2.3", false),
        ("::eku:1.3.6.1.5.5.7.3.3", false),
        ("::eku:", false),
        ("::eku", false),
        ("", false),
        ("::", false),
        ("::eku:1.3.6.1.4.1.311.76.59.1.2::", false),
        ("::eku:1.3.6.1.4.1.311.76.59.1.2::subject:CN:signer", true),
        ("::eku:1.3.6.1.4.1.311.76.59.1.2::subject:CN:other", false),
        ("::EKU:1.3.6.1.4.1.311.76.59.1.2", false),
        ("::other:1", false),
    ] {
        assert_eq!(resolves(signer(), policies), resolved, "{policies}");
    }
    let usages = [
        (ExtendedKeyUsagePurpose::Any, "2.5.29.37.0"),
        (ExtendedKeyUsagePurpose::ServerAuth, "1.3.6.1.5.5.7.3.1"),
        (ExtendedKeyUsagePurpose::ClientAuth, "1.3.6.1.5.5.7.3.2"),
        (ExtendedKeyUsagePurpose::CodeSigning, "1.3.6.1.5.5.7.3.3"),
        (ExtendedKeyUsagePurpose::EmailProtection, "1.3.6.1.5.5.7.3.4"),
        (ExtendedKeyUsagePurpose::TimeStamping, "1.3.6.1.5.5.7.3.8"),
        (ExtendedKeyUsagePurpose::OcspSigning, "1.3.6.1.5.5.7.3.9"),
    ];
    for (usage, oid) in &usages {
        let mut params = named("signer");
        params.extended_key_usages = vec![usage.clone()];
        let found: Vec<&str> = usages
            .iter()
            .map(|(_, oid)| *oid)
            .filter(|oid| resolves(params.clone(), &format!("::eku:{oid}")))
            .collect();
        assert_eq!(found, [*oid]);
    }
    assert!(!resolves(named("signer"), "::eku:2.5.29.37.0"), "no extended key usage at all");
}

#[test]
fn names_by_subject() {
    let mut params = named("a b");
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Über:GmbH");
    params.distinguished_name.push(rcgen::DnType::CountryName, "DE");
    params.distinguished_name.push(rcgen::DnType::LocalityName, "L");
    params.distinguished_name.push(rcgen::DnType::StateOrProvinceName, "ST");
    params.distinguished_name.push(rcgen::DnType::OrganizationalUnitName, "OU");
    params.distinguished_name.push(rcgen::DnType::CustomDnType(vec![2, 5, 4, 9]), "STREET");
    for (policies, resolved) in [
        ("::subject:CN:a%20b", true),
        ("::subject:2.5.4.3:a%20b", true),
        ("::subject:O:%C3%9Cber%3aGmbH:CN:a%20b", true),
        ("::subject:L:L:ST:ST:OU:OU:C:DE:STREET:STREET", true),
        ("::subject:CN:a%20b:O:x", false),
        ("::subject:CN:a b", false),
        ("::subject:CN:a+b", false),
        ("::subject:CN:a%2", false),
        ("::subject:CN:a%2x", false),
        ("::subject:CN:%FF", false),
        ("::subject:CN:", false),
        ("::subject:CN", false),
        ("::subject:", false),
        ("::subject:CN:a%20b:O", false),
        ("::subject:CN:a%20b:CN:a%20b", false),
        ("::subject:CN:a%20b:2.5.4.3:a%20b", false),
        ("::subject:cn:a%20b", false),
        ("::subject:1.2.3:a%20b", false),
    ] {
        assert_eq!(resolves(params.clone(), policies), resolved, "{policies}");
    }
    let mut twice = named("one");
    twice.distinguished_name.push(rcgen::DnType::CustomDnType(vec![2, 5, 4, 3]), "two");
    assert!(!resolves(twice.clone(), "::subject:CN:one") && !resolves(twice, "::subject:CN:two"));
}

#[test]
fn names_by_alternative_name_and_issuer_of_tokens() {
    let mut params = named("signer");
    params.subject_alt_names = vec![
        SanType::Rfc822Name("bob@example.com".try_into().unwrap()),
        SanType::DnsName("example.com".try_into().unwrap()),
        SanType::URI("https://example.com/a".try_into().unwrap()),
    ];
    let issuer =
        CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, 1], b"https://accounts.example.com".to_vec());
    params.custom_extensions = vec![issuer];
    for (policies, resolved) in [
        ("::san:email:bob%40example.com", true),
        ("::san:dns:example.com", true),
        ("::san:uri:https%3A%2F%2Fexample.com%2Fa", true),
        ("::san:uri:https://example.com/a", false),
        ("::san:dns:bob%40example.com", false),
        ("::san:email:example.com", false),
        ("::san:dn:example.com", false),
        ("::san:dns", false),
        ("::san:dns:", false),
        ("::san:dns:other.com", false),
        ("::fulcio-issuer:accounts.example.com", true),
        ("::fulcio-issuer:accounts.example.com::san:dns:example.com", true),
        ("::fulcio-issuer:accounts.example.org", false),
        ("::fulcio-issuer:", false),
    ] {
        assert_eq!(resolves(params.clone(), policies), resolved, "{policies}");
    }
    assert!(!resolves(named("signer"), "::san:dns:example.com"));
    assert!(!resolves(named("signer"), "::fulcio-issuer:accounts.example.com"));
}

#[test]
fn names_of_another_form_are_none() {
    let maker = Maker::new();
    let chain: Vec<_> = maker.chain.iter().map(|one| one.certificate.clone()).collect();
    let policy = format!("::eku:{USAGE}");
    let valid = maker.did(2, &policy);
    assert!(did::resolve(&valid, &chain).is_ok());
    let long = format!("{valid}{}", "::subject:CN:signer".repeat(100));
    assert_eq!(did::resolve(&long, &chain).is_ok(), long.len() <= 2048);
    // The two policies have 31 and 19 bytes, so every length is to be had.
    let of_length = |length: usize| {
        let rest = length - valid.len();
        let signers = (0..31).find(|count| (rest - 19 * count).is_multiple_of(policy.len())).unwrap();
        format!(
            "{valid}{}{}",
            "::subject:CN:signer".repeat(signers),
            policy.repeat((rest - 19 * signers) / policy.len())
        )
    };
    for (length, is_ok) in [(2048, true), (2049, false)] {
        let name = of_length(length);
        assert_eq!((name.len(), did::resolve(&name, &chain).is_ok()), (length, is_ok));
    }
    for name in [
        String::new(),
        valid.replacen("x509:0", "x509:1", 1),
        valid.replacen("sha256", "sha384", 1),
        valid.replacen("did:x509", "DID:X509", 1),
        valid.replacen("::", ":", 1),
        maker.did(0, &policy),
        format!("did:x509:0:sha256:{policy}"),
        format!("{valid}{}", "::subject:CN:signer".repeat(120)),
    ] {
        assert_eq!(did::resolve(&name, &chain).unwrap_err().check, Check::UvmIssuer, "{name}");
    }
    assert!(did::resolve(&valid, &[]).is_err());
    assert!(did::resolve(&valid, &chain[..1]).is_err());
}

proptest! {
    #[test]
    fn values_are_written_in_one_way(text in "\\PC{1,20}") {
        let encoded: String = text.bytes().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        }).collect();
        prop_assert_eq!(did::percent_decode(&encoded), Some(text.clone()));
        // As it stands, it is none, unless it needs no encoding or happens to be one.
        let plain = did::percent_decode(&text);
        prop_assert!(plain.is_none() || text.contains('%') || plain == Some(encoded));
    }
}
