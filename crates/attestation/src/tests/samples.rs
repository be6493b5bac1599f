//! Genuine evidence, to be changed at will.

use std::path::PathBuf;

use serde_json::Value;

use crate::{Caci, Check, Cvm, Document, Proven, Rejection, Trail, Verifier};

/// The canned files.
pub(super) const CANNED: [&str; 3] =
    ["caci/encryption/attestation.json", "caci/signing/attestation.json", "cvm/encryption/attestation.json"];

pub(super) fn bytes(name: &str) -> Vec<u8> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation");
    std::fs::read(data.join(name)).unwrap()
}

pub(super) fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// `encryption` or `signing`.
pub(super) fn container(name: &str) -> Caci {
    match Document::from_json(&bytes(&format!("caci/{name}/attestation.json"))).unwrap() {
        Document::Caci(evidence) => evidence,
        other => panic!("{other:?}"),
    }
}

pub(super) fn machine() -> Cvm {
    match Document::from_json(&bytes("cvm/encryption/attestation.json")).unwrap() {
        Document::Cvm(evidence) => evidence,
        other => panic!("{other:?}"),
    }
}

/// A bare report with its chain: `genoa`, `milan-v2` or `vlek`.
pub(super) fn bare(name: &str) -> Caci {
    let chain = String::from_utf8(bytes(&format!("{name}/chain.pem"))).unwrap();
    Caci { report: bytes(&format!("{name}/report.bin")), chain, uvm_endorsements: None, endorsed_tcb: None }
}

/// Every genuine report with its chain; the one of the virtual machine without what is above it.
pub(super) fn reports() -> Vec<(&'static str, Caci)> {
    let below = machine();
    let (report, chain) = (below.snp_report.unwrap(), below.chain);
    vec![
        ("encryption", container("encryption")),
        ("signing", container("signing")),
        ("machine", Caci { report, chain, uvm_endorsements: None, endorsed_tcb: None }),
        ("genoa", bare("genoa")),
        ("milan-v2", bare("milan-v2")),
        ("vlek", bare("vlek")),
    ]
}

/// The certificates of a chain in PEM.
pub(super) fn split(chain: &str) -> Vec<String> {
    crypto::certificates_from_pem(chain).unwrap().iter().map(crypto::Certificate::to_pem).collect()
}

pub(super) fn verify(document: &Document) -> Result<Proven, Rejection> {
    Verifier::new(0).verify(document, &mut Trail::new())
}

/// The check that refuses evidence after `change`; `None` if none does.
pub(super) fn refused(evidence: &Caci, change: impl FnOnce(&mut Caci)) -> Option<Check> {
    let mut changed = evidence.clone();
    change(&mut changed);
    verify(&Document::Caci(changed)).err().map(|rejection| rejection.check)
}

/// As [`refused`], for a virtual machine.
pub(super) fn refused_machine(evidence: &Cvm, change: impl FnOnce(&mut Cvm)) -> Option<Check> {
    let mut changed = evidence.clone();
    change(&mut changed);
    verify(&Document::Cvm(changed)).err().map(|rejection| rejection.check)
}

/// Numbers that look random and are the same each time (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}
