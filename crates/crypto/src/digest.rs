use aws_lc_rs::{
    digest::{Context, SHA256},
    hkdf, hmac,
};

use crate::{CryptoError, Result};

/// A SHA-256 digest.
pub type Digest = [u8; 32];

fn to_array(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

/// SHA-256 of some bytes.
#[must_use]
pub fn sha256(data: &[u8]) -> Digest {
    to_array(aws_lc_rs::digest::digest(&SHA256, data).as_ref())
}

/// SHA-256 of several pieces in a row.
#[must_use]
pub fn sha256_parts(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    to_array(context.finish().as_ref())
}

/// SHA-256 of bytes that come piece by piece.
#[derive(Clone)]
pub struct Hasher(Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher(..)")
    }
}

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces in a row.
    #[must_use]
    pub fn finish(self) -> Digest {
        to_array(self.0.finish().as_ref())
    }
}

/// HMAC-SHA256 (RFC 2104).
#[must_use]
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> Digest {
    to_array(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref())
}

/// HKDF-SHA256 (RFC 5869) with 32 bytes of output.
///
/// # Errors
/// Never for these lengths; the provider's interface allows it.
pub fn hkdf_sha256(ikm: &[u8], salt: &[u8], info: &[u8]) -> Result<[u8; 32]> {
    let mut out = [0; 32];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(ikm)
        .expand(&[info], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut out))
        .map_err(|_| CryptoError::key("HKDF output", "length"))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(
            hex::encode(sha256_parts(&[b"a", b"bc"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let mut hasher = Hasher::default();
        [b"a".as_slice(), b"", b"bc"].iter().for_each(|piece| hasher.update(piece));
        assert_eq!(hasher.finish(), sha256(b"abc"));
        // RFC 4231, test case 2.
        assert_eq!(
            hex::encode(hmac_sha256(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
