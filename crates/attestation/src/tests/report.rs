//! Reports that are not genuine.

use proptest::prelude::*;

use super::{
    forge::{Maker, report},
    samples::{Random, bare, container, refused, reports, verify},
};
use crate::{
    Check, Document, Trail,
    snp::{Family, Report, SIZE, conclude},
};

/// The fields of a report in their order: name, first byte, and the check that refuses a change of any bit of it. A bit
/// that the checks before do not look at breaks the signature.
const FIELDS: [(&str, usize, Check); 53] = [
    ("version", 0x000, Check::ReportVersion),
    ("guest svn", 0x004, Check::ReportSignature),
    ("policy: interface, minor", 0x008, Check::ReportSignature),
    ("policy: interface, major", 0x009, Check::ReportSignature),
    ("policy: flags", 0x00a, Check::ReportSignature),
    ("policy: later flags", 0x00b, Check::ReportSignature),
    ("policy: reserved", 0x00c, Check::ReportReserved),
    ("family id", 0x010, Check::ReportSignature),
    ("image id", 0x020, Check::ReportSignature),
    ("vmpl", 0x030, Check::Vmpl),
    ("signature algorithm", 0x034, Check::ReportAlgorithm),
    ("current tcb", 0x038, Check::ReportSignature),
    ("platform information", 0x040, Check::ReportSignature),
    ("key information", 0x048, Check::ReportSigningKey),
    ("key information: reserved", 0x049, Check::ReportReserved),
    ("reserved 1", 0x04c, Check::ReportReserved),
    ("report data", 0x050, Check::ReportSignature),
    ("measurement", 0x090, Check::ReportSignature),
    ("host data", 0x0c0, Check::ReportSignature),
    ("identity key digest", 0x0e0, Check::ReportSignature),
    ("author key digest", 0x110, Check::ReportSignature),
    ("report id", 0x140, Check::ReportSignature),
    ("report id of the migration agent", 0x160, Check::ReportSignature),
    ("reported tcb", 0x180, Check::ChainTcb),
    ("processor family", 0x188, Check::ChainFamily),
    ("processor model", 0x189, Check::ChainFamily),
    ("processor stepping", 0x18a, Check::ReportSignature),
    ("reserved 2", 0x18b, Check::ReportReserved),
    ("chip id", 0x1a0, Check::ChainChipId),
    ("committed tcb", 0x1e0, Check::ReportSignature),
    ("current build", 0x1e8, Check::ReportSignature),
    ("current minor", 0x1e9, Check::ReportSignature),
    ("current major", 0x1ea, Check::ReportSignature),
    ("reserved 3", 0x1eb, Check::ReportReserved),
    ("committed build", 0x1ec, Check::ReportSignature),
    ("committed minor", 0x1ed, Check::ReportSignature),
    ("committed major", 0x1ee, Check::ReportSignature),
    ("reserved 4", 0x1ef, Check::ReportReserved),
    ("launch tcb", 0x1f0, Check::ReportSignature),
    ("mitigations at launch", 0x1f8, Check::ReportReserved),
    ("mitigations now", 0x200, Check::ReportReserved),
    ("reserved 5", 0x208, Check::ReportReserved),
    ("signature, r", 0x2a0, Check::ReportSignature),
    ("signature, r: unused", 0x2d0, Check::ReportSignature),
    ("signature, s", 0x2e8, Check::ReportSignature),
    ("signature, s: unused", 0x318, Check::ReportSignature),
    ("signature: reserved", 0x330, Check::ReportReserved),
    // The same bytes once more, cut where a bit means something else.
    ("policy: multithreading", 0x00a, Check::ReportSignature),
    ("policy: bit 17", 0x00a, Check::ReportReserved),
    ("policy: migration agent", 0x00a, Check::PolicyMigration),
    ("policy: debug", 0x00a, Check::PolicyDebug),
    ("key information: author key", 0x048, Check::ReportSignature),
    ("key information: chip key masked", 0x048, Check::ReportSignature),
];

/// The check that refuses a report with this bit flipped, by the table and the few bits with a meaning of their own.
fn expected(at: usize, bit: u32, report: &[u8]) -> Check {
    let version = report[0];
    match (at, bit) {
        (0x00, _) if (2..=5).contains(&(version ^ 1 << bit)) => other_version(version, version ^ 1 << bit),
        (0x0a, 1) | (0x0b, 2..) => Check::ReportReserved,
        (0x0a, 2) => Check::PolicyMigration,
        (0x0a, 3) => Check::PolicyDebug,
        // Levels up to 3 are a guest's.
        (0x30, bit) if report[0x30] ^ 1 << bit <= 3 => Check::ReportSignature,
        (0x48, 0 | 1) => Check::ReportSignature,
        (0x48, 5..) => Check::ReportReserved,
        (0x188..=0x18a, _) if version < 3 => Check::ReportReserved,
        (0x189, bit) => other_model(report, report[0x189] ^ 1 << bit),
        // What a VLEK signs names any chip, or none.
        (0x1a0..0x1e0, _) if report[0x48] >> 2 & 1 == 1 => Check::ReportSignature,
        (0x1f8..0x208, _) if version == 5 => Check::ReportSignature,
        _ => FIELDS[..47].iter().rfind(|(_, first, _)| *first <= at).map(|(_, _, check)| *check).unwrap(),
    }
}

