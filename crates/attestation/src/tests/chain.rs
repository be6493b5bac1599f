//! Chains of certificates that do not lead to AMD.

use rcgen::KeyUsagePurpose;

use super::{
    forge::{Maker, report},
    samples::{Random, bare, bytes, refused, reports, split, verify},
};
use crate::{
    Check, Document, Trail,
    snp::{Chain, ChainCache, Family},
};

fn of(chain: &str) -> Result<Chain, Check> {
    Chain::verify(chain, &mut Trail::new()).map_err(|rejection| rejection.check)
}

/// The DER of each certificate of a chain.
fn ders(chain: &str) -> Vec<Vec<u8>> {
    crypto::certificates_from_pem(chain).unwrap().iter().map(|one| one.der().to_vec()).collect()
}

/// A chain in PEM, whatever is in it.
fn pem(ders: &[Vec<u8>]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    ders.iter()
        .map(|der| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der)))
        .collect()
}

#[test]
fn every_part_of_every_certificate_counts() {
    let mut random = Random(2);
    for (name, evidence) in reports() {
        let genuine = ders(&evidence.chain);
        for (which, der) in genuine.iter().enumerate() {
            let found = |at: usize, bit: usize| {
                let mut changed = genuine.clone();
                changed[which][at] ^= 1 << bit;
                of(&pem(&changed)).expect_err("a changed certificate")
            };
            // Four bytes of head are followed by what is signed; the signature is the last 512 bytes.
            let signed = [Check::ChainChip, Check::ChainIntermediate, Check::ChainRootSignature][which];
            for at in 0..4 {
                for bit in 0..8 {
                    let check = found(at, bit);
                    assert!([signed, Check::ChainFormat].contains(&check), "{name}, certificate {which}, head at {at}");
                }
            }
            for _ in 0..6 {
                let (at, bit) = (der.len() - 512 + random.below(512), random.below(8));
                assert_eq!(found(at, bit), signed, "{name}, certificate {which}, signature at {at}");
            }
            for _ in 0..20 {
                let (at, bit) = (4 + random.below(der.len() - 516), random.below(8));
                let allowed: &[Check] = match which {
                    2 => &[Check::ChainFormat, Check::ChainRoot, Check::ChainRootSignature],
                    1 => &[Check::ChainFormat, Check::ChainIntermediate, Check::ChainChip],
                    _ => &[Check::ChainFormat, Check::ChainChip],
                };
                let check = found(at, bit);
                assert!(allowed.contains(&check), "{name}, certificate {which}, byte {at}, bit {bit}: {check}");
            }
        }
    }
}

#[test]
fn a_replaced_key_is_refused() {
    let genuine = ders(&bare("genoa").chain);
    let certificates = crypto::certificates_from_pem(&bare("genoa").chain).unwrap();
    for (which, expected) in [(0, Check::ChainChip), (1, Check::ChainIntermediate), (2, Check::ChainRoot)] {
        let mut changed = genuine.clone();
        let key = certificates[which].spki_der();
        let at = changed[which].windows(key.len()).position(|window| window == key).unwrap();
        // The last bytes but the exponent of an RSA key, and of the point of the chip's key.
        let last = at + key.len() - 8;
        changed[which][last] ^= 2;
        let found = of(&pem(&changed)).unwrap_err();
        assert!(found == expected || found == Check::ChainFormat, "{which}: {found}");
    }
}

#[test]
fn every_order_and_number_of_certificates_but_one_is_refused() {
    let genuine = split(&bare("genoa").chain);
    let [chip, intermediate, root] = [0, 1, 2].map(|at| genuine[at].as_str());
    for (certificates, expected) in [
        (vec![], Check::ChainCount),
        (vec![chip], Check::ChainCount),
        (vec![chip, intermediate], Check::ChainCount),
        (vec![chip, root], Check::ChainCount),
        (vec![chip, intermediate, root, root], Check::ChainCount),
        (vec![chip, intermediate, intermediate, root], Check::ChainCount),
        (vec![chip, root, intermediate], Check::ChainRoot),
        (vec![root, intermediate, chip], Check::ChainRoot),
        (vec![intermediate, chip, root], Check::ChainIntermediate),
        (vec![chip, chip, root], Check::ChainIntermediate),
        (vec![root, root, root], Check::ChainNames),
        (vec![intermediate, root, root], Check::ChainNames),
        (vec![chip, root, root], Check::ChainChip),
    ] {
        assert_eq!(of(&certificates.concat()), Err(expected), "{} certificates", certificates.len());
    }
    let text = verify(&Document::Caci(crate::Caci { chain: [chip, root].concat(), ..bare("genoa") }));
    assert_eq!(text.unwrap_err().to_string(), "Expected 3 endorsement certificates but got 2");
}

