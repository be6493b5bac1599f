//! AMD SEV-SNP: a report about a guest, signed by its processor, and the chain of certificates up to AMD's root.
//!
//! Format and rules: AMD 56860, "SEV Secure Nested Paging Firmware ABI Specification" (the report), and AMD 57230, "VCEK
//! Certificate and KDS Interface Specification" (the certificates). What CCF asks on top: no debugging, no migration
//! agent (ccf-substrate 11.2).

mod cache;
mod chain;
mod extensions;
mod family;
mod guest_policy;
mod report;
mod signature;
mod tcb;
mod verify;

pub use cache::ChainCache;
pub use chain::{Chain, ChipKey};
pub use family::Family;
pub use guest_policy::GuestPolicy;
pub use report::{Report, SIZE};
pub use tcb::Tcb;
pub(crate) use verify::checks;
#[cfg(test)]
pub(crate) use verify::conclude;
pub use verify::{Evidence, Verified, verify};
