//! The ledger secrets of a run, recovered as members would after a disaster: from the ledger and the private key of a
//! holder of recovery shares. Only for a recovery threshold of one, where each share is the whole secret.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::AesKey;
use serde_json::Value;

use crate::Result;
use crate::chunks::Entry;

const SHARES: &str = "public:ccf.internal.recovery_shares";
const HISTORY: &str = "public:ccf.internal.historical_encrypted_ledger_secret";
const SHARE_INDEX: usize = 4;

/// Which ledger secret each sequence number is encrypted with.
pub struct Secrets {
    by_first_seqno: BTreeMap<u64, [u8; 32]>,
}

impl Secrets {
    /// Unwraps the latest secret with the last shares on the ledger, and walks the chain back from there.
    ///
    /// # Errors
    /// If shares or chain are missing or do not open.
    pub fn recover(entries: &[Entry], share_key: &str) -> Result<Self> {
        let mut by_first_seqno = BTreeMap::new();
        let chain = chain(entries)?;
        let mut current = latest(entries, share_key)?;
        for (newer_from, version, blob) in chain.iter().rev() {
            by_first_seqno.insert(*newer_from, current);
            let opened = AesKey::from_bytes(current)?.open_blob(b"", blob)?;
            current = opened.as_slice().try_into().map_err(|_| format!("secret {version} is not 32 bytes long"))?;
        }
        by_first_seqno.insert(1, current);
        Ok(Self { by_first_seqno })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_first_seqno.len()
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.by_first_seqno.values()
    }

    /// The secret that encrypts this sequence number.
    ///
    /// # Errors
    /// For sequence number 0.
    pub fn of(&self, seqno: u64) -> Result<[u8; 32]> {
        let (_, secret) = self.by_first_seqno.range(..=seqno).next_back().ok_or("sequence numbers start at 1")?;
        Ok(*secret)
    }

    /// Decrypts an entry; this proves that the secret is the one that was used.
    ///
    /// # Errors
    /// If it does not open.
    pub fn open(&self, entry: &Entry) -> Result<Vec<u8>> {
        let mut data = entry.private.clone();
        let secret = AesKey::from_bytes(self.of(entry.seqno)?)?;
        secret
            .open_in_place(&entry.iv, &entry.public, &mut data, &entry.tag)
            .map_err(|why| format!("entry {} does not open with its secret: {why}", entry.id()))?;
        Ok(data)
    }
}

fn single_value(entry: &Entry, table: &str) -> Result<Option<Value>> {
    let tables = entry.public_tables()?;
    let value = tables.get(table).and_then(|writes| writes.values().flatten().next());
    Ok(value.map(|value| serde_json::from_slice(value)).transpose()?)
}

fn latest(entries: &[Entry], share_key: &str) -> Result<[u8; 32]> {
    for entry in entries.iter().rev() {
        let Some(record) = single_value(entry, SHARES)? else { continue };
        let shares = record["encrypted_shares"].as_object().ok_or("no encrypted shares")?;
        let share = shares.values().next().and_then(Value::as_str).ok_or("no share")?;
        let share = crypto::wrap::rsa_oaep_decrypt(share_key, &STANDARD.decode(share)?)?;
        let limbs = share.get(SHARE_INDEX..).ok_or("the share is too short")?;
        let wrapping = AesKey::from_bytes(crypto::hkdf_sha256(limbs, b"", limbs)?)?;
        let wrapped = record["wrapped_latest_ledger_secret"].as_str().ok_or("no wrapped secret")?;
        let secret = wrapping.open_blob(b"", &STANDARD.decode(wrapped)?)?;
        return Ok(secret.as_slice().try_into()?);
    }
    Err("the ledger holds no recovery shares".into())
}

/// (first seqno of the newer secret, version of the older one, the older one under the newer).
type Link = (u64, u64, Vec<u8>);

fn chain(entries: &[Entry]) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for entry in entries {
        let Some(record) = single_value(entry, HISTORY)? else { continue };
        let Some(previous) = record.get("previous_ledger_secret").filter(|value| !value.is_null()) else { continue };
        let version = previous["version"].as_u64().ok_or("a ledger secret without version")?;
        let blob = previous["encrypted_data"].as_str().ok_or("a ledger secret without data")?;
        let newer = record["next_version"].as_u64().unwrap_or(entry.seqno + 1);
        links.push((newer, version, STANDARD.decode(blob)?));
    }
    Ok(links)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovers_the_secret_of_a_genuine_service() {
        let folder = crate::repository().join("tests/data/ccf-ledgers/cose_flipflop_service");
        let entries = crate::chunks::read(&folder.join("ledger")).unwrap();
        let share_key = std::fs::read_to_string(folder.join("keys/member0_enc_privk.pem")).unwrap();
        let secrets = Secrets::recover(&entries, &share_key).unwrap();
        assert_eq!(secrets.count(), 1);
        for entry in &entries {
            secrets.open(entry).unwrap();
        }
        let mut changed = entries[16].clone();
        changed.public[1] ^= 1;
        assert!(secrets.open(&changed).is_err());
    }
}
