//! Virtual machines: the genuine one changed, and one of a paravisor that exists in these tests only.

use std::collections::BTreeMap;

use crypto::{ForeignKey, KeyParts, SigningKey, sha256, sign_rs256};

use super::{
    forge::{self, Chip},
    samples::{Random, bare, bytes, machine, refused_machine, verify},
};
use crate::{Bound, Check, Document, Trail, cvm, snp::Family};

/// Where the parts of the genuine quote stand.
const ATTEST: usize = 2;
const EXTRA_DATA: usize = ATTEST + 6 + 2 + 34 + 2;

#[test]
fn every_part_of_a_quote_counts() {
    let genuine = machine();
    let attest = usize::from(u16::from_be_bytes([genuine.quote[0], genuine.quote[1]]));
    let algorithm = ATTEST + attest;
    let clock = EXTRA_DATA + 32;
    let selection = clock + 25;
    for (part, place, expected) in [
        ("size", 0..ATTEST, Check::QuoteFormat),
        ("magic", ATTEST..ATTEST + 4, Check::QuoteFormat),
        ("kind", ATTEST + 4..ATTEST + 6, Check::QuoteFormat),
        ("size of the signer", ATTEST + 6..ATTEST + 8, Check::QuoteFormat),
        ("signer", ATTEST + 8..ATTEST + 42, Check::QuoteSignature),
        ("size of the nonce", EXTRA_DATA - 2..EXTRA_DATA, Check::QuoteFormat),
        ("nonce", EXTRA_DATA..clock, Check::QuoteSignature),
        ("clock and firmware", clock..selection, Check::QuoteSignature),
        ("number of selections", selection..selection + 4, Check::QuoteFormat),
        ("bank", selection + 4..selection + 6, Check::QuoteSignature),
        ("size of the selection", selection + 6..selection + 7, Check::QuoteFormat),
        ("selection", selection + 7..selection + 10, Check::QuoteSignature),
        ("size of the digest", selection + 10..selection + 12, Check::QuoteFormat),
        ("digest", selection + 12..algorithm, Check::QuoteSignature),
        ("algorithm", algorithm..algorithm + 4, Check::QuoteFormat),
        ("size of the signature", algorithm + 4..algorithm + 6, Check::QuoteFormat),
        ("signature", algorithm + 6..genuine.quote.len(), Check::QuoteSignature),
    ] {
        for at in place {
            for bit in 0..8 {
                let found = refused_machine(&genuine, |changed| changed.quote[at] ^= 1 << bit);
                assert_eq!(found, Some(expected), "{part}, byte {at}, bit {bit}");
                if at > algorithm + 6 {
                    break;
                }
            }
        }
    }
    for length in [0, 1, algorithm, genuine.quote.len() - 1] {
        let found = refused_machine(&genuine, |changed| changed.quote.truncate(length));
        assert_eq!(found, Some(Check::QuoteFormat), "{length}");
    }
    assert_eq!(refused_machine(&genuine, |changed| changed.quote.push(0)), Some(Check::QuoteFormat));
}

#[test]
fn d16_registers_are_exactly_those_that_were_quoted() {
    let genuine = machine();
    let mut random = Random(4);
    for number in 0..24 {
        let (at, bit) = (random.below(32), random.below(8));
        let found = refused_machine(&genuine, |changed| changed.pcrs.get_mut(&number).unwrap()[at] ^= 1 << bit);
        assert_eq!(found, Some(Check::QuoteDigest), "register {number}");
        let found = refused_machine(&genuine, |changed| changed.pcrs.retain(|one, _| *one != number));
        assert_eq!(found, Some(Check::QuoteSelection), "without register {number}");
    }
    let found = refused_machine(&genuine, |changed| {
        let (first, second) = (changed.pcrs[&0], changed.pcrs[&1]);
        changed.pcrs.extend([(0, second), (1, first)]);
    });
    assert_eq!(found, Some(Check::QuoteDigest), "two registers swapped");
    let found = refused_machine(&genuine, |changed| changed.pcrs.extend([(24, [0; 32])]));
    assert_eq!(found, Some(Check::CvmFormat), "a register that there is not");
    assert_eq!(refused_machine(&genuine, |changed| changed.pcrs.clear()), Some(Check::CvmFormat));
}

