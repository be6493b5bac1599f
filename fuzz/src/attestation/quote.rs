//! Quotes of virtual TPMs.

use std::sync::LazyLock;

use attestation::cvm::{Quote, RuntimeClaims, parts};
use crypto::ForeignKey;

use super::{check, machine};

/// The key that signed the genuine quote.
static KEY: LazyLock<ForeignKey> = LazyLock::new(|| {
    let (_, claims) = parts(&machine().hcl_report, None).expect("it is genuine");
    RuntimeClaims::parse(claims).expect("they are genuine").attestation_key().clone()
});

/// The bytes as a quote.
///
/// # Panics
/// If a quote is believed that the key has not signed, or about other registers.
pub fn run(data: &[u8]) {
    let machine = machine();
    let quote = match Quote::parse(data) {
        Ok(quote) => quote,
        Err(rejection) => return check(&rejection),
    };
    assert!(quote.attest().len() + 8 < data.len() && data[2..].starts_with(quote.attest()));
    let numbers = machine.pcrs.keys().copied();
    let checks =
        [quote.check_nonce(&machine.nonce), quote.check_selection(numbers), quote.check_digest(machine.pcrs.values())];
    checks.iter().filter_map(|result| result.as_ref().err()).for_each(check);
    let genuine = Quote::parse(&machine.quote).expect("it is genuine");
    match quote.check_signature(&KEY) {
        Ok(()) => {
            assert_eq!(quote.attest(), genuine.attest(), "the key has not signed this");
            assert!(checks.iter().all(Result::is_ok));
        }
        Err(rejection) => check(&rejection),
    }
}
