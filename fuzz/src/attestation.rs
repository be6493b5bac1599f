//! Evidence of clean rooms.

use std::{cell::RefCell, fs, path::Path, sync::LazyLock};

use attestation::{Caci, Claims, Cvm, Document, Rejection, Trail, Verifier};

pub mod chain;
pub mod did;
pub mod document;
pub mod hcl;
pub mod quote;
pub mod report;
pub mod uvm;

/// A check says no more than this of what a stranger has sent: two texts of 200 characters, and its own words.
const MOST_SAID: usize = 4000;

/// Genuine evidence of a container, of a machine, and of a bare report.
static GENUINE: LazyLock<[Document; 3]> = LazyLock::new(|| {
    let json = |name: &str| Document::from_json(&file(name)).expect("genuine evidence");
    let chain = String::from_utf8(file("genoa/chain.pem")).expect("PEM");
    let bare = Caci { report: file("genoa/report.bin"), chain, uvm_endorsements: None, endorsed_tcb: None };
    [json("caci/encryption/attestation.json"), json("cvm/encryption/attestation.json"), Document::Caci(bare)]
});

thread_local! {
    /// Chains are verified once.
    static VERIFIER: RefCell<Verifier> = RefCell::new(Verifier::new(8));
}

fn file(name: &str) -> Vec<u8> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/attestation").join(name);
    fs::read(&data).unwrap_or_else(|why| panic!("{}: {why}", data.display()))
}

fn container() -> &'static Caci {
    match &GENUINE[0] {
        Document::Caci(evidence) => evidence,
        other => panic!("{other:?}"),
    }
}

fn machine() -> &'static Cvm {
    match &GENUINE[1] {
        Document::Cvm(evidence) => evidence,
        other => panic!("{other:?}"),
    }
}

fn bare() -> &'static Caci {
    match &GENUINE[2] {
        Document::Caci(evidence) => evidence,
        other => panic!("{other:?}"),
    }
}

/// What evidence says, if it is believed.
fn verify(document: &Document) -> Option<Claims> {
    let mut trail = Trail::new();
    let verified = VERIFIER.with_borrow_mut(|verifier| verifier.verify(document, &mut trail));
    let announced = document.checks();
    match verified {
        Ok(proven) => {
            assert_eq!(trail.passed(), announced);
            Some(proven.claims)
        }
        Err(rejection) => {
            assert_eq!(trail.passed(), &announced[..trail.passed().len()]);
            assert_eq!(rejection.check, announced[trail.passed().len()]);
            check(&rejection);
            None
        }
    }
}

/// Whether a body also has this input's signature verified, which takes fifty times as long as to read it: one in sixteen.
fn is_verified_too(data: &[u8]) -> bool {
    crc32fast::hash(data).is_multiple_of(16)
}

/// No error is longer for what a stranger has sent.
fn check(rejection: &Rejection) {
    assert!(rejection.to_string().len() <= MOST_SAID, "{rejection}");
}

/// The claims but for the half of a signature that can be written in two ways.
fn without_signature(mut claims: Claims) -> Claims {
    claims.remove("signature-s");
    claims
}
