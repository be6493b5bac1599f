/// What can go wrong with keys, signatures and certificates. No text contains key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
    /// A text or bytes that should be a key are not, or of a kind that is not supported.
    #[error("not a usable {what}: {why}")]
    Key {
        /// What was expected.
        what: &'static str,
        /// Why it is not that.
        why: String,
    },
    /// A certificate that cannot be read or made.
    #[error("not a usable certificate: {0}")]
    Certificate(String),
    /// A signature that does not verify.
    #[error("the signature does not verify")]
    Signature,
    /// Signing failed inside the provider.
    #[error("signing failed")]
    Signing,
    /// A ciphertext that was not made with this key, IV and additional data, or was changed since.
    #[error("the ciphertext does not open with this key")]
    Decryption,
    /// Encrypting failed, for example because the input is too long for the key.
    #[error("encryption failed")]
    Encryption,
    /// A COSE message that cannot be decoded.
    #[error("not a COSE_Sign1 message: {0}")]
    Cose(String),
}

impl CryptoError {
    pub(crate) fn key(what: &'static str, why: impl ToString) -> Self {
        Self::Key { what, why: why.to_string() }
    }
}