#[test]
fn every_part_of_the_paravisor_s_report_counts() {
    let genuine = machine();
    let claims_end = 1236 + 1110;
    let alone = |changed: &mut crate::Cvm| changed.snp_report = None;
    let flip = |at: usize, bit: usize| {
        let with = refused_machine(&genuine, |changed| changed.hcl_report[at] ^= 1 << bit);
        let without = refused_machine(&genuine, |changed| {
            alone(changed);
            changed.hcl_report[at] ^= 1 << bit;
        });
        (with.unwrap(), without.unwrap())
    };
    for at in (0..32).chain(1216..1236) {
        for bit in 0..8 {
            // There are two versions of paravisors.
            let is_version = at == 4 && [0, 1].contains(&bit) && genuine.hcl_report[4] ^ 1 << bit == 2;
            assert!(!is_version);
            assert_eq!(flip(at, bit), (Check::HclReport, Check::HclReport), "header, byte {at}, bit {bit}");
        }
    }
    let mut random = Random(5);
    for _ in 0..40 {
        let (at, bit) = (1236 + random.below(claims_end - 1236), random.below(8));
        assert_eq!(flip(at, bit), (Check::HclBinding, Check::HclBinding), "claims, byte {at}");
        let at = claims_end + random.below(2600 - claims_end);
        assert_eq!(flip(at, bit), (Check::HclReport, Check::HclReport), "padding, byte {at}");
    }
    for (at, without) in
        [(32, Check::ReportVersion), (32 + 0x50, Check::ReportSignature), (32 + 0x2a0, Check::ReportSignature)]
    {
        assert_eq!(flip(at, 7), (Check::HclReport, without), "report, byte {at}");
    }
    for length in [0, 31, 32, 1215, 1235, 1236, claims_end - 1] {
        let found = refused_machine(&genuine, |changed| changed.hcl_report.truncate(length));
        assert_eq!(found, Some(Check::HclReport), "{length}");
    }
    let versions = [0, 1, 2, 3].map(|version| refused_machine(&genuine, |changed| changed.hcl_report[4] = version));
    assert_eq!(versions, [Some(Check::HclReport), None, None, Some(Check::HclReport)]);
    assert_eq!(refused_machine(&genuine, |changed| changed.hcl_report.truncate(claims_end)), None, "without padding");
    assert_eq!(refused_machine(&genuine, |changed| changed.hcl_report.push(0)), None, "more of it");
    assert_eq!(refused_machine(&genuine, alone), None);
}

#[test]
fn the_report_beside_is_the_same_one() {
    let genuine = machine();
    let other = bare("milan-v2").report;
    assert_eq!(refused_machine(&genuine, |changed| changed.snp_report = Some(other)), Some(Check::HclReport));
    assert_eq!(refused_machine(&genuine, |changed| changed.snp_report = Some(Vec::new())), Some(Check::HclReport));
}

#[test]
fn the_certificate_of_the_attestation_key_is_for_that_key() {
    let genuine = machine();
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        refused_machine(&genuine, |changed| change(changed.aik_certificate.as_mut().unwrap()))
    };
    let padded = genuine.aik_certificate.clone().unwrap();
    let certificate = crypto::Certificate::from_der(&padded[..1009]).unwrap();
    let key = certificate.spki_der();
    let at = padded.windows(key.len()).position(|window| window == key).unwrap();
    assert_eq!(change(&|der| der[at + 100] ^= 1), Some(Check::AikCertificate), "another key");
    assert_eq!(change(&|der| *der.last_mut().unwrap() = 1), Some(Check::AikCertificate), "something behind it");
    assert_eq!(change(&|der| der.truncate(1008)), Some(Check::AikCertificate), "cut");
    assert_eq!(change(&Vec::clear), Some(Check::AikCertificate));
    assert_eq!(change(&|der| der.truncate(1009)), None);
    let other = crypto::certificates_from_pem(&bare("genoa").chain).unwrap()[1].der().to_vec();
    assert_eq!(change(&|der| der.clone_from(&other)), Some(Check::AikCertificate));
    // Its issuers are not part of the evidence, so nothing else in it can be checked, and nothing rests on it.
    assert_eq!(change(&|der| der[1008] ^= 1), None);
}