/// What is reserved in one version means something in another.
fn other_version(from: u8, to: u8) -> Check {
    match (from, to) {
        (5, 4) | (3.., 2) => Check::ReportReserved,
        (2, 3) => Check::ChainFamily,
        _ => Check::ReportSignature,
    }
}

fn other_model(report: &[u8], model: u8) -> Check {
    let family = |model| Family::of_cpuid(report[0x188], model);
    if family(model) == family(report[0x189]) { Check::ReportSignature } else { Check::ChainFamily }
}

#[test]
fn every_bit_of_every_field_is_refused_by_the_check_that_looks_at_it() {
    let mut random = Random(1);
    for (name, evidence) in reports() {
        let ends = FIELDS[..47].iter().skip(1).map(|(_, first, _)| *first).chain([SIZE]);
        for ((field, first, _), end) in FIELDS.iter().zip(ends) {
            // All bits of short fields, some of long ones.
            let bits = (end - first) * 8;
            let chosen: Vec<usize> =
                if bits <= 64 { (0..bits).collect() } else { (0..6).map(|_| random.below(bits)).collect() };
            for chosen in chosen {
                let (at, bit) = (first + chosen / 8, u32::try_from(chosen % 8).unwrap());
                let found = refused(&evidence, |changed| changed.report[at] ^= 1 << bit);
                let expected = expected(at, bit, &evidence.report);
                assert_eq!(found, Some(expected), "{name}: {field}, byte {at:#x}, bit {bit}");
            }
        }
    }
}

#[test]
fn the_table_has_every_byte_once() {
    let firsts: Vec<usize> = FIELDS[..47].iter().map(|(_, first, _)| *first).collect();
    assert!(firsts.is_sorted() && firsts[0] == 0 && firsts[46] < SIZE);
    for (name, first, check) in &FIELDS[47..] {
        let bit = (0..8).find(|bit| expected(*first, *bit, &bare("genoa").report) == *check);
        assert!(bit.is_some(), "{name}");
    }
}

#[test]
fn reports_of_another_size_are_refused() {
    let genuine = bare("genoa");
    for size in [0, 1, SIZE - 1, SIZE + 1, 2 * SIZE, 1 << 20] {
        assert_eq!(refused(&genuine, |changed| changed.report.resize(size, 0)), Some(Check::ReportSize), "{size}");
    }
    let text = verify(&Document::Caci(crate::Caci { report: vec![0; 3], ..genuine })).unwrap_err().to_string();
    assert_eq!(text, "Input SEV-SNP attestation report is not of expected size 1184: 3");
}

#[test]
fn another_machine_s_report_is_refused() {
    let (ours, other) = (bare("genoa"), bare("milan-v2"));
    assert_eq!(refused(&ours, |changed| changed.chain = other.chain.clone()), Some(Check::ChainFamily));
    let (ours, other) = (bare("milan-v2"), container("signing"));
    assert_eq!(refused(&ours, |changed| changed.chain = other.chain.clone()), Some(Check::ChainChipId));
    assert_eq!(refused(&ours, |changed| changed.chain = bare("vlek").chain), Some(Check::ReportSigningKey));
    assert_eq!(refused(&bare("vlek"), |changed| changed.chain = other.chain.clone()), Some(Check::ReportSigningKey));
}

#[test]
fn the_signature_of_another_report_of_the_same_chip_is_refused() {
    let (one, other) = (container("encryption"), container("signing"));
    assert_ne!(one.report, other.report);
    let found = refused(&one, |changed| changed.report[0x2a0..].copy_from_slice(&other.report[0x2a0..]));
    assert_eq!(found, Some(Check::ReportSignature));
    assert!(verify(&Document::Caci(crate::Caci { chain: one.chain, ..other })).is_ok(), "the same chip signed both");
}

#[test]
fn a_version_of_the_firmware_that_was_not_endorsed_is_refused() {
    let genuine = container("encryption");
    for (tcb, found) in [
        ("db18000000000004", None),
        ("DB18000000000004", None),
        ("db18000000000003", Some(Check::EndorsedTcb)),
        ("040000000000018db", Some(Check::EndorsedTcb)),
        ("04000000000018db", Some(Check::EndorsedTcb)),
        ("x", Some(Check::EndorsedTcb)),
    ] {
        assert_eq!(refused(&genuine, |changed| changed.endorsed_tcb = Some(tcb.into())), found, "{tcb}");
    }
}

