//! Reports of processors.

use attestation::{
    Caci, Document, Trail,
    snp::{Family, Report, SIZE, Tcb},
};

use super::{bare, check, is_verified_too, verify, without_signature};

/// The bytes as a report; and as one with the chain of a genuine one.
///
/// # Panics
/// If a report is read that must not be, or believed that its processor has not signed.
pub fn run(data: &[u8]) {
    match Report::parse(data, &mut Trail::new()) {
        Ok(report) => fields(&report, data),
        Err(rejection) => return check(&rejection),
    }
    if !is_verified_too(data) {
        return;
    }
    let changed = Document::Caci(Caci { report: data.to_vec(), ..bare().clone() });
    if let Some(claims) = verify(&changed) {
        let genuine = verify(&Document::Caci(bare().clone())).expect("it is genuine");
        assert_eq!(without_signature(claims), without_signature(genuine));
    }
}

fn fields(report: &Report, data: &[u8]) {
    assert_eq!(data.len(), SIZE);
    assert!((2..=5).contains(&report.version()) && report.signing_key() < 8);
    assert_eq!((report.version() >= 3, &data[0x50..0x90]), (report.cpuid().is_some(), &report.report_data()[..]));
    assert_eq!(&data[0x90..0xc0], report.measurement());
    assert_eq!(&data[0x1a0..0x1e0], report.chip_id());
    for family in Family::ALL {
        let tcb = report.reported_tcb(family);
        assert_eq!(Tcb::from_hex(family, &tcb.to_hex()), Some(tcb));
        assert!(tcb.is_at_least(tcb));
    }
    if let Some((r, s)) = report.signature() {
        assert!(r.iter().rev().eq(&data[0x2a0..0x2d0]) && s.iter().rev().eq(&data[0x2e8..0x318]));
    }
}
