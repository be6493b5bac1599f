use std::fmt;

use aws_lc_rs::{
    cipher::{AES_256, EncryptionContext, StreamingEncryptingKey, UnboundCipherKey},
    constant_time::verify_slices_are_equal,
};
use ghash::{
    Block, GHash,
    universal_hash::{KeyInit, UniversalHash},
};
use zeroize::Zeroizing;

use crate::{AesKey, CryptoError, Result};

const BLOCK: usize = 16;
/// What goes through the provider at once; it wants room for one block more.
const PIECE: usize = 1 << 14;
/// Most data under one IV: 2^32 - 2 blocks (NIST SP 800-38D, 5.2.1.1). The counter of CTR mode does not wrap before.
const MAX_DATA: u64 = (1 << 36) - 32;
/// Most additional data, in bytes.
const MAX_AAD: u64 = (1 << 61) - 1;

/// AES-256-GCM over data that comes piece by piece and is never whole in memory (NIST SP 800-38D).
///
/// The provider has GCM for whole messages only. Here its CTR mode makes the key stream, and GHASH comes from a crate that
/// takes constant time. All additional data comes first, then all data; how it is cut into pieces makes no difference.
pub struct GcmStream {
    ctr: StreamingEncryptingKey,
    hash: Authenticator,
    /// The first block of the key stream, which hides the tag.
    mask: Zeroizing<[u8; BLOCK]>,
    scratch: Zeroizing<Vec<u8>>,
    aad: u64,
    data: u64,
    /// Data follows the additional data.
    in_data: bool,
}

impl fmt::Debug for GcmStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcmStream").field("aad", &self.aad).field("data", &self.data).finish_non_exhaustive()
    }
}

impl GcmStream {
    pub(crate) fn new(key: &AesKey, iv: &[u8; 12]) -> Result<Self> {
        let mut subkey = Zeroizing::new([0; BLOCK]);
        let mut scratch = Zeroizing::new(vec![0; PIECE + BLOCK]);
        encrypt(&mut ctr(key, [0; BLOCK])?, &mut scratch, subkey.as_mut_slice())?;
        let mut first = [0; BLOCK];
        first.iter_mut().zip(iv.iter().chain(&[0, 0, 0, 1])).for_each(|(to, from)| *to = *from);
        let mut ctr = ctr(key, first)?;
        let mut mask = Zeroizing::new([0; BLOCK]);
        encrypt(&mut ctr, &mut scratch, mask.as_mut_slice())?;
        Ok(Self { ctr, hash: Authenticator::new(&subkey), mask, scratch, aad: 0, data: 0, in_data: false })
    }

    /// Takes the next piece of the additional data, which is authenticated only.
    ///
    /// # Errors
    /// [`CryptoError::Encryption`] behind the first piece of data.
    pub fn aad(&mut self, piece: &[u8]) -> Result<()> {
        self.aad = add(self.aad, piece, MAX_AAD).filter(|_| !self.in_data).ok_or(CryptoError::Encryption)?;
        self.hash.update(piece);
        Ok(())
    }

    /// Encrypts the next piece of the data where it lies.
    ///
    /// # Errors
    /// [`CryptoError::Encryption`] for more data than GCM allows under one IV (64 GiB).
    pub fn encrypt(&mut self, piece: &mut [u8]) -> Result<()> {
        self.begin(piece)?;
        encrypt(&mut self.ctr, &mut self.scratch, piece)?;
        self.hash.update(piece);
        Ok(())
    }

    /// Takes the next piece of encrypted data without decrypting it: see [`Self::open`]. Not to be mixed with
    /// [`Self::encrypt`].
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn authenticate(&mut self, encrypted: &[u8]) -> Result<()> {
        self.begin(encrypted)?;
        self.hash.update(encrypted);
        Ok(())
    }

    /// The tag over everything.
    #[must_use]
    pub fn finish(mut self) -> [u8; BLOCK] {
        self.tag()
    }

    fn tag(&mut self) -> [u8; BLOCK] {
        self.hash.pad();
        let mut lengths = [0; BLOCK];
        let fields = (self.aad * 8).to_be_bytes().into_iter().chain((self.data * 8).to_be_bytes());
        lengths.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
        self.hash.update(&lengths);
        let mut tag: [u8; BLOCK] = self.hash.hash.clone().finalize().into();
        tag.iter_mut().zip(self.mask.iter()).for_each(|(tag, mask)| *tag ^= mask);
        tag
    }

