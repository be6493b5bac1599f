//! Branches that refuse, and that nothing genuine with a bit changed ever reaches.

use crypto::{Certificate, SigningKey};
use rcgen::{CustomExtension, DnType, DnValue, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

use super::{
    forge::{self, Authority, authority, named},
    makers::{Maker, USAGE, signer},
    samples::{machine, refused_machine},
};
use crate::{
    Check, Document, Trail,
    cvm::{Quote, RuntimeClaims},
    did,
    snp::{self, ChipKey, Family, Report},
};

#[test]
fn a_certificate_of_the_attestation_key_is_a_certificate() {
    for der in [vec![0x30, 0], vec![0x05, 0, 0, 0], vec![0x30]] {
        let found = refused_machine(&machine(), |changed| changed.aik_certificate = Some(der.clone()));
        assert_eq!(found, Some(Check::AikCertificate), "{der:?}");
    }
}

#[test]
fn a_key_of_the_runtime_claims_has_all_its_members() {
    let key = |change: &dyn Fn(&mut Value)| {
        let mut claims: Value = {
            let evidence = machine();
            let (_, claims) = crate::cvm::parts(&evidence.hcl_report, None).unwrap();
            serde_json::from_slice(claims).unwrap()
        };
        let keys = claims["keys"].as_array_mut().unwrap();
        change(keys.iter_mut().find(|key| key["kid"] == "HCLAkPub").unwrap());
        RuntimeClaims::parse(claims.to_string().as_bytes()).map_err(|rejection| rejection.check)
    };
    assert!(key(&|_| ()).is_ok());
    for name in ["kty", "n", "e"] {
        for value in [None, Some(json!(5)), Some(json!(""))] {
            let changed = key(&|key| {
                let members = key.as_object_mut().unwrap();
                members.remove(name);
                members.extend(value.clone().map(|value| (name.to_owned(), value)));
            });
            assert_eq!(changed, Err(Check::HclClaims), "{name}: {value:?}");
        }
    }
}

#[test]
fn a_quote_that_ends_anywhere_is_none() {
    let genuine = machine().quote;
    let attest = Quote::parse(&genuine).unwrap().attest();
    for length in 0..genuine.len() {
        assert!(Quote::parse(&genuine[..length]).is_err(), "{length}");
    }
    let behind = &genuine[2 + attest.len()..];
    for length in 0..attest.len() {
        let size = u16::try_from(length).unwrap().to_be_bytes();
        let cut = [&size, &attest[..length], behind].concat();
        assert_eq!(Quote::parse(&cut).unwrap_err().check, Check::QuoteFormat, "{length}");
    }
}

#[test]
fn a_percent_sign_has_two_digits_behind_it() {
    for text in ["%", "%4", "%4g", "a%", "%%41"] {
        assert_eq!(did::percent_decode(text), None, "{text}");
    }
    assert_eq!(did::percent_decode("%41").as_deref(), Some("A"));
}

#[test]
fn parts_of_a_machine_are_in_base64() {
    let read = |name: &str| {
        let mut evidence = json!({"tpmQuote": "", "hclReport": "", "snpReport": "", "aikCert": "", "pcrs": {}});
        let mut nonce = json!("");
        match name {
            "nonce" => nonce = json!("?"),
            "pcrs" => evidence["pcrs"]["0"] = json!("?"),
            name => evidence[name] = json!("?"),
        }
        let json = json!({"evidence": evidence, "nonce": nonce, "platformCertificates": ""});
        Document::from_json(json.to_string().as_bytes()).map_err(|rejection| rejection.found)
    };
    for name in ["tpmQuote", "hclReport", "snpReport", "aikCert", "pcrs", "nonce"] {
        let expected = format!("{name} that is not base64");
        assert!(read(name).unwrap_err().starts_with(&expected), "{name}");
    }
    let json = json!({"measurement": "", "host_data": "00".repeat(32), "report_data": "?"});
    let found = Document::from_json(json.to_string().as_bytes()).unwrap_err().found;
    assert!(found.starts_with("report_data that is not base64"), "{found}");
}

/// An extension that says nothing in the form that its name promises.
fn malformed(oid: &[u64]) -> CustomExtension {
    CustomExtension::from_oid_content(oid, vec![0x05, 0])
}

#[test]
fn extensions_that_cannot_be_read_say_nothing() {
    const KEY_USAGE: [u64; 4] = [2, 5, 29, 15];
    let with = |mut params: rcgen::CertificateParams, usage: bool| {
        if usage {
            params.key_usages.clear();
            params.custom_extensions.push(malformed(&KEY_USAGE));
        }
        params
    };
    let issuer = |usage| with(authority("issuer", KeyUsagePurpose::KeyCertSign), usage);
    let of = |issuer, signer| Maker::of(Authority::root("root", 1), issuer, signer).verify().err();
    assert_eq!(of(issuer(false), signer()), None);
    assert_eq!(of(issuer(false), with(signer(), true)), Some(Check::UvmChain), "the signer's use");
    assert_eq!(of(issuer(true), signer()), Some(Check::UvmChain), "the issuer's use");
    let mut constrained = named("issuer");
    constrained.custom_extensions.push(malformed(&[2, 5, 29, 19]));
    assert_eq!(of(constrained, signer()), Some(Check::UvmChain), "the issuer's constraints");
}

/// A certificate that says that it is of version 2, signed again by its issuer.
fn of_version_two(one: &Certificate, issuer: &SigningKey) -> Certificate {
    let der = one.der();
    let length = usize::from(u16::from_be_bytes([der[6], der[7]])) + 4;
    let mut signed = der[4..4 + length].to_vec();
    let version = signed.windows(5).position(|window| window == [0xa0, 3, 2, 1, 2]).unwrap();
    signed[version + 4] = 1;
    let raw = issuer.sign(&signed).unwrap();
    let integer = |bytes: &[u8]| [&[2, 49, 0], bytes].concat();
    let signature = [integer(&raw[..48]), integer(&raw[48..])];
    // A zero before a number is allowed only where it would be negative without.
    let signature: Vec<u8> = signature
        .iter()
        .flat_map(|one| {
            let significant = one[3..].iter().position(|byte| *byte != 0).unwrap() + 3;
            let zero: &[u8] = if one[significant] >= 0x80 { &[0] } else { &[] };
            let bytes = [zero, &one[significant..]].concat();
            [&[2, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
        })
        .collect();
    let signature = [&[0x30, u8::try_from(signature.len()).unwrap()], &signature[..]].concat();
    let algorithm = [0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    let bits = [&[3, u8::try_from(signature.len() + 1).unwrap(), 0], &signature[..]].concat();
    let content = [&signed[..], &algorithm, &bits].concat();
    let size = u16::try_from(content.len()).unwrap().to_be_bytes();
    Certificate::from_der(&[&[0x30, 0x82], &size[..], &content].concat()).unwrap()
}

#[test]
fn certificates_are_of_version_three() {
    let mut maker = Maker::new();
    assert!(maker.verify().is_ok());
    let older = of_version_two(&maker.chain[0].certificate, &maker.chain[1].key);
    older.verify_foreign(&maker.chain[1].certificate).unwrap();
    maker.chain[0].certificate = older;
    assert_eq!(maker.verify().err(), Some(Check::UvmChain));
}

/// The certificate of a key of another kind than anybody signs with here.
fn of_another_kind(issuer: &Authority, params: rcgen::CertificateParams) -> Certificate {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let der = issuer.key.to_pkcs8_der().unwrap();
    let own = KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let signed = params.signed_by(&pair, &Issuer::from_params(issuer.params(), own)).unwrap();
    Certificate::from_der(signed.der()).unwrap()
}

#[test]
fn a_signer_has_a_key_of_a_known_kind() {
    let mut maker = Maker::new();
    maker.chain[0].certificate = of_another_kind(&maker.chain[1], signer());
    assert_eq!(maker.verify().err(), Some(Check::UvmSignature));
}

#[test]
fn a_chip_has_a_key_of_a_known_kind() {
    let maker = forge::Maker::of(Family::Milan);
    let (root, intermediate, chip) = maker.authorities();
    let other = of_another_kind(&intermediate, chip.params().clone());
    let certificates = [other, intermediate.certificate.clone(), root.certificate.clone()];
    let mut trail = Trail::new();
    let chain = snp::Chain::below(certificates, Family::Milan, &mut trail).unwrap();
    let report = Report::parse(&forge::report(Family::Milan), &mut trail).unwrap();
    assert_eq!(snp::conclude(report, chain, None, &mut trail).unwrap_err().check, Check::ReportSignature);
}

#[test]
fn a_certificate_of_a_chip_has_one_common_name() {
    let common_name = DnType::CustomDnType(vec![2, 5, 4, 3]);
    let chain = |change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let (root, intermediate, chip) = forge::Maker::of(Family::Milan).authorities();
        let mut params = chip.params().clone();
        change(&mut params);
        let certificates = [intermediate.issue(params).certificate, intermediate.certificate, root.certificate];
        snp::Chain::below(certificates, Family::Milan, &mut Trail::new()).err().map(|rejection| rejection.check)
    };
    assert_eq!(chain(&|_| ()), None);
    assert_eq!(chain(&|params| params.distinguished_name = named("").distinguished_name), Some(Check::ChainNames));
    assert_eq!(chain(&|params| params.distinguished_name = Default::default()), Some(Check::ChainNames), "none");
    let twice = |params: &mut rcgen::CertificateParams| params.distinguished_name.push(common_name.clone(), "SEV-VCEK");
    assert_eq!(chain(&twice), Some(Check::ChainNames), "two");
    let wide = DnValue::BmpString("SEV-VCEK".try_into().unwrap());
    let in_another_type = |params: &mut rcgen::CertificateParams| {
        params.distinguished_name = Default::default();
        params.distinguished_name.push(DnType::CommonName, wide.clone());
    };
    assert_eq!(chain(&in_another_type), Some(Check::ChainNames), "one of another type");
}

#[test]
fn an_extension_of_amd_s_is_der() {
    let odd = forge::Maker::of(Family::Milan).with(&[2], Some(&[0x16, 5, 65]));
    let found = odd.make().chain(&mut Trail::new()).err().map(|rejection| rejection.check);
    assert_eq!(found, Some(Check::ChainExtensions));
}

#[test]
fn an_extension_that_is_missing_is_said_to_be() {
    let without = forge::Maker::of(Family::Milan).with(&[2], None).make().chain(&mut Trail::new()).unwrap_err();
    assert_eq!((without.expected.as_str(), without.found.as_str()), ("one well-formed product name", "none"));
}

#[test]
fn a_root_allows_as_many_authorities_as_there_are() {
    let root = Authority::root("root", 0);
    let signer = root.issue(signer());
    let mut maker = Maker::with_chain(vec![signer, root]);
    maker.iss = Some(maker.did(1, &format!("::eku:{USAGE}")).into());
    assert!(maker.verify().is_ok(), "none, and none there");
}

#[test]
fn the_kind_of_key_that_signed_is_said() {
    let rejection = |number: u8| {
        let mut report = forge::report(Family::Milan);
        report[0x48] = number << 2;
        forge::Maker::of(Family::Milan).make().verify(&mut report).unwrap_err()
    };
    for (number, expected) in
        [(1, "1 (VLEK)"), (7, "7 (none: the host has switched signatures off)"), (3, "3 (reserved)")]
    {
        let rejection = rejection(number);
        assert_eq!((rejection.check, rejection.found.as_str()), (Check::ReportSigningKey, expected));
        assert_eq!(rejection.expected, "0 (VCEK)");
    }
    let lent = forge::Maker::lending(Family::Milan).make().verify(&mut forge::report(Family::Milan)).unwrap_err();
    assert_eq!((lent.expected.as_str(), lent.found.as_str()), ("1 (VLEK)", "0 (VCEK)"));
    assert_eq!([ChipKey::Vcek, ChipKey::Vlek].map(ChipKey::name), ["VCEK", "VLEK"]);
}
