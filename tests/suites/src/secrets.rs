//! The ledger secrets of a run, recovered as members would after a disaster: from the ledger and the private keys of those
//! who hold recovery shares.

mod shares;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::AesKey;
use serde_json::Value;

pub use shares::{Issued, Share};

use crate::Result;
use crate::chunks::Entry;

const HISTORY: &str = "public:ccf.internal.historical_encrypted_ledger_secret";
/// What CCF derives commit secrets with; its source names a longer label of which eight bytes count.
const COMMIT_LABEL: &[u8] = b"Commit S";

/// Which ledger secret each sequence number is encrypted with.
pub struct Secrets {
    by_first_seqno: BTreeMap<u64, [u8; 32]>,
}

impl Secrets {
    /// Unwraps the latest secret with the last shares on the ledger, one of which must be for this key and be enough, and
    /// walks the chain back from there.
    ///
    /// # Errors
    /// If shares or chain are missing or do not open.
    pub fn recover(entries: &[Entry], share_key: &str) -> Result<Self> {
        let issued = Issued::last(entries)?;
        let holder = issued.holders().next().ok_or("nobody holds a share")?;
        let share = issued.share(holder, share_key)?;
        Self::walk(entries, issued.unwrap(&[share])?)
    }

    /// Walks the chain back from the latest secret.
    ///
    /// # Errors
    /// If a link is missing or does not open.
    pub fn walk(entries: &[Entry], latest: [u8; 32]) -> Result<Self> {
        let mut by_first_seqno = BTreeMap::new();
        let mut current = latest;
        for (newer_from, version, blob) in chain(entries)?.iter().rev() {
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

    /// The first sequence number under each of them.
    pub fn starts(&self) -> impl Iterator<Item = u64> {
        self.by_first_seqno.keys().copied()
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
        open_with(self.of(entry.seqno)?, entry)
    }

    /// What the service discloses when somebody asks for the receipt of the transaction, and whose digest is in the entry.
    ///
    /// # Errors
    /// For sequence number 0.
    pub fn commit_evidence(&self, entry: &Entry) -> Result<String> {
        let commit_secret = crypto::hmac_sha256(&self.of(entry.seqno)?, COMMIT_LABEL);
        let nonce = crypto::hmac_sha256(&commit_secret, entry.id().as_bytes());
        Ok(format!("ce:{}:{}", entry.id(), hex::encode(nonce)))
    }
}

/// Decrypts an entry with this secret.
///
/// # Errors
/// If it was encrypted with another one.
pub fn open_with(secret: [u8; 32], entry: &Entry) -> Result<Vec<u8>> {
    let mut data = entry.private.clone();
    AesKey::from_bytes(secret)?
        .open_in_place(&entry.iv, &entry.public, &mut data, &entry.tag)
        .map_err(|why| format!("entry {} does not open with this secret: {why}", entry.id()))?;
    Ok(data)
}

fn single_value(entry: &Entry, table: &str) -> Result<Option<Value>> {
    let tables = entry.public_tables()?;
    let value = tables.get(table).and_then(|writes| writes.values().flatten().next());
    Ok(value.map(|value| serde_json::from_slice(value)).transpose()?)
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
            let evidence = crypto::sha256(secrets.commit_evidence(entry).unwrap().as_bytes());
            assert_eq!(entry.commit_evidence_digest(), Some(evidence));
        }
        let mut changed = entries[16].clone();
        changed.public[1] ^= 1;
        assert!(secrets.open(&changed).is_err());
    }
}
