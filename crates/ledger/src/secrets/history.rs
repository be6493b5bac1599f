use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::AesKey;
use kv::{UNIT_KEY, WriteSet};
use serde::{Deserialize, Serialize};

use super::{LedgerSecrets, Secret};
use crate::{LedgerError, tables};

/// A value in [`tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET`]: a link of the chain from each ledger secret to the
/// previous one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoricalSecret {
    /// The first seqno under the new secret; without it (a rekey), that is the one after this write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_version: Option<u64>,
    /// The secret before; absent in the first record of a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_ledger_secret: Option<PreviousSecret>,
}

/// A ledger secret encrypted under the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// Base64 of tag, IV and ciphertext.
    pub encrypted_data: String,
    /// The seqno at which the previous record was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret_stored_version: Option<u64>,
    /// The first seqno under this secret.
    pub version: u64,
}

impl PreviousSecret {
    /// Encrypts `previous`, which applied from `version` on, under the `next` secret. `iv` must be random.
    ///
    /// # Errors
    /// None that the input could cause.
    pub fn seal(
        (version, previous): (u64, &AesKey),
        next: &AesKey,
        iv: [u8; 12],
        previous_secret_stored_version: Option<u64>,
    ) -> Result<Self, LedgerError> {
        let encrypted_data = STANDARD.encode(next.seal_blob(iv, b"", previous.as_bytes())?);
        Ok(Self { encrypted_data, previous_secret_stored_version, version })
    }

    /// Decrypts with the next secret.
    ///
    /// # Errors
    /// Malformed, or another secret than the next one.
    pub fn open(&self, next: &AesKey) -> Result<AesKey, LedgerError> {
        let blob = STANDARD.decode(&self.encrypted_data).map_err(|error| malformed(&error.to_string()))?;
        let plain = next.open_blob(b"", &blob)?;
        let key = plain.as_slice().try_into().map_err(|_| malformed("a ledger secret must have 32 bytes"))?;
        Ok(AesKey::from_bytes(key)?)
    }
}

impl HistoricalSecret {
    /// Reads the value of the table.
    ///
    /// # Errors
    /// JSON that is something else.
    pub fn from_json(json: &[u8]) -> Result<Self, LedgerError> {
        serde_json::from_slice(json).map_err(|error| malformed(&error.to_string()))
    }

    /// The record among the writes of a transaction, if there is one.
    ///
    /// # Errors
    /// As [`HistoricalSecret::from_json`].
    pub fn in_writes(writes: &WriteSet) -> Result<Option<Self>, LedgerError> {
        let written = writes.get(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, &UNIT_KEY).flatten();
        written.map(|json| Self::from_json(json)).transpose()
    }

    /// The value of the table, as CCF writes it.
    ///
    /// # Errors
    /// None that the fields could cause.
    pub fn to_json(&self) -> Result<Vec<u8>, LedgerError> {
        serde_json::to_vec(self).map_err(|error| malformed(&error.to_string()))
    }

    /// Whether the new secret applies from the transaction after this one on.
    #[must_use]
    pub fn is_rekey(&self) -> bool {
        self.next_version.is_none() && self.previous_ledger_secret.is_some()
    }

    /// Whether this record leads from the secret `next` back to `previous`: it opens, and holds that one.
    #[must_use]
    pub fn links(&self, previous: &Secret, next: &AesKey) -> bool {
        let sealed = self.previous_ledger_secret.as_ref().filter(|sealed| sealed.version == previous.version());
        sealed.is_some_and(|sealed| sealed.open(next).is_ok_and(|key| key == *previous.key()))
    }

    /// The first seqno under the secret that this record introduces, if it was written at `seqno`.
    #[must_use]
    pub fn introduces(&self, seqno: u64) -> u64 {
        self.next_version.unwrap_or_else(|| seqno.saturating_add(1))
    }
}

fn malformed(reason: &str) -> LedgerError {
    LedgerError::malformed(tables::HISTORICAL_ENCRYPTED_LEDGER_SECRET, reason)
}

/// All secrets of a service from the latest one and all records of the chain (with the seqno of each, oldest first).
///
/// # Errors
/// No records, a record that does not continue the one before, or one that does not open.
pub fn unwind(latest: AesKey, records: &[(u64, HistoricalSecret)]) -> Result<LedgerSecrets, LedgerError> {
    check_chain(records)?;
    let (seqno, last) = records.last().ok_or_else(|| malformed("there is no record"))?;
    let mut keys = vec![(last.introduces(*seqno), latest.clone())];
    let mut next = latest;
    for previous in records.iter().rev().map_while(|(_, record)| record.previous_ledger_secret.as_ref()) {
        next = previous.open(&next)?;
        keys.push((previous.version, next.clone()));
    }
    LedgerSecrets::from_keys(keys)
}

/// Checks that each record names the secret that the record before introduced; needs no secret.
///
/// # Errors
/// The first record that does not.
pub fn check_chain(records: &[(u64, HistoricalSecret)]) -> Result<(), LedgerError> {
    for ((seqno, earlier), (_, later)) in records.iter().zip(records.iter().skip(1)) {
        let previous = later.previous_ledger_secret.as_ref();
        let previous = previous.ok_or_else(|| malformed("a record after the first lacks previous_ledger_secret"))?;
        let expected = earlier.introduces(*seqno);
        if previous.version != expected {
            return Err(LedgerError::differs("version of the previous ledger secret", expected, previous.version));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> AesKey {
        AesKey::from_bytes([byte; 32]).unwrap()
    }

    fn link(version: u64, previous: u8, next: u8, next_version: Option<u64>) -> HistoricalSecret {
        let previous = PreviousSecret::seal((version, &key(previous)), &key(next), [next; 12], Some(1)).unwrap();
        HistoricalSecret { next_version, previous_ledger_secret: Some(previous) }
    }

    #[test]
    fn opening_recovery_and_rekey() {
        let opening = HistoricalSecret { next_version: Some(1), previous_ledger_secret: None };
        assert_eq!(opening.to_json().unwrap(), br#"{"next_version":1}"#);
        let records = [(20, opening), (58, link(1, 1, 2, Some(44))), (64, link(44, 2, 3, None))];
        let secrets = unwind(key(3), &records).unwrap();
        let found: Vec<_> = secrets.iter().map(|secret| (secret.version(), secret.key().as_bytes()[0])).collect();
        assert_eq!(found, [(1, 1), (44, 2), (65, 3)]);
        assert!(unwind(key(4), &records).is_err(), "another latest secret");
        assert!(unwind(key(3), &[records[0].clone(), records[2].clone()]).is_err(), "a link is missing");
        assert!(unwind(key(3), &[]).is_err());
        for (_, record) in records {
            assert_eq!(HistoricalSecret::from_json(&record.to_json().unwrap()).unwrap(), record);
        }
    }
}