#[test]
fn another_nonce_was_not_quoted() {
    let genuine = machine();
    assert_eq!(refused_machine(&genuine, |changed| changed.nonce[0] ^= 1), Some(Check::QuoteNonce));
    assert_eq!(refused_machine(&genuine, |changed| changed.nonce.truncate(31)), Some(Check::QuoteNonce));
    assert_eq!(refused_machine(&genuine, |changed| changed.nonce.push(0)), Some(Check::QuoteNonce));
    assert_eq!(refused_machine(&genuine, |changed| changed.nonce.clear()), Some(Check::CvmFormat));
}

#[test]
fn parts_of_a_machine_have_bounds() {
    let genuine = machine();
    for (part, expected) in [
        (0, Check::QuoteFormat),
        (1, Check::HclReport),
        (2, Check::HclReport),
        (3, Check::AikCertificate),
        (4, Check::QuoteNonce),
    ] {
        let grow = |size: usize| {
            refused_machine(&genuine, |changed| {
                let crate::Cvm { quote, hcl_report, snp_report, aik_certificate, nonce, .. } = changed;
                let (report, aik) = (snp_report.as_mut().unwrap(), aik_certificate.as_mut().unwrap());
                [quote, hcl_report, report, aik, nonce][part].resize(size, 1);
            })
        };
        assert_eq!(grow(64 * 1024), Some(expected), "part {part}");
        assert_eq!(grow(64 * 1024 + 1), Some(Check::CvmFormat), "part {part}");
    }
}

#[test]
fn chains_of_others_are_not_the_machine_s() {
    for (name, expected) in
        [("genoa", Check::ChainFamily), ("milan-v2", Check::ChainChipId), ("vlek", Check::ReportSigningKey)]
    {
        assert_eq!(refused_machine(&machine(), |changed| changed.chain = bare(name).chain), Some(expected), "{name}");
    }
}

/// A machine whose every part is made here: the paravisor's report is signed by a chip of ours.
pub(super) struct Own {
    chip: Chip,
    vmpl: u8,
    claims: String,
    attest: Vec<u8>,
    behind: Vec<u8>,
    pcrs: BTreeMap<u8, [u8; 32]>,
    nonce: Vec<u8>,
}

/// A key whose private half is known, playing the virtual TPM's.
fn private_key() -> String {
    String::from_utf8(bytes("cvm/encryption/priv_key.pem")).unwrap()
}

fn jwk(kid: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let key = ForeignKey::from_pem(&String::from_utf8(bytes("cvm/encryption/pub_key.pem")).unwrap()).unwrap();
    let KeyParts::Rsa { n, e } = KeyParts::from_spki_der(key.spki_der()).unwrap() else { panic!("RSA") };
    let [n, e] = [n, e].map(|number| URL_SAFE_NO_PAD.encode(number));
    format!(r#"{{"kid":"{kid}","kty":"RSA","n":"{n}","e":"{e}"}}"#)
}

fn claims(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}],"user-data":"AB"}}"#, keys.join(","))
}

/// TPMS_ATTEST over two registers, with a selection of the caller's.
fn attest(nonce: &[u8], selection: &[u8], pcrs: &BTreeMap<u8, [u8; 32]>) -> Vec<u8> {
    let values: Vec<u8> = pcrs.values().flatten().copied().collect();
    let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    [
        &[0xff, 0x54, 0x43, 0x47, 0x80, 0x18],
        &sized(b"signer")[..],
        &sized(nonce),
        &[0; 25],
        selection,
        &sized(&sha256(&values)),
    ]
    .concat()
}

impl Own {
    pub(super) fn new() -> Self {
        Self::asked(b"nonce")
    }

    /// One that was asked with this nonce.
    pub(super) fn asked(nonce: &[u8]) -> Self {
        let pcrs = BTreeMap::from([(0, [1; 32]), (9, [2; 32])]);
        let nonce = nonce.to_vec();
        let attest = attest(&nonce, &[0, 0, 0, 1, 0, 0x0b, 3, 1, 2, 0], &pcrs);
        let chip = forge::Maker::of(Family::Genoa).make();
        Self { chip, vmpl: 0, claims: claims(&[jwk("HCLAkPub")]), attest, behind: Vec::new(), pcrs, nonce }
    }

