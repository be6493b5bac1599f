//! Whole documents, changed anywhere.

use std::{cell::RefCell, sync::LazyLock};

use proptest::prelude::*;
use serde_json::json;

use super::samples::{CANNED, bytes};
use crate::{Bound, Check, Claims, Document, Platform, Proven, RunsAsVirtual, Trail, Verifier};

/// What a genuine document proves.
struct Genuine {
    text: Vec<u8>,
    document: Document,
    claims: Claims,
    bound: Bound,
    identity: crypto::Digest,
}

static GENUINE: LazyLock<Vec<Genuine>> = LazyLock::new(|| {
    let read = |name: &&str| {
        let text = bytes(name);
        let document = Document::from_json(&text).unwrap();
        let Proven { claims, bound, identity, .. } = Verifier::new(0).verify(&document, &mut Trail::new()).unwrap();
        Genuine { text, document, claims, bound, identity }
    };
    CANNED.iter().map(read).collect()
});

thread_local! {
    /// Chains are verified once.
    static VERIFIER: RefCell<Verifier> = RefCell::new(Verifier::new(4));
}

impl Genuine {
    /// Whatever became of the document: it is refused, or says what it said, or says it without an endorsement: who brings
    /// none is believed the rest (D27).
    fn check(&self, changed: &Document) -> Result<(), TestCaseError> {
        let proven = VERIFIER.with_borrow_mut(|verifier| verifier.verify(changed, &mut Trail::new()));
        if let Ok(proven) = proven {
            let mut expected = self.claims.clone();
            let is_whole = proven.uvm.is_some() || proven.platform == Platform::SnpCvm;
            prop_assert_eq!(proven.identity == self.identity, is_whole);
            if proven.uvm.is_none() {
                expected.retain(|name, _| !name.starts_with("uvm_endorsements-"));
            }
            prop_assert_eq!(&proven.claims, &expected);
            prop_assert_eq!(&proven.bound, &self.bound);
        }
        Ok(())
    }
}

fn flip(bytes: &mut [u8], at: usize, bit: u8) {
    let length = bytes.len();
    if length > 0 {
        bytes[at % length] ^= 1 << bit;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn bits_of_the_text(which in 0..3_usize, flips in prop::collection::vec((any::<usize>(), 0..8_u8), 1..4)) {
        let genuine = &GENUINE[which];
        let mut text = genuine.text.clone();
        flips.into_iter().for_each(|(at, bit)| flip(&mut text, at, bit));
        if let Ok(document) = Document::from_json(&text) {
            genuine.check(&document)?;
        }
    }

    #[test]
    fn bits_of_the_parts(which in 0..3_usize, part in 0..6_usize, flips in prop::collection::vec((any::<usize>(), 0..8_u8), 1..4)) {
        let genuine = &GENUINE[which];
        let mut document = genuine.document.clone();
        for (at, bit) in flips {
            match (&mut document, part) {
                (Document::Caci(caci), 0..3) => flip(&mut caci.report, at, bit),
                (Document::Caci(caci), 3 | 4) => flip(caci.uvm_endorsements.as_mut().unwrap(), at, bit),
                (Document::Caci(caci), _) => {
                    let mut chain = std::mem::take(&mut caci.chain).into_bytes();
                    flip(&mut chain, at, bit & 3);
                    caci.chain = String::from_utf8_lossy(&chain).into_owned();
                }
                (Document::Cvm(cvm), 0) => flip(&mut cvm.quote, at, bit),
                (Document::Cvm(cvm), 1) => flip(&mut cvm.hcl_report, at, bit),
                (Document::Cvm(cvm), 2) => flip(cvm.snp_report.as_mut().unwrap(), at, bit),
                (Document::Cvm(cvm), 3) => flip(cvm.aik_certificate.as_mut().unwrap(), at, bit),
                (Document::Cvm(cvm), 4) => flip(cvm.pcrs.get_mut(&u8::try_from(at % 24).unwrap()).unwrap(), at / 24, bit),
                (Document::Cvm(cvm), _) => flip(&mut cvm.nonce, at, bit),
                (other, _) => panic!("{other:?}"),
            }
        }
        genuine.check(&document)?;
    }

    #[test]
    fn parts_of_one_in_another(one in 0..2_usize, part in 0..3_u8) {
        let (ours, other) = (&GENUINE[one], &GENUINE[1 - one]);
        let (Document::Caci(ours_parts), Document::Caci(theirs)) = (&ours.document, &other.document) else { panic!("containers") };
        let mut mixed = ours_parts.clone();
        match part {
            0 => mixed.chain.clone_from(&theirs.chain),
            1 => mixed.uvm_endorsements.clone_from(&theirs.uvm_endorsements),
            _ => mixed.endorsed_tcb = Some("db18000000000004".into()),
        }
        ours.check(&Document::Caci(mixed))?;
    }

    #[test]
    fn texts_of_strangers_are_documents_or_not(text in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(document) = Document::from_json(&text) {
            prop_assert!(VERIFIER.with_borrow_mut(|verifier| verifier.verify(&document, &mut Trail::new())).is_err());
        }
    }
}

fn unprotected() -> Document {
    let json = json!({
        "measurement": "Insecure hard-coded virtual measurement v1",
        "host_data": "4f".repeat(32),
        "report_data": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=",
    });
    Document::from_json(json.to_string().as_bytes()).unwrap()
}

#[test]
fn evidence_without_protection_is_refused_unless_that_was_asked_for() {
    let document = unprotected();
    assert_eq!(document.platform(), Platform::Virtual);
    let mut trail = Trail::new();
    let refused = Verifier::new(1).verify(&document, &mut trail).unwrap_err();
    assert_eq!((refused.check, trail.passed()), (Check::VirtualAllowed, &[][..]));
    let mut allowing = Verifier::new(1).allowing_virtual(RunsAsVirtual);
    let proven = allowing.verify(&document, &mut trail).unwrap();
    assert_eq!(trail.passed(), document.checks());
    assert_eq!((proven.platform, proven.snp, proven.uvm), (Platform::Virtual, None, None));
    assert_eq!(proven.bound, Bound::ReportData(format!("{}{}", "ab".repeat(32), "0".repeat(64))));
    let expected = json!({
        "virtual-measurement": "Insecure hard-coded virtual measurement v1",
        "virtual-hostdata": "4f".repeat(32),
        "virtual-reportdata": "ab".repeat(32),
    });
    assert_eq!(serde_json::to_value(proven.claims).unwrap(), expected);
}

#[test]
fn who_allows_that_verifies_the_rest_as_ever() {
    let mut allowing = Verifier::new(1).allowing_virtual(RunsAsVirtual);
    let Document::Caci(mut evidence) = GENUINE[0].document.clone() else { panic!("a container") };
    evidence.report[0x50] ^= 1;
    let refused = allowing.verify(&Document::Caci(evidence), &mut Trail::new()).unwrap_err();
    assert_eq!(refused.check, Check::ReportSignature);
}
