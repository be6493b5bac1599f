//! Evidence in, verified claims out.
//!
//! A *verifier* takes the bytes that a machine sends to prove what it is, and what the makers of its processor and
//! firmware say about it. It answers either with what is proven, or with a [`Rejection`], which names the [`Check`] that
//! failed, what was expected and what was found.
//!
//! | evidence | verifier | source |
//! |---|---|---|
//! | AMD SEV-SNP report with its certificate chain | [`snp`] | AMD 56860, "SEV Secure Nested Paging Firmware ABI" |
//! | Azure confidential virtual machine: HCL report, quote of its virtual TPM | [`cvm`] | TPM 2.0 Library, part 2; OpenHCL |
//! | endorsement of the utility VM of Azure's containers | [`uvm`] | COSE (RFC 9052), [`did`] |
//!
//! [`Document`] reads evidence as it is written, [`Verifier`] verifies it, [`Proven`] says what that proves: claims, which
//! a [`policy`] compares, the key that is [`Bound`], and by what the evidence is known again ([`Proven::identity`]).
//!
//! Nothing here reads a clock, a file or the network, and nothing is random. Dates of certificates are not looked at
//! (D30): the hardware signs for years, and it is the minimum of the firmware's version that revokes.

mod binding;
mod bytes;
mod check;
pub mod claims;
pub mod cvm;
pub mod did;
mod document;
mod identity;
mod issuing;
pub mod policy;
mod rejection;
pub mod snp;
#[cfg(test)]
mod tests;
mod trail;
pub mod uvm;
mod verifier;

pub use binding::{BindingError, Bound, report_data_of};
pub use check::Check;
pub use claims::Claims;
pub use document::{Caci, Cvm, Document, Platform, Virtual};
pub use rejection::{Rejection, Result};
pub use trail::Trail;
pub use verifier::{Proven, RunsAsVirtual, Verifier};