    /// Compares the tag over everything with the one that came with the data, in constant time. Only then the pieces can be
    /// decrypted, so whoever reads needs all of them twice, and decrypts nothing that is not genuine.
    ///
    /// # Errors
    /// [`CryptoError::Decryption`]: another key, IV or additional data, or data that was changed.
    pub fn open(mut self, tag: &[u8; BLOCK]) -> Result<GcmOpened> {
        verify_slices_are_equal(&self.tag(), tag).map_err(|_| CryptoError::Decryption)?;
        Ok(GcmOpened { ctr: self.ctr, scratch: self.scratch, left: self.data })
    }

    /// Counts a piece of data; the first one ends the additional data.
    fn begin(&mut self, piece: &[u8]) -> Result<()> {
        self.data = add(self.data, piece, MAX_DATA).ok_or(CryptoError::Encryption)?;
        if !self.in_data {
            self.hash.pad();
            self.in_data = true;
        }
        Ok(())
    }
}

/// Data that is known to be genuine, to be decrypted.
pub struct GcmOpened {
    ctr: StreamingEncryptingKey,
    scratch: Zeroizing<Vec<u8>>,
    /// Bytes that were authenticated and are not decrypted yet.
    left: u64,
}

impl fmt::Debug for GcmOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcmOpened").field("left", &self.left).finish_non_exhaustive()
    }
}

impl GcmOpened {
    /// Decrypts the next piece of what was authenticated, where it lies.
    ///
    /// # Errors
    /// [`CryptoError::Decryption`] for more than that.
    pub fn decrypt(&mut self, piece: &mut [u8]) -> Result<()> {
        self.left = self.left.checked_sub(piece.len() as u64).ok_or(CryptoError::Decryption)?;
        encrypt(&mut self.ctr, &mut self.scratch, piece)
    }
}

fn add(sum: u64, piece: &[u8], max: u64) -> Option<u64> {
    sum.checked_add(piece.len() as u64).filter(|sum| *sum <= max)
}

fn ctr(key: &AesKey, counter: [u8; BLOCK]) -> Result<StreamingEncryptingKey> {
    UnboundCipherKey::new(&AES_256, key.as_bytes())
        .and_then(|key| StreamingEncryptingKey::less_safe_ctr(key, EncryptionContext::Iv128(counter.into())))
        .map_err(|_| CryptoError::Encryption)
}

/// CTR mode over the piece, where it lies; the same both ways.
fn encrypt(ctr: &mut StreamingEncryptingKey, scratch: &mut [u8], piece: &mut [u8]) -> Result<()> {
    for part in piece.chunks_mut(PIECE) {
        let update = ctr.update(part, scratch).map_err(|_| CryptoError::Encryption)?;
        let written = update.written();
        if written.len() != part.len() {
            return Err(CryptoError::Encryption);
        }
        part.copy_from_slice(written);
    }
    Ok(())
}

/// GHASH of bytes that do not come in whole blocks.
struct Authenticator {
    hash: GHash,
    rest: [u8; BLOCK],
    /// Bytes of `rest` that wait for more; fewer than a block.
    waiting: usize,
}

impl Authenticator {
    fn new(subkey: &[u8; BLOCK]) -> Self {
        let mut key = Block::from(*subkey);
        let hash = <GHash as KeyInit>::new(&key);
        zeroize::Zeroize::zeroize(key.as_mut_slice());
        Self { hash, rest: [0; BLOCK], waiting: 0 }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        if self.waiting > 0 {
            let room = self.rest.iter_mut().skip(self.waiting);
            let taken = room.zip(bytes).map(|(to, from)| *to = *from).count();
            self.waiting += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.waiting < BLOCK {
                return;
            }
            self.pad();
        }
        let (blocks, rest) = Block::slice_as_chunks(bytes);
        self.hash.update(blocks);
        self.rest.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.waiting = rest.len();
    }

    /// Fills the block that waits with zeros, and takes it.
    fn pad(&mut self) {
        if self.waiting > 0 {
            self.rest.iter_mut().skip(self.waiting).for_each(|byte| *byte = 0);
            self.hash.update(&[Block::from(self.rest)]);
            self.waiting = 0;
        }
    }
}

#[cfg(test)]
mod tests;
