use crypto::{Certificate, Curve, Hash, Scheme};

use crate::{Check, Rejection, Result};

use super::Report;

/// The signature algorithm that all published processors use.
const ECDSA_P384_SHA384: u32 = 1;

/// Checks that the chip's key signed the report.
pub(super) fn check(report: &Report, chip: &Certificate) -> Result<()> {
    let fits = || {
        let (r, s) = report.signature()?;
        let key = chip.foreign_key().ok()?;
        key.verify(Scheme::EcdsaFixed(Curve::P384, Hash::Sha384), report.signed(), &[r, s].concat()).ok()
    };
    let expected = "a signature by the key of the chip";
    fits().ok_or_else(|| Rejection::new(Check::ReportSignature, expected, "another"))
}

/// Checks that the report says that it is signed in the one known way.
pub(super) fn check_algorithm(report: &Report) -> Result<()> {
    let found = report.signature_algorithm();
    Rejection::unless(found == ECDSA_P384_SHA384, Check::ReportAlgorithm, ECDSA_P384_SHA384, found)
}
