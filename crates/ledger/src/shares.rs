//! Recovery shares (CCF): a random secret is shared among the recovery members, and wraps the latest ledger secret.
//!
//! The secret is ten elements of the field of 2^31 - 1; each is shared by a polynomial of its own (Shamir). Nothing
//! here is random by itself: whoever splits passes a fresh seed.

mod field;

use std::{collections::BTreeMap, fmt};

use crypto::{AesKey, Zeroizing, hkdf_sha256, hmac_sha256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::{LedgerError, tables};

/// Elements of a secret.
const LIMBS: usize = 10;
/// Bytes of a share: where the polynomials are evaluated, and their values.
pub const SHARE_LEN: usize = 4 + 4 * LIMBS;
/// Where the polynomials have the secret itself; the share of an owner.
const OWNER: u32 = 0;
/// Most participants: each of them is a member of a consortium.
const MAX_PARTICIPANTS: usize = 10_000;

/// One member's share.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    x: u32,
    y: [u32; LIMBS],
}

impl Drop for Share {
    fn drop(&mut self) {
        self.y.zeroize();
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("x", &self.x).finish_non_exhaustive()
    }
}

impl Share {
    /// The share as members get it: x, then ten values, each four bytes little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(SHARE_LEN));
        bytes.extend_from_slice(&self.x.to_le_bytes());
        self.y.iter().for_each(|y| bytes.extend_from_slice(&y.to_le_bytes()));
        bytes
    }

    /// Reads a share.
    ///
    /// # Errors
    /// Not 44 bytes, or a number that is not in the field.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LedgerError> {
        let (words, rest) = bytes.as_chunks::<4>();
        let (Some((x, y)), []) = (words.split_first(), rest) else { return Err(bad_length(bytes)) };
        let y: &[[u8; 4]; LIMBS] = y.try_into().map_err(|_| bad_length(bytes))?;
        let share = Self { x: u32::from_le_bytes(*x), y: y.map(u32::from_le_bytes) };
        if share.y.iter().chain([&share.x]).any(|element| !field::contains(*element)) {
            return Err(LedgerError::Shares { reason: "a number is not below 2^31 - 1".into() });
        }
        Ok(share)
    }

    /// Whether this is an owner's share, which is the whole secret.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.x == OWNER
    }
}

fn bad_length(bytes: &[u8]) -> LedgerError {
    LedgerError::Shares { reason: format!("a share has {} bytes, expected {SHARE_LEN}", bytes.len()) }
}

/// The secret that is shared.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedSecret([u32; LIMBS]);

impl Drop for SharedSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}

impl SharedSecret {
    /// The share of an owner: the secret itself.
    #[must_use]
    pub fn owner_share(&self) -> Share {
        Share { x: OWNER, y: self.0 }
    }

    /// Encrypts the latest ledger secret: the value of `wrapped_latest_ledger_secret` before base64.
    ///
    /// # Errors
    /// None that the input could cause.
    pub fn wrap(&self, secret: &AesKey) -> Result<Vec<u8>, LedgerError> {
        // The wrapping key is used for this one message, so a fixed IV is not used twice.
        Ok(self.wrapping_key()?.seal_blob([0; 12], b"", secret.as_bytes())?)
    }

    /// Decrypts what [`SharedSecret::wrap`] made.
    ///
    /// # Errors
    /// Another secret: too few shares were combined, or they are of another split.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<AesKey, LedgerError> {
        let plain = self.wrapping_key()?.open_blob(b"", wrapped)?;
        let key = plain
            .as_slice()
            .try_into()
            .map_err(|_| LedgerError::differs("length of the wrapped ledger secret", 32, plain.len()))?;
        Ok(AesKey::from_bytes(key)?)
    }

    /// HKDF over the secret, with the secret as `info` too: CCF names a label and does not use it.
    fn wrapping_key(&self) -> Result<AesKey, LedgerError> {
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(self.0.iter().flat_map(|limb| limb.to_le_bytes()).collect());
        Ok(AesKey::from_bytes(hkdf_sha256(&bytes, b"", &bytes)?)?)
    }
}

/// Makes a new secret from `seed` and shares it: any `threshold` of the `participants` shares give the secret, fewer
/// give nothing. The shares have x = 1, 2, … and go to the participants in the order of their member ids.
///
/// The seed must be fresh from a random number generator and is not to be kept.
///
/// # Errors
/// The threshold is not between 1 and the number of participants (with owners only: 1 and no participants).
pub fn split(
    seed: &[u8; 32],
    threshold: usize,
    participants: usize,
) -> Result<(SharedSecret, Vec<Share>), LedgerError> {
    let owners_only = participants == 0 && threshold == 1;
    if participants > MAX_PARTICIPANTS || threshold == 0 || (threshold > participants && !owners_only) {
        let reason = format!("a threshold of {threshold} cannot be met by {participants} participants");
        return Err(LedgerError::Shares { reason });
    }
    let polynomials: Zeroizing<Vec<[u32; LIMBS]>> =
        Zeroizing::new((0..threshold).map(|at| random_limbs(seed, at)).collect());
    let secret = SharedSecret(polynomials.first().copied().unwrap_or_default());
    let shares = (1u32..).take(participants).map(|x| Share { x, y: evaluate(&polynomials, x) }).collect();
    Ok((secret, shares))
}