#[test]
fn signatures_at_the_edge_of_the_curve_are_refused() {
    // The order of P-384, little-endian, and the number before it.
    let mut order =
        hex::decode("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973")
            .unwrap();
    order.reverse();
    let genuine = bare("genoa");
    for number in [vec![0; 48], order.clone(), vec![0xff; 48]] {
        for at in [0x2a0, 0x2e8] {
            let found = refused(&genuine, |changed| changed.report[at..at + 48].copy_from_slice(&number));
            assert_eq!(found, Some(Check::ReportSignature), "{at:#x}: {}", hex::encode(&number));
        }
    }
    let found = refused(&genuine, |changed| changed.report[0x2a0..0x330].fill(0));
    assert_eq!(found, Some(Check::ReportSignature), "a signature of zeros");
}

/// ECDSA has two signatures for one: AMD's processors make either, so both must be taken. Whoever tells evidence apart by
/// the digest of its bytes, or by its claims of the signature, takes one piece for two.
#[test]
fn the_other_half_of_a_signature_says_the_same() {
    let genuine = bare("genoa");
    let mut other = genuine.clone();
    negate(&mut other.report[0x2e8..0x318]);
    let mut claims = [genuine, other].map(|evidence| verify(&Document::Caci(evidence)).unwrap().claims);
    assert_ne!(claims[0], claims[1]);
    claims.iter_mut().for_each(|claims| claims.retain(|name, _| name != "signature-s"));
    assert_eq!(claims[0], claims[1]);
}

/// The order of P-384 minus a little-endian number.
pub(super) fn negate(number: &mut [u8]) {
    let order = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";
    let order = hex::decode(order).unwrap();
    let mut borrow = 0;
    for (byte, from) in number.iter_mut().zip(order.iter().rev()) {
        let difference = i16::from(*from) - i16::from(*byte) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
}

#[test]
fn what_a_chip_of_our_own_signs_is_judged_by_the_same_checks() {
    for family in Family::ALL {
        let chip = Maker::of(family).make();
        assert_eq!(chip.verify(&mut report(family)).unwrap().chain.family(), family);
        for (name, at, value, check) in [
            ("a byte of the chip", 0x1a0, 0x12, Check::ChainChipId),
            ("the last byte of the chip", 0x1df, 0x77, Check::ChainChipId),
            ("firmware", 0x187, 0xda, Check::ChainTcb),
            ("firmware, reserved", 0x184, 1, Check::ChainTcb),
            ("another kind of key", 0x48, 1 << 2, Check::ReportSigningKey),
            ("no key", 0x48, 7 << 2, Check::ReportSigningKey),
            ("an unknown model", 0x189, 0xff, Check::ChainFamily),
        ] {
            let mut changed = report(family);
            changed[at] = value;
            assert_eq!(chip.verify(&mut changed).unwrap_err().check, check, "{family}: {name}");
        }
        let mut by_stranger = report(family);
        Maker::of(family).make().sign(&mut by_stranger);
        let by_stranger = Report::parse(&by_stranger, &mut Trail::new()).unwrap();
        let chain = chip.chain(&mut Trail::new()).unwrap();
        let found = conclude(by_stranger, chain, None, &mut Trail::new()).unwrap_err();
        assert_eq!(found.check, Check::ReportSignature, "{family}: the key of another chip of that name");
    }
}

#[test]
fn a_hidden_chip_is_named_as_such() {
    let chip = Maker::of(Family::Milan).make();
    let mut hidden = report(Family::Milan);
    hidden[0x1a0..0x1e0].fill(0);
    let rejection = chip.verify(&mut hidden).unwrap_err();
    assert_eq!(rejection.check, Check::ChainChipId);
    assert!(rejection.found.starts_with("zeros, since the host hides it"), "{rejection}");
    let mut unsigned = report(Family::Milan);
    unsigned[0x48] = 7 << 2;
    assert_eq!(chip.verify(&mut unsigned).unwrap_err().found, "7 (none: the host has switched signatures off)");
}

#[test]
fn a_lent_key_signs_for_any_chip() {
    let chip = Maker::lending(Family::Genoa).make();
    for id in [0, 0x11] {
        let mut report = report(Family::Genoa);
        report[0x48] = 1 << 2;
        report[0x1a0..0x1e0].fill(id);
        let verified = chip.verify(&mut report).unwrap();
        assert_eq!(verified.chain.provider(), Some("CN=provider"));
    }
    let mut own = report(Family::Genoa);
    assert_eq!(chip.verify(&mut own).unwrap_err().check, Check::ReportSigningKey);
}

proptest! {
    #[test]
    fn no_report_of_random_bytes_is_taken(mut bytes in prop::collection::vec(any::<u8>(), SIZE), version in 2..6_u8) {
        let genuine = bare("genoa");
        prop_assert!(refused(&genuine, |changed| changed.report.clone_from(&bytes)).is_some());
        // With what is reserved as it should be, it is for the chain and the signature to refuse it.
        bytes[..4].copy_from_slice(&[version, 0, 0, 0]);
        bytes[0x34..0x38].copy_from_slice(&[1, 0, 0, 0]);
        prop_assert!(refused(&genuine, |changed| changed.report.clone_from(&bytes)).is_some());
    }
}
