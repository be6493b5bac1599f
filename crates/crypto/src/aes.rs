use std::{fmt, sync::Arc};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{CryptoError, GcmStream, Result, random_bytes};

const TAG: usize = 16;
const IV: usize = 12;

/// An AES-256-GCM key. The caller chooses the IVs and must never use one twice.
#[derive(Clone)]
pub struct AesKey {
    bytes: Zeroizing<[u8; 32]>,
    key: Arc<LessSafeKey>,
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(…)")
    }
}

impl PartialEq for AesKey {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&*self.bytes, &*other.bytes).is_ok()
    }
}

impl Eq for AesKey {}

impl AesKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// Never for 32 bytes; the provider's interface allows it.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| CryptoError::key("AES-256 key", "length"))?;
        Ok(Self { bytes: Zeroizing::new(bytes), key: Arc::new(LessSafeKey::new(key)) })
    }

    /// A fresh random key.
    ///
    /// # Errors
    /// If the operating system has no randomness.
    pub fn generate() -> Result<Self> {
        Self::from_bytes(random_bytes()?)
    }

    /// The key itself, to be sealed or wrapped.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Encrypts `data` where it lies and returns the tag.
    ///
    /// # Errors
    /// If the data is longer than GCM allows.
    pub fn seal_in_place(&self, iv: &[u8; IV], aad: &[u8], data: &mut [u8]) -> Result<[u8; TAG]> {
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*iv), Aad::from(aad), data)
            .map_err(|_| CryptoError::Encryption)?;
        tag.as_ref().try_into().map_err(|_| CryptoError::Encryption)
    }

    /// Decrypts `data` where it lies, after checking the tag.
    ///
    /// # Errors
    /// [`CryptoError::Decryption`]; the data is not to be used then.
    pub fn open_in_place(&self, iv: &[u8; IV], aad: &[u8], data: &mut Vec<u8>, tag: &[u8; TAG]) -> Result<()> {
        data.extend_from_slice(tag);
        let opened = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(*iv), Aad::from(aad), data)
            .map(|plain| plain.len())
            .map_err(|_| CryptoError::Decryption)?;
        data.truncate(opened);
        Ok(())
    }

    /// Encryption or decryption of data that comes piece by piece.
    ///
    /// # Errors
    /// None that the input could cause.
    pub fn gcm_stream(&self, iv: &[u8; IV]) -> Result<GcmStream> {
        GcmStream::new(self, iv)
    }

    /// Encrypts into CCF's `GcmCipher` form: tag ‖ IV ‖ ciphertext.
    ///
    /// # Errors
    /// As [`Self::seal_in_place`].
    pub fn seal_blob(&self, iv: [u8; IV], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        let mut data = plain.to_vec();
        let tag = self.seal_in_place(&iv, aad, &mut data)?;
        Ok([&tag[..], &iv[..], &data].concat())
    }

    /// Opens what [`Self::seal_blob`] made.
    ///
    /// # Errors
    /// [`CryptoError::Decryption`], also for a blob that is too short.
    pub fn open_blob(&self, aad: &[u8], blob: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let (tag, rest) = blob.split_first_chunk::<TAG>().ok_or(CryptoError::Decryption)?;
        let (iv, data) = rest.split_first_chunk::<IV>().ok_or(CryptoError::Decryption)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(data.len() + TAG));
        plain.extend_from_slice(data);
        self.open_in_place(iv, aad, &mut plain, tag)?;
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_opens_only_unchanged_and_with_its_data() {
        let key = AesKey::generate().unwrap();
        let blob = key.seal_blob([7; 12], b"aad", b"secret").unwrap();
        assert_eq!(&**key.open_blob(b"aad", &blob).unwrap(), b"secret");
        assert_eq!(key.open_blob(b"other", &blob), Err(CryptoError::Decryption));
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1;
            assert_eq!(key.open_blob(b"aad", &changed), Err(CryptoError::Decryption));
            assert!(key.open_blob(b"aad", &blob[..at]).is_err());
        }
        assert_eq!(format!("{key:?}"), "AesKey(…)");
    }
}