#[test]
fn certificates_of_another_family_or_kind_of_key_are_refused() {
    let chains = ["genoa", "milan-v2", "turin", "vlek"]
        .map(|name| String::from_utf8(bytes(&format!("{name}/chain.pem"))).unwrap());
    for (from, other) in [(0, 1), (1, 2), (2, 0), (3, 1), (1, 3), (3, 0)] {
        let (ours, theirs) = (split(&chains[from]), split(&chains[other]));
        let mixed = |which: usize| {
            let mut mixed = ours.clone();
            mixed[which].clone_from(&theirs[which]);
            of(&mixed.concat())
        };
        // Milan has one root for both kinds of keys.
        let same_family = from % 2 == 1 && other % 2 == 1;
        let root = if same_family { None } else { Some(Check::ChainIntermediate) };
        assert_eq!(mixed(2).err(), root, "the root of {other} for {from}");
        let intermediate = if same_family { Check::ChainChip } else { Check::ChainIntermediate };
        assert_eq!(mixed(1), Err(intermediate), "the intermediate of {other} for {from}");
        assert_eq!(mixed(0), Err(Check::ChainChip), "the chip of {other} for {from}");
    }
}

#[test]
fn a_root_of_the_same_names_is_not_amd_s() {
    for family in Family::ALL {
        let chip = Maker::of(family).make();
        let pem: String = chip.certificates.iter().map(crypto::Certificate::to_pem).collect();
        assert_eq!(of(&pem), Err(Check::ChainRoot), "{family}");
        let mut forged = report(family);
        chip.sign(&mut forged);
        let found = refused(&bare("genoa"), |changed| {
            changed.chain.clone_from(&pem);
            changed.report = forged.to_vec();
        });
        assert_eq!(found, Some(Check::ChainRoot), "{family}");
        // With AMD's root above it, it is not signed by that.
        let amd = split(&bytes_of(family)).remove(2);
        let certificates: Vec<String> = chip.certificates.iter().map(crypto::Certificate::to_pem).collect();
        assert_eq!(
            of(&[&certificates[0], &certificates[1], &amd].map(String::as_str).concat()),
            Err(Check::ChainIntermediate)
        );
    }
}

fn bytes_of(family: Family) -> String {
    let name = if family == Family::Milan { "milan-v2".to_owned() } else { family.name().to_lowercase() };
    String::from_utf8(bytes(&format!("{name}/chain.pem"))).unwrap()
}