    fn selecting(selection: &[u8]) -> Self {
        let own = Self::new();
        let attest = attest(&own.nonce, selection, &own.pcrs);
        Self { attest, ..own }
    }

    fn quote(&self) -> Vec<u8> {
        let signature = sign_rs256(&private_key(), &self.attest).unwrap();
        let sized = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        [&sized(&self.attest)[..], &[0, 0x14, 0, 0x0b], &sized(&signature), &self.behind].concat()
    }

    pub(super) fn verify(&self) -> Result<cvm::Verified, Check> {
        let mut report = forge::report(Family::Genoa);
        report[0x30] = self.vmpl;
        report[0x50..0x70].copy_from_slice(&sha256(self.claims.as_bytes()));
        let snp = self.chip.verify(&mut report).unwrap();
        let evidence = cvm::Evidence {
            quote: &self.quote(),
            hcl_report: &[],
            snp_report: None,
            aik_certificate: None,
            pcrs: &self.pcrs,
            nonce: &self.nonce,
            chain: "",
        };
        let verified = cvm::conclude(&evidence, self.claims.as_bytes(), snp, &mut Trail::new());
        verified.map_err(|rejection| rejection.check)
    }
}

/// The report data of a guest's own reports are what the guest likes, so they would bind claims of its own making.
#[test]
fn a_report_of_the_guest_itself_is_not_the_paravisor_s() {
    assert!(Own::new().verify().is_ok());
    for vmpl in 1..=3 {
        assert_eq!(Own { vmpl, ..Own::new() }.verify().err(), Some(Check::HclPrivilege), "{vmpl}");
    }
}

