//! How many pieces of evidence are verified in a second, on one processor.

use std::time::{Duration, Instant};

use attestation::{Document, Trail, Verifier};
use suites::{Result, repository};

/// How long each case is measured.
const TIME: Duration = Duration::from_secs(2);

/// One kind of evidence.
pub struct Evidence {
    /// What it is.
    pub name: &'static str,
    /// A second, with each chain verified anew.
    pub anew: f64,
    /// A second, with the chain remembered.
    pub remembered: f64,
}

/// Verifies genuine evidence of each kind, over and over.
pub fn measure() -> Result<Vec<Evidence>> {
    let container = read("caci/encryption/attestation.json")?;
    let mut alone = container.clone();
    if let Document::Caci(evidence) = &mut alone {
        evidence.uvm_endorsements = None;
    }
    let machine = read("cvm/encryption/attestation.json")?;
    let kinds = [
        ("container (`snp-caci`) with the endorsement of its utility VM", container),
        ("container without it", alone),
        ("virtual machine (`snp-cvm`)", machine),
    ];
    kinds.into_iter().map(|(name, document)| of(name, &document)).collect()
}

fn read(name: &str) -> Result<Document> {
    let file = repository().join("tests/data/attestation").join(name);
    Ok(Document::from_json(&std::fs::read(file)?)?)
}

fn of(name: &'static str, document: &Document) -> Result<Evidence> {
    Ok(Evidence { name, anew: rate(0, document)?, remembered: rate(1, document)? })
}

/// Verifications a second with a memory of so many chains.
fn rate(chains: usize, document: &Document) -> Result<f64> {
    let mut verifier = Verifier::new(chains);
    verifier.verify(document, &mut Trail::new())?;
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < TIME {
        verifier.verify(document, &mut Trail::new())?;
        count += 1;
    }
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
