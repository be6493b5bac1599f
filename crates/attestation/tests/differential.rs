//! The same evidence, genuine and changed, before this verifier and before the one of the crate `sev`, which shares no code
//! with it, down to the cryptography.
//!
//! That one verifies the signatures of a chain and of the report, and leaves everything else to its caller. So what is
//! believed here must be believed there, and what is believed there only must be one of the places that it does not look
//! at: [`UNREAD`] in a report, and in a certificate what it says outside its signed part about how it is signed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failure report of a test")]

use std::path::PathBuf;

use attestation::{Check, Trail, snp};
use sev::{
    certs::snp::{Certificate, Chain, Verifiable as _, ca},
    firmware::guest::AttestationReport,
    parser::ByteParser as _,
};

/// Bytes of a report that must be zero, and that the other implementation writes as zero before it looks at the signature,
/// whatever they are: unused parts of the four versions of the firmware, behind r, behind s, behind the signature.
const UNREAD: [std::ops::Range<usize>; 7] =
    [0x3a..0x3e, 0x182..0x186, 0x1e2..0x1e6, 0x1f2..0x1f6, 0x2d0..0x2e8, 0x318..0x330, 0x330..snp::SIZE];
/// The samples with a chain and a report.
const SAMPLES: [&str; 3] = ["genoa", "milan-v2", "vlek"];

/// How often each sample is changed: `DIFFERENTIAL_CASES`, or enough for every test run.
fn cases() -> usize {
    std::env::var("DIFFERENTIAL_CASES").map_or(400, |text| text.parse().unwrap())
}

fn read(name: &str) -> Vec<u8> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation");
    std::fs::read(data.join(name)).unwrap()
}

/// A report with the DER of its chain: chip, intermediate, root.
#[derive(Clone)]
struct Evidence {
    report: Vec<u8>,
    chain: [Vec<u8>; 3],
}

impl Evidence {
    fn sample(name: &str) -> Self {
        let pem = String::from_utf8(read(&format!("{name}/chain.pem"))).unwrap();
        let chain = crypto::certificates_from_pem(&pem).unwrap();
        let chain: Vec<Vec<u8>> = chain.iter().map(|one| one.der().to_vec()).collect();
        Self { report: read(&format!("{name}/report.bin")), chain: chain.try_into().unwrap() }
    }

    fn ours(&self, cache: &mut snp::ChainCache) -> Result<snp::Verified, Check> {
        let certificates: Result<Vec<_>, _> = self.chain.iter().map(|der| crypto::Certificate::from_der(der)).collect();
        let Ok(certificates) = certificates else { return Err(Check::ChainFormat) };
        let pem: String = certificates.iter().map(crypto::Certificate::to_pem).collect();
        let evidence = snp::Evidence { report: &self.report, chain: &pem, endorsed_tcb: None };
        snp::verify(&evidence, cache, &mut Trail::new()).map_err(|rejection| rejection.check)
    }

    fn theirs(&self) -> std::io::Result<AttestationReport> {
        let [vek, ask, ark] = self.chain.each_ref().map(|der| Certificate::from_der(der));
        let chain = Chain { ca: ca::Chain { ark: ark?, ask: ask? }, vek: vek? };
        let report = AttestationReport::from_bytes(&self.report)?;
        (&chain, &report).verify()?;
        Ok(report)
    }

    /// The report under a chip's certificate that was verified before.
    fn report_under(&self, vek: &Certificate) -> std::io::Result<()> {
        let report = AttestationReport::from_bytes(&self.report)?;
        (vek, &report).verify()
    }
}

/// SplitMix64.
fn random(state: &mut u64, limit: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
}

