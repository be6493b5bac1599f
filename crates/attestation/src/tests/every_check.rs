//! Every check can fail, and what it says then is its own.

use std::collections::BTreeSet;

use super::{
    forge::{Maker, report},
    samples::{bare, container, machine, split},
};
use crate::{
    Caci, Check, Cvm, Document, Rejection, Result, Trail, Verifier, cvm,
    snp::{self, Family, Tcb},
    uvm,
};

/// Evidence that fails at a check and passes those before it.
fn provoke(check: Check) -> Rejection {
    match check {
        Check::DocumentFormat => Document::from_json(b"{}").unwrap_err(),
        Check::MinimumTcb => minimum().unwrap_err(),
        Check::EndorsedTcb => caci(|changed| changed.endorsed_tcb = Some("00".into())),
        Check::ReportSize => caci(|changed| changed.report.truncate(1183)),
        Check::ReportVersion => byte(0, 6),
        Check::ReportReserved => byte(0x18b, 1),
        Check::ReportAlgorithm => byte(0x34, 2),
        Check::Vmpl => byte(0x30, 4),
        Check::PolicyDebug => byte(0x0a, 0x0b),
        Check::PolicyMigration => byte(0x0a, 0x07),
        Check::ReportSigningKey => byte(0x48, 4),
        Check::ReportSignature => byte(0x50, 0),
        Check::ChainFamily => byte(0x189, 0x10),
        Check::ChainChipId => byte(0x1a0, 0),
        Check::ChainTcb => byte(0x180, 0),
        _ if check.name().starts_with("chain.") => chain(check),
        _ if check.name().starts_with("uvm.") => endorsement(check),
        Check::VirtualAllowed => {
            let evidence = crate::Virtual { measurement: String::new(), host_data: [0; 32], report_data: Vec::new() };
            refuse(&Document::Virtual(evidence))
        }
        other => paravisor(other),
    }
}

fn refuse(document: &Document) -> Rejection {
    Verifier::new(0).verify(document, &mut Trail::new()).unwrap_err()
}

fn caci(change: impl FnOnce(&mut Caci)) -> Rejection {
    let mut evidence = container("encryption");
    change(&mut evidence);
    refuse(&Document::Caci(evidence))
}

fn byte(at: usize, value: u8) -> Rejection {
    caci(|changed| changed.report[at] = value)
}

fn minimum() -> Result<()> {
    let proven = Verifier::new(0).verify(&Document::Caci(container("encryption")), &mut Trail::new()).unwrap();
    proven.snp.unwrap().check_minimum(Tcb::new(Family::Milan, [0xff; 8]))
}

fn chain(check: Check) -> Rejection {
    let parts = split(&bare("genoa").chain);
    let [chip, intermediate, root] = [0, 1, 2].map(|at| parts[at].as_str());
    let other = split(&bare("milan-v2").chain);
    let of = |chain: &[&str]| caci(|changed| changed.chain = chain.concat());
    match check {
        Check::ChainFormat => of(&["x"]),
        Check::ChainCount => of(&[chip]),
        Check::ChainRoot => of(&[chip, root, intermediate]),
        Check::ChainRootSignature => {
            let mut der = crypto::Certificate::from_pem(root).unwrap().der().to_vec();
            *der.last_mut().unwrap() ^= 1;
            let changed = crypto::Certificate::from_der(&der).unwrap().to_pem();
            of(&[chip, intermediate, &changed])
        }
        Check::ChainIntermediate => of(&[chip, &other[1], root]),
        Check::ChainChip => of(&[&other[0], intermediate, root]),
        Check::ChainNames => of(&[intermediate, root, root]),
        Check::ChainExtensions => of_maker(&Maker::of(Family::Milan).with(&[4], None)),
        _ => of_maker(&Maker::of(Family::Milan).with(&[2], Some(b"\x16\x01x"))),
    }
}

