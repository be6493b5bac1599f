//! Obtaining evidence of where this process runs.
//!
//! A [`Source`] gives evidence that binds a public key; whoever gets it verifies it with [`attestation`]. What a source
//! needs of the outside (a directory of the kernel, the address of an agent) is given to it, so all of it but the
//! hardware runs in tests.
//!
//! | source | where |
//! |---|---|
//! | [`KernelReports`] | a guest of SEV-SNP whose kernel has configfs-tsm; the only one that needs hardware |
//! | [`SkrAgent`] | a container of Azure, beside which an agent asks the processor |
//! | [`CvmAgent`] | a confidential virtual machine of Azure, with an agent that asks the virtual TPM |
//! | [`Canned`] | a file with genuine evidence and the key that it binds |
//!
//! [`Certificates`] finds the chain of a processor: in a directory, or at AMD or Azure.

mod agents;
mod canned;
mod certificates;
mod error;
mod http;
mod table;
mod tsm;

use std::pin::Pin;

use attestation::Document;

pub use agents::{CvmAgent, SkrAgent};
pub use canned::Canned;
pub use certificates::{Certificates, Online, chain_url, chip_url};
pub use error::EvidenceError;
pub use tsm::KernelReports;

/// The result of everything that can fail here.
pub type Result<T> = std::result::Result<T, EvidenceError>;

/// Evidence on its way.
pub type Obtaining<'a> = Pin<Box<dyn Future<Output = Result<Document>> + Send + 'a>>;

/// Where evidence comes from.
pub trait Source: Send + Sync {
    /// Evidence that binds a public key, given as the bytes of its PEM. The evidence is not verified.
    ///
    /// # Errors
    /// [`EvidenceError`], which says what to do.
    fn evidence<'a>(&'a self, public_key_pem: &'a [u8]) -> Obtaining<'a>;
}