#[test]
fn both_believe_genuine_reports_and_read_the_same_in_them() {
    for name in SAMPLES {
        let evidence = Evidence::sample(name);
        let ours = evidence.ours(&mut snp::ChainCache::new(0)).unwrap();
        let theirs = evidence.theirs().unwrap();
        let (family, report) = (ours.chain.family(), &ours.report);
        assert_eq!(
            (report.version(), report.guest_svn(), report.vmpl()),
            (theirs.version, theirs.guest_svn, theirs.vmpl)
        );
        assert_eq!((report.family_id(), report.image_id()), (theirs.family_id, theirs.image_id));
        assert_eq!((report.report_data(), report.measurement()), (theirs.report_data, theirs.measurement));
        assert_eq!((report.host_data(), report.id_key_digest()), (theirs.host_data, theirs.id_key_digest));
        assert_eq!((report.author_key_digest(), report.report_id()), (theirs.author_key_digest, theirs.report_id));
        assert_eq!((report.report_id_ma(), report.chip_id()), (theirs.report_id_ma, theirs.chip_id));
        assert_eq!((report.signature_algorithm(), report.policy().0), (theirs.sig_algo, theirs.policy.into()));
        assert_eq!(report.cpuid(), theirs.cpuid_fam_id.zip(theirs.cpuid_mod_id));
        assert_eq!(report.policy().debug(), theirs.policy.debug_allowed());
        assert_eq!(report.policy().migration_agent(), theirs.policy.migrate_ma_allowed());
        assert_eq!(report.policy().smt(), theirs.policy.smt_allowed());
        assert_eq!(report.signing_key(), theirs.key_info.signing_key());
        for (ours, theirs) in [
            (report.reported_tcb(family), theirs.reported_tcb),
            (report.current_tcb(family), theirs.current_tcb),
            (report.committed_tcb(family), theirs.committed_tcb),
            (report.launch_tcb(family), theirs.launch_tcb),
        ] {
            let levels = (theirs.fmc, theirs.bootloader, theirs.tee, theirs.snp, theirs.microcode);
            assert_eq!((ours.fmc(), ours.boot_loader(), ours.tee(), ours.snp(), ours.microcode()), levels, "{name}");
        }
    }
}

#[test]
fn both_judge_changed_reports_alike() {
    let (mut state, mut believed_there) = (1, 0);
    for name in SAMPLES {
        let genuine = Evidence::sample(name);
        genuine.theirs().unwrap();
        let vek = Certificate::from_der(&genuine.chain[0]).unwrap();
        let mut cache = snp::ChainCache::new(1);
        for _ in 0..cases() {
            let (at, bit) = (random(&mut state, snp::SIZE), random(&mut state, 8));
            let mut changed = genuine.clone();
            changed.report[at] ^= 1 << bit;
            let (ours, theirs) = (changed.ours(&mut cache), changed.report_under(&vek));
            assert!(ours.is_err(), "{name}: byte {at:#x}, bit {bit}");
            if theirs.is_ok() {
                believed_there += 1;
                assert!(UNREAD.iter().any(|range| range.contains(&at)), "{name}: byte {at:#x}, bit {bit}: {ours:?}");
            }
        }
    }
    assert!(believed_there > cases() / 5, "the places that only one of them looks at were tried");
}

#[test]
fn both_judge_changed_chains_alike() {
    let mut state = 2;
    for name in SAMPLES {
        let genuine = Evidence::sample(name);
        for which in 0..3 {
            for _ in 0..cases() / 25 {
                let at = random(&mut state, genuine.chain[which].len());
                let bit = random(&mut state, 8);
                let mut changed = genuine.clone();
                changed.chain[which][at] ^= 1 << bit;
                let (ours, theirs) = (changed.ours(&mut snp::ChainCache::new(0)), changed.theirs());
                assert!(ours.is_err(), "{name}: certificate {which}, byte {at}, bit {bit}");
                let is_unread = unsigned_part(&genuine.chain[which]).contains(&at);
                assert!(theirs.is_err() || is_unread, "{name}: certificate {which}, byte {at}, bit {bit}: {ours:?}");
            }
        }
    }
}

/// The bytes of a certificate between its signed part and its RSA signature of 512 bytes.
fn unsigned_part(certificate: &[u8]) -> std::ops::Range<usize> {
    // Two heads of four bytes: 30 82 and the length.
    let length = usize::from(u16::from_be_bytes([certificate[6], certificate[7]]));
    8 + length..certificate.len() - 512
}

#[test]
fn both_refuse_parts_of_others() {
    for (ours, other) in [("genoa", "milan-v2"), ("milan-v2", "vlek"), ("vlek", "genoa"), ("vlek", "milan-v2")] {
        let (genuine, stranger) = (Evidence::sample(ours), Evidence::sample(other));
        for which in 0..4 {
            let mut mixed = genuine.clone();
            match mixed.chain.get_mut(which) {
                Some(certificate) => certificate.clone_from(&stranger.chain[which]),
                None => mixed.report.clone_from(&stranger.report),
            }
            let is_same = mixed.chain == genuine.chain && mixed.report == genuine.report;
            assert_eq!(mixed.ours(&mut snp::ChainCache::new(0)).is_ok(), is_same, "{ours}, part {which} of {other}");
            assert_eq!(mixed.theirs().is_ok(), is_same, "{ours}, part {which} of {other}");
        }
    }
}