/// Ten elements; 64 bits each before the reduction make the bias negligible.
fn random_limbs(seed: &[u8; 32], at: usize) -> [u32; LIMBS] {
    std::array::from_fn(|limb| {
        let block = Zeroizing::new(hmac_sha256(seed, &[at.to_le_bytes(), limb.to_le_bytes()].concat()));
        field::reduce(block.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    })
}

/// Horner's rule, for each of the ten polynomials; the constant coefficients come first.
fn evaluate(coefficients: &[[u32; LIMBS]], x: u32) -> [u32; LIMBS] {
    coefficients.iter().rev().fold([0; LIMBS], |sum, coefficient| {
        let mut next = sum.map(|sum| field::mul(sum, x));
        next.iter_mut().zip(coefficient).for_each(|(next, c)| *next = field::add(*next, *c));
        next
    })
}

/// The secret from at least as many shares as the threshold says, or from an owner's share alone.
///
/// Too few shares give another secret: [`SharedSecret::unwrap`] tells.
///
/// # Errors
/// No shares, or two with the same x.
pub fn combine(shares: &[Share]) -> Result<SharedSecret, LedgerError> {
    if let Some(owner) = shares.iter().find(|share| share.is_full()) {
        return Ok(SharedSecret(owner.y));
    }
    if shares.is_empty() || shares.len() > MAX_PARTICIPANTS {
        return Err(LedgerError::Shares { reason: format!("{} shares were given", shares.len()) });
    }
    let mut secret = SharedSecret([0; LIMBS]);
    for share in shares {
        let weight = weight(share, shares)?;
        secret.0.iter_mut().zip(&share.y).for_each(|(sum, y)| *sum = field::add(*sum, field::mul(*y, weight)));
    }
    Ok(secret)
}

/// The Lagrange coefficient of a share at 0.
fn weight(share: &Share, shares: &[Share]) -> Result<u32, LedgerError> {
    let (mut numerator, mut denominator) = (1, 1);
    let mut others = 0;
    for other in shares.iter().filter(|other| other.x != share.x) {
        numerator = field::mul(numerator, other.x);
        denominator = field::mul(denominator, field::sub(other.x, share.x));
        others += 1;
    }
    if others + 1 != shares.len() {
        return Err(LedgerError::Shares { reason: format!("share {} was given twice", share.x) });
    }
    Ok(field::mul(numerator, field::invert(denominator)))
}

/// The value in [`tables::RECOVERY_SHARES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryShares {
    /// Member id to base64 of the share, encrypted to the member's key (RSA-OAEP, SHA-256).
    pub encrypted_shares: BTreeMap<String, String>,
    /// Seqno at which the previous record of the secret chain was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_stored_version: Option<u64>,
    /// Base64 of what [`SharedSecret::wrap`] makes.
    pub wrapped_latest_ledger_secret: String,
}

impl RecoveryShares {
    /// Reads the value of the table.
    ///
    /// # Errors
    /// JSON that is something else.
    pub fn from_json(json: &[u8]) -> Result<Self, LedgerError> {
        serde_json::from_slice(json).map_err(|error| LedgerError::malformed(tables::RECOVERY_SHARES, error))
    }

    /// The value of the table, as CCF writes it.
    ///
    /// # Errors
    /// None that the fields could cause.
    pub fn to_json(&self) -> Result<Vec<u8>, LedgerError> {
        serde_json::to_vec(self).map_err(|error| LedgerError::malformed(tables::RECOVERY_SHARES, error))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thresholds_that_cannot_be_met() {
        assert!(split(&[1; 32], 0, 3).is_err());
        assert!(split(&[1; 32], 4, 3).is_err());
        assert!(split(&[1; 32], 2, 0).is_err());
        let (secret, shares) = split(&[1; 32], 1, 0).unwrap();
        assert!(shares.is_empty());
        assert_eq!(combine(&[secret.owner_share()]).unwrap(), secret);
    }

    #[test]
    fn shares_that_are_none() {
        assert!(Share::from_bytes(&[0; 43]).is_err() && Share::from_bytes(&[0; 48]).is_err());
        assert!(Share::from_bytes(&[0xff; 44]).is_err());
        assert!(combine(&[]).is_err());
        let (_, shares) = split(&[1; 32], 2, 3).unwrap();
        assert!(combine(&[shares[0].clone(), shares[0].clone()]).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let (secret, shares) = split(&[1; 32], 2, 3).unwrap();
        assert_eq!(format!("{secret:?} {:?}", shares[2]), "SharedSecret(…) Share { x: 3, .. }");
    }

    proptest! {
        #[test]
        fn as_many_as_the_threshold_and_no_fewer(
            seed in any::<[u8; 32]>(), n in 1usize..9, k in any::<usize>(), skip in any::<usize>()
        ) {
            let threshold = 1 + k % n;
            let (secret, shares) = split(&seed, threshold, n).unwrap();
            let key = AesKey::from_bytes([9; 32]).unwrap();
            let wrapped = secret.wrap(&key).unwrap();
            prop_assert_eq!(wrapped.len(), 60);
            let rotated: Vec<Share> = shares.iter().cycle().skip(skip % n).take(n).cloned().collect();
            for count in 1..=n {
                let parts: Vec<Share> =
                    rotated[..count].iter().map(|share| Share::from_bytes(&share.to_bytes()).unwrap()).collect();
                let combined = combine(&parts).unwrap();
                let opened = combined.unwrap(&wrapped);
                prop_assert_eq!(opened.is_ok(), count >= threshold);
                prop_assert!(opened.is_err() || opened.unwrap() == key);
            }
        }
    }
}
