use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::AesKey;
use serde_json::Value;

use super::single_value;
use crate::Result;
use crate::chunks::Entry;

const SHARES: &str = "public:ccf.internal.recovery_shares";
const LIMBS: usize = 10;
/// Shares are points over the field of 2^31 - 1.
const PRIME: u64 = (1 << 31) - 1;

/// One set of recovery shares, as it stands in the ledger.
pub struct Issued {
    /// The transaction that issued them.
    pub seqno: u64,
    encrypted: BTreeMap<String, Vec<u8>>,
    wrapped: Vec<u8>,
}

/// What one member holds: a point of ten polynomials, at 0 for an owner.
#[derive(Clone, Debug)]
pub struct Share {
    x: u64,
    y: [u64; LIMBS],
}

fn decode(value: &Value) -> Result<Vec<u8>> {
    Ok(STANDARD.decode(value.as_str().ok_or("it is not text")?)?)
}

impl Issued {
    /// All of a ledger, oldest first.
    ///
    /// # Errors
    /// If a record is not of the documented form.
    pub fn all(entries: &[Entry]) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for entry in entries {
            let Some(record) = single_value(entry, SHARES)? else { continue };
            let shares = record["encrypted_shares"].as_object().ok_or("no encrypted shares")?;
            let encrypted = shares.iter().map(|(id, share)| Ok((id.clone(), decode(share)?)));
            let encrypted = encrypted.collect::<Result<_>>()?;
            let wrapped = decode(&record["wrapped_latest_ledger_secret"])?;
            all.push(Self { seqno: entry.seqno, encrypted, wrapped });
        }
        Ok(all)
    }

    /// The last of a ledger.
    ///
    /// # Errors
    /// As [`Self::all`], and if there are none.
    pub fn last(entries: &[Entry]) -> Result<Self> {
        Self::all(entries)?.pop().ok_or_else(|| "the ledger holds no recovery shares".into())
    }

    /// The ids of those who hold one.
    pub fn holders(&self) -> impl Iterator<Item = &str> {
        self.encrypted.keys().map(String::as_str)
    }

    /// Decrypts the share of a member.
    ///
    /// # Errors
    /// If the member holds none, or it is for another key.
    pub fn share(&self, member: &str, key: &str) -> Result<Share> {
        let encrypted = self.encrypted.get(member).ok_or_else(|| format!("{member} holds no share"))?;
        let bytes = crypto::wrap::rsa_oaep_decrypt(key, encrypted)?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        let numbers: Vec<u64> = numbers.iter().map(|number| u32::from_le_bytes(*number).into()).collect();
        let (x, y) = numbers.split_first().filter(|_| rest.is_empty()).ok_or("a share of no length")?;
        Ok(Share { x: *x, y: y.try_into()? })
    }

    /// The ledger secret, with the wrapping key that these shares give.
    ///
    /// # Errors
    /// If they give another one.
    pub fn unwrap(&self, shares: &[Share]) -> Result<[u8; 32]> {
        let secret: Vec<u8> = (0..LIMBS).flat_map(|limb| at_zero(shares, limb).to_le_bytes()[..4].to_vec()).collect();
        let wrapping = AesKey::from_bytes(crypto::hkdf_sha256(&secret, b"", &secret)?)?;
        Ok(wrapping.open_blob(b"", &self.wrapped)?.as_slice().try_into()?)
    }
}

/// Lagrange: the value at 0 of the polynomial through these points. That of a single point is its own value, which is the
/// secret for an owner and for a threshold of one.
fn at_zero(shares: &[Share], limb: usize) -> u64 {
    let term = |share: &Share| {
        let others = shares.iter().filter(|other| other.x != share.x);
        others.fold(share.y[limb] % PRIME, |product, other| {
            let difference = (other.x + PRIME - share.x) % PRIME;
            product * other.x % PRIME * power(difference, PRIME - 2) % PRIME
        })
    };
    shares.iter().map(term).sum::<u64>() % PRIME
}

fn power(base: u64, exponent: u64) -> u64 {
    (0..64).rev().fold(1, |result, bit| {
        let squared = result * result % PRIME;
        if exponent >> bit & 1 == 1 { squared * base % PRIME } else { squared }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5 + 7x + 11x², in every limb.
    fn point(x: u64) -> Share {
        Share { x, y: [5 + 7 * x + 11 * x * x; LIMBS] }
    }

    #[test]
    fn as_many_points_as_it_takes_give_the_value_at_zero() {
        assert_eq!(at_zero(&[point(1), point(2), point(3)], 0), 5);
        assert_eq!(at_zero(&[point(9), point(1), point(4)], 7), 5);
        assert_ne!(at_zero(&[point(1), point(2)], 0), 5);
        assert_eq!(power(3, PRIME - 2) * 3 % PRIME, 1);
    }
}