fn of_maker(maker: &Maker) -> Rejection {
    maker.make().chain(&mut Trail::new()).unwrap_err()
}

fn endorsement(check: Check) -> Rejection {
    let message = container("encryption").uvm_endorsements.unwrap();
    let change = |part: &[u8], offset: usize| {
        let at = message.windows(part.len()).position(|window| window == part).unwrap();
        let mut changed = message.clone();
        changed[at + offset] ^= 1;
        uvm::verify(&changed, &mut Trail::new()).unwrap_err()
    };
    match check {
        Check::UvmFormat => change(b"application/json", 0),
        Check::UvmChain => change(b"Microsoft SCD Products RSA CA", 0),
        Check::UvmIssuer => change(b"I__iuL25", 0),
        Check::UvmSignature => change(b"x-ms-sevsnpvm-launchmeasurement", 0),
        Check::UvmPayload => super::makers::without_payload(),
        _ => refuse(&Document::Caci(Caci { uvm_endorsements: Some(message), ..bare("genoa") })),
    }
}

fn paravisor(check: Check) -> Rejection {
    let of = |change: fn(&mut Cvm)| {
        let mut evidence = machine();
        change(&mut evidence);
        refuse(&Document::Cvm(evidence))
    };
    match check {
        Check::CvmFormat => of(|changed| changed.pcrs.clear()),
        Check::HclReport => of(|changed| changed.hcl_report[0] ^= 1),
        Check::HclBinding => of(|changed| changed.hcl_report[1300] ^= 1),
        Check::AikCertificate => of(|changed| changed.aik_certificate = Some(Vec::new())),
        Check::QuoteFormat => of(|changed| changed.quote.truncate(100)),
        Check::QuoteSignature => of(|changed| *changed.quote.last_mut().unwrap() ^= 1),
        Check::QuoteNonce => of(|changed| changed.nonce[0] ^= 1),
        Check::QuoteSelection => of(|changed| changed.pcrs.retain(|number, _| *number != 7)),
        Check::QuoteDigest => of(|changed| changed.pcrs.get_mut(&7).unwrap()[0] ^= 1),
        Check::HclPrivilege => of_level(1, b""),
        _ => of_level(0, b"no claims"),
    }
}

/// What is refused of a paravisor at a privilege level, with these claims.
fn of_level(vmpl: u8, claims: &[u8]) -> Rejection {
    let mut bytes = report(Family::Turin);
    bytes[0x30] = vmpl;
    bytes[0x50..0x70].copy_from_slice(&crypto::sha256(claims));
    let snp: snp::Verified = Maker::of(Family::Turin).make().verify(&mut bytes).unwrap();
    let evidence = cvm::Evidence {
        quote: &[],
        hcl_report: &[],
        snp_report: None,
        aik_certificate: None,
        pcrs: &std::collections::BTreeMap::new(),
        nonce: &[],
        chain: "",
    };
    cvm::conclude(&evidence, claims, snp, &mut Trail::new()).unwrap_err()
}

#[test]
fn every_check_can_fail() {
    for check in Check::ALL {
        let rejection = provoke(*check);
        assert_eq!(rejection.check, *check);
        assert!(!rejection.expected.is_empty() && !rejection.found.is_empty(), "{rejection:?}");
        assert_ne!(rejection.expected, rejection.found, "{check}");
    }
}

#[test]
fn every_check_has_a_name_and_a_meaning_of_its_own() {
    let names: BTreeSet<&str> = Check::ALL.iter().map(|check| check.name()).collect();
    let meanings: BTreeSet<&str> = Check::ALL.iter().map(|check| check.meaning()).collect();
    assert_eq!((names.len(), meanings.len()), (Check::ALL.len(), Check::ALL.len()));
    assert!(meanings.iter().all(|meaning| meaning.starts_with(char::is_uppercase) && meaning.ends_with('.')));
    assert_eq!(Check::ReportSize.to_string(), "report.size");
}