#[test]
fn a_chain_is_certificates_and_nothing_else() {
    let genuine = bare("genoa").chain;
    let spaced = format!("\n{}\n\n", genuine.replace('\n', "\r\n"));
    assert!(of(&spaced).is_ok());
    assert!(of(&format!("{genuine}\0")).is_ok(), "agents end it like a C string");
    for changed in [
        format!("{genuine}x"),
        format!("x\n{genuine}"),
        format!("{genuine}-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        genuine.replacen("-----END CERTIFICATE-----\n", "-----END CERTIFICATE-----\nSubject: x\n", 1),
        genuine.replacen("MII", "!II", 1),
        genuine.replacen("MII", "AII", 1),
        genuine.replace('\n', ""),
        "x".repeat(10),
        "\n".repeat(32 * 1024 + 1),
    ] {
        assert_eq!(of(&changed).err(), Some(Check::ChainFormat), "{:?}", changed.get(..40));
    }
    let room = 32 * 1024 - genuine.len();
    assert!(of(&format!("{genuine}{}", "\n".repeat(room))).is_ok(), "as long as a chain may be");
    assert_eq!(of(&format!("{genuine}{}", "\n".repeat(room + 1))).err(), Some(Check::ChainFormat));
    let cut = &genuine[..genuine.len() - 40];
    assert_eq!(of(cut).err(), Some(Check::ChainCount));
}

#[test]
fn what_a_certificate_of_a_chip_must_be() {
    let milan = || Maker::of(Family::Milan);
    let lending = || Maker::lending(Family::Milan);
    let integer = |bytes: &[u8]| [&[2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let twice = |mut maker: Maker| {
        maker.extensions.push(maker.extensions[0].clone());
        maker
    };
    use Check::{ChainExtensions, ChainNames, ChainProduct};
    for (what, maker, expected) in [
        ("as AMD makes it", milan(), None),
        ("as AMD lends it", lending(), None),
        ("another root", Maker { root: "ARK-Genoa".into(), ..milan() }, Some(ChainNames)),
        ("another intermediate", Maker { intermediate: "SEV-Genoa".into(), ..milan() }, Some(ChainNames)),
        ("another chip", Maker { chip: "SEV-VLEK".into(), ..milan() }, Some(ChainNames)),
        ("another key", Maker { chip: "SEV-VCEK".into(), ..lending() }, Some(ChainNames)),
        ("a chip that issues", Maker { chip_is_authority: true, ..milan() }, Some(ChainNames)),
        ("an intermediate that may not", Maker { intermediate_is_authority: false, ..milan() }, Some(ChainNames)),
        (
            "an intermediate that signs",
            Maker { intermediate_usage: KeyUsagePurpose::DigitalSignature, ..milan() },
            Some(ChainNames),
        ),
        ("a root that allows none", Maker { root_allows: 0, ..milan() }, Some(ChainNames)),
        ("an extension twice", twice(milan()), Some(ChainNames)),
        ("no product", milan().with(&[2], None), Some(ChainExtensions)),
        ("a product of another type", milan().with(&[2], Some(&[0x0c, 1, 65])), Some(ChainExtensions)),
        ("a product with more", milan().with(&[2], Some(&[0x16, 1, 65, 0])), Some(ChainExtensions)),
        ("another product", milan().with(&[2], Some(b"\x16\x05Genoa")), Some(ChainProduct)),
        ("no chip", milan().with(&[4], None), Some(ChainExtensions)),
        ("no boot loader", milan().with(&[3, 1], None), Some(ChainExtensions)),
        ("no TEE", milan().with(&[3, 2], None), Some(ChainExtensions)),
        ("no SNP", milan().with(&[3, 3], None), Some(ChainExtensions)),
        ("no microcode", milan().with(&[3, 8], None), Some(ChainExtensions)),
        ("a large version", milan().with(&[3, 8], Some(&integer(&[1, 0]))), Some(ChainExtensions)),
        ("a negative version", milan().with(&[3, 8], Some(&integer(&[0xff]))), Some(ChainExtensions)),
        ("a version with more", milan().with(&[3, 8], Some(&[2, 1, 1, 0])), Some(ChainExtensions)),
        ("no version at all", milan().with(&[3, 8], Some(&[])), Some(ChainExtensions)),
        ("no provider", lending().with(&[5], None), Some(ChainExtensions)),
        ("no FMC", Maker::of(Family::Turin).with(&[3, 9], None), Some(ChainExtensions)),
    ] {
        let found = maker.make().chain(&mut Trail::new()).err().map(|rejection| rejection.check);
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn a_chip_that_is_named_by_too_few_bytes_is_another_one() {
    for bytes in [0, 63, 65] {
        let chip = Maker::of(Family::Milan).with(&[4], Some(&vec![0x11; bytes])).make();
        assert_eq!(chip.verify(&mut report(Family::Milan)).unwrap_err().check, Check::ChainChipId, "{bytes}");
    }
}

#[test]
fn chains_are_remembered_by_their_certificates_and_forgotten_in_turn() {
    let chains = ["genoa", "milan-v2", "vlek"].map(|name| bare(name).chain);
    let mut cache = ChainCache::new(2);
    assert!(cache.is_empty());
    let mut check = |chain: &str| cache.verify(chain, &mut Trail::new()).map(|_| cache.len());
    assert_eq!(check(&chains[0]), Ok(1));
    assert_eq!(check(&chains[0].replace("-----BEGIN", "\n-----BEGIN")), Ok(1), "the same certificates");
    assert!(check(&chains[0].replacen("MII", "AII", 1)).is_err());
    assert_eq!(check(&chains[1]), Ok(2));
    assert_eq!(check(&chains[2]), Ok(2));
    assert_eq!(check(&chains[0]), Ok(2));
    let mut changed = ders(&chains[0]);
    *changed[0].last_mut().unwrap() ^= 1;
    assert_eq!(cache.verify(&pem(&changed), &mut Trail::new()).unwrap_err().check, Check::ChainChip);
    assert!(!cache.is_empty());
    assert!(ChainCache::new(0).verify(&chains[0], &mut Trail::new()).is_ok());
}
