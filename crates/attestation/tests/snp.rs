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
