//! Typed keys, certificates, COSE and wrapping over aws-lc-rs; no other crate names the provider.
//!
//! Everything secret is zeroed when dropped and prints as `…`. Randomness comes from the operating system; the pure
//! crates get what they need of it as arguments.

mod aes;
mod certificate;
pub mod cose;
mod digest;
mod ecdsa;
mod ecdsa_der;
mod error;
mod foreign;
mod gcm;
pub mod issue;
mod jwk;
mod pem_text;
mod public_key;
pub mod wrap;

pub use aes::AesKey;
pub use certificate::{Certificate, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, MAX_PEM_BYTES, certificates_from_pem};
pub use digest::{Digest, Hasher, hkdf_sha256, hmac_sha256, sha256, sha256_parts};
pub use ecdsa::{Curve, SigningKey};
pub use error::CryptoError;
pub use foreign::{ForeignKey, Hash, Scheme, sign_rs256};
pub use gcm::{GcmOpened, GcmStream};
pub use jwk::{KeyParts, OkpCurve};
pub use public_key::PublicKey;
pub use zeroize::Zeroizing;

/// The result of everything that can fail here.
pub type Result<T> = std::result::Result<T, CryptoError>;

/// `N` bytes from the operating system's random number generator.
///
/// # Errors
/// [`CryptoError::Randomness`] if the operating system has none to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CryptoError::Randomness)?;
    Ok(bytes)
}