#[test]
fn runtime_claims_name_one_key() {
    let key = jwk("HCLAkPub");
    let n = key.split('"').nth(11).unwrap().to_owned();
    for (what, claims) in [
        ("no JSON", "x".into()),
        ("no object", "[]".into()),
        ("no keys", r#"{"keys":[]}"#.into()),
        ("no list", format!(r#"{{"keys":{key}}}"#)),
        ("another name", claims(&[jwk("HCLEkPub")])),
        ("two of the name", claims(&[key.clone(), key.clone()])),
        ("another kind", claims(&[key.replace("RSA", "EC")])),
        ("no modulus", claims(&[key.replace(r#""n":"#, r#""x":"#)])),
        ("no exponent", claims(&[key.replace(r#""e":"#, r#""x":"#)])),
        ("a short modulus", claims(&[key.replace(&n, &n[..100])])),
        ("no base64", claims(&[key.replace(&n, "!")])),
        ("members twice", claims(std::slice::from_ref(&key)).replace(r#""user-data""#, r#""keys":[],"user-data""#)),
    ] {
        let own = Own { claims, ..Own::new() };
        assert_eq!(own.verify().err(), Some(Check::HclClaims), "{what}");
    }
    let own = Own { claims: claims(&[jwk("HCLEkPub"), key]), ..Own::new() };
    let claims = own.verify().unwrap().runtime_claims;
    assert_eq!((claims.user_data(), claims.json()["keys"][1]["kid"].as_str()), (Some("AB"), Some("HCLAkPub")));
    assert!(claims.attestation_key().spki_der().len() > 256);
    let nothing = Own { claims: format!(r#"{{"keys":[{}]}}"#, jwk("HCLAkPub")), ..Own::new() };
    assert_eq!(nothing.verify().unwrap().runtime_claims.user_data(), None);
}

#[test]
fn d16_a_quote_selects_registers_of_one_bank() {
    for (what, selection, expected) in [
        ("as it should be", &[0, 0, 0, 1, 0, 0x0b, 3, 1, 2, 0][..], None),
        ("a shorter map", &[0, 0, 0, 1, 0, 0x0b, 2, 1, 2], None),
        ("a longer map", &[0, 0, 0, 1, 0, 0x0b, 4, 1, 2, 0, 0], None),
        ("a map of five bytes", &[0, 0, 0, 1, 0, 0x0b, 5, 1, 2, 0, 0, 0], Some(Check::QuoteFormat)),
        ("one more", &[0, 0, 0, 1, 0, 0x0b, 3, 3, 2, 0], Some(Check::QuoteSelection)),
        ("one less", &[0, 0, 0, 1, 0, 0x0b, 3, 1, 0, 0], Some(Check::QuoteSelection)),
        ("another", &[0, 0, 0, 1, 0, 0x0b, 3, 1, 4, 0], Some(Check::QuoteSelection)),
        ("one that there is not", &[0, 0, 0, 1, 0, 0x0b, 4, 1, 2, 0, 1], Some(Check::QuoteSelection)),
        ("a bank of SHA-1", &[0, 0, 0, 1, 0, 0x04, 3, 1, 2, 0], Some(Check::QuoteSelection)),
        ("no bank", &[0, 0, 0, 0], Some(Check::QuoteSelection)),
        ("two banks", &[0, 0, 0, 2, 0, 0x0b, 1, 1, 0, 0x0b, 2, 0, 2], Some(Check::QuoteSelection)),
        ("more banks than it has bytes", &[0, 0, 0, 16, 0, 0x0b, 3, 1, 2, 0], Some(Check::QuoteFormat)),
        ("more banks than are read", &[0, 0, 0, 17, 0, 0x0b, 3, 1, 2, 0], Some(Check::QuoteFormat)),
    ] {
        assert_eq!(Own::selecting(selection).verify().err(), expected, "{what}");
    }
    let sixteen = [&[0, 0, 0, 16][..], &[0, 0x0b, 0].repeat(16)].concat();
    let seventeen = [&[0, 0, 0, 17][..], &[0, 0x0b, 0].repeat(17)].concat();
    assert_eq!(Own::selecting(&sixteen).verify().err(), Some(Check::QuoteSelection));
    assert_eq!(Own::selecting(&seventeen).verify().err(), Some(Check::QuoteFormat));
}

#[test]
fn a_quote_is_one_and_nothing_behind_it() {
    let own = Own::new();
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut attest = own.attest.clone();
        change(&mut attest);
        Own { attest, ..Own::new() }.verify().err()
    };
    assert_eq!(change(&|attest| attest.push(0)), Some(Check::QuoteFormat), "signed, but more");
    assert_eq!(change(&|attest| attest.truncate(attest.len() - 1)), Some(Check::QuoteFormat));
    assert_eq!(change(&|attest| attest[0] = 0xfe), Some(Check::QuoteFormat), "not made by a TPM");
    assert_eq!(change(&|attest| attest[5] = 0x17), Some(Check::QuoteFormat), "not a quote");
    assert_eq!(Own { behind: vec![0], ..Own::new() }.verify().err(), Some(Check::QuoteFormat));
    let other = Own { pcrs: BTreeMap::from([(0, [1; 32]), (9, [3; 32])]), ..Own::new() };
    assert_eq!(other.verify().err(), Some(Check::QuoteDigest));
}

#[test]
fn another_key_s_quote_is_refused() {
    let genuine = machine();
    let own = Own::new();
    assert_eq!(refused_machine(&genuine, |changed| changed.quote = own.quote()), Some(Check::QuoteSignature));
    let claims = format!(r#"{{"keys":[{}]}}"#, jwk("HCLAkPub"));
    let found = refused_machine(&genuine, |changed| {
        let report = &mut changed.hcl_report;
        report.truncate(1236);
        report.extend_from_slice(claims.as_bytes());
        let size = u32::try_from(claims.len()).unwrap();
        report[8..12].copy_from_slice(&(1236 + size).to_le_bytes());
        report[1216..1220].copy_from_slice(&(20 + size).to_le_bytes());
        report[1232..1236].copy_from_slice(&size.to_le_bytes());
        changed.quote = own.quote();
        changed.aik_certificate = None;
    });
    assert_eq!(found, Some(Check::HclBinding), "claims of our own making");
}

#[test]
fn what_the_guest_gave_is_bound_or_missing() {
    let bound = verify(&Document::Cvm(machine())).unwrap().bound;
    let Bound::UserData(Some(digits)) = &bound else { panic!("{bound:?}") };
    assert_eq!(digits, &digits.to_uppercase());
    assert!(bound.check_key(&bytes("cvm/encryption/pub_key.pem")).is_ok());
    assert!(bound.check_key(&bytes("caci/encryption/pub_key.pem")).is_err());
    assert!(SigningKey::from_pem(&private_key()).is_err(), "the key of this machine is RSA");
}
