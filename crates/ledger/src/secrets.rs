//! Ledger secrets: the keys of private domains and of commit evidence.

mod history;

pub use history::{HistoricalSecret, PreviousSecret, check_chain, unwind};

use crypto::{AesKey, Digest, hmac_sha256, sha256};
use kv::TxId;

use crate::LedgerError;

/// What commit secrets are derived with (CCF; its source names a longer label of which eight bytes count).
const COMMIT_LABEL: &[u8] = b"Commit S";

/// A ledger secret: the key of the private domains from `version` on, until a later secret takes over.
#[derive(Debug, Clone)]
pub struct Secret {
    version: u64,
    key: AesKey,
    commit_nonce_key: CommitKey,
}

/// Kept apart so that `Debug` of a [`Secret`] cannot show it.
#[derive(Clone)]
struct CommitKey(Digest);

impl std::fmt::Debug for CommitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CommitKey(..)")
    }
}

impl Drop for CommitKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

impl Secret {
    /// The secret that applies from seqno `version` on.
    #[must_use]
    pub fn new(version: u64, key: AesKey) -> Self {
        let commit_nonce_key = CommitKey(hmac_sha256(key.as_bytes(), COMMIT_LABEL));
        Self { version, key, commit_nonce_key }
    }

    /// The first seqno that this secret applies to.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &AesKey {
        &self.key
    }

    /// The key of the nonces in commit evidence, derived once.
    #[must_use]
    pub fn commit_nonce_key(&self) -> &Digest {
        &self.commit_nonce_key.0
    }

    /// The text whose digest stands in the entry, and whose disclosure in a receipt proves that the transaction is
    /// committed: `ce:<view>.<seqno>:<hex nonce>`.
    #[must_use]
    pub fn commit_evidence(&self, tx_id: TxId) -> String {
        let id = tx_id.to_string();
        let nonce = hmac_sha256(self.commit_nonce_key(), id.as_bytes());
        let mut hex = [0; 64];
        // The buffer has exactly the size that is needed, so this cannot fail.
        let _ = hex::encode_to_slice(nonce, &mut hex);
        let mut evidence = String::with_capacity(id.len() + 68);
        for part in ["ce:", &id, ":", std::str::from_utf8(&hex).unwrap_or_default()] {
            evidence.push_str(part);
        }
        evidence
    }

    /// SHA-256 of [`Secret::commit_evidence`].
    #[must_use]
    pub fn commit_evidence_digest(&self, tx_id: TxId) -> Digest {
        sha256(self.commit_evidence(tx_id).as_bytes())
    }
}

/// The ledger secrets of a service, oldest first.
#[derive(Debug, Clone, Default)]
pub struct LedgerSecrets {
    secrets: Vec<Secret>,
}

impl LedgerSecrets {
    /// No secrets yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Secrets by version, in any order.
    ///
    /// # Errors
    /// Two secrets have the same version.
    pub fn from_keys(keys: impl IntoIterator<Item = (u64, AesKey)>) -> Result<Self, LedgerError> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_by_key(|(version, _)| *version);
        let mut secrets = Self::default();
        for (version, key) in keys {
            secrets.push(version, key)?;
        }
        Ok(secrets)
    }

    /// Adds the secret that takes over at seqno `version`.
    ///
    /// # Errors
    /// `version` is not greater than that of the latest secret.
    pub fn push(&mut self, version: u64, key: AesKey) -> Result<(), LedgerError> {
        if let Some(latest) = self.latest().filter(|latest| latest.version >= version) {
            let expected = format!("more than {}", latest.version);
            return Err(LedgerError::differs("version of the ledger secret", expected, version));
        }
        self.secrets.push(Secret::new(version, key));
        Ok(())
    }

    /// The secret that `seqno` is encrypted with: the one of the greatest version up to it.
    #[must_use]
    pub fn for_seqno(&self, seqno: u64) -> Option<&Secret> {
        let behind = self.secrets.partition_point(|secret| secret.version <= seqno);
        self.secrets.get(behind.checked_sub(1)?)
    }

    /// The secret that takes over at `version`.
    #[must_use]
    pub fn of_version(&self, version: u64) -> Option<&Secret> {
        self.for_seqno(version).filter(|secret| secret.version == version)
    }

    /// Whether `key` is one of these secrets.
    #[must_use]
    pub fn contains(&self, key: &AesKey) -> bool {
        self.secrets.iter().any(|secret| secret.key == *key)
    }

    /// The secrets that apply up to `seqno`, without later ones.
    #[must_use]
    pub fn up_to(&self, seqno: u64) -> Self {
        Self { secrets: self.secrets.iter().filter(|secret| secret.version <= seqno).cloned().collect() }
    }

    /// Checks a record of the chain, written at `seqno`: the secret that it introduces must open it, and what it holds
    /// must be the secret in use before. A secret that is not among these yet is taken from `candidates`, if the record
    /// says that it applies from the next transaction on (a rekey).
    ///
    /// So nothing is under a secret that the ledger itself does not lead to: this is asked before a record is written, and
    /// again whenever the ledger is read.
    ///
    /// # Errors
    /// [`LedgerError::UnknownSecret`]
    pub fn follow(&mut self, seqno: u64, record: &HistoricalSecret, candidates: &[AesKey]) -> Result<(), LedgerError> {
        if record.previous_ledger_secret.is_none() {
            return Ok(());
        }
        let version = record.introduces(seqno);
        let unknown = || LedgerError::UnknownSecret { version };
        let previous = self.for_seqno(version.saturating_sub(1)).ok_or_else(unknown)?;
        if let Some(known) = self.of_version(version) {
            return if record.links(previous, known.key()) { Ok(()) } else { Err(unknown()) };
        }
        let fits = |key: &&AesKey| record.is_rekey() && !self.contains(key) && record.links(previous, key);
        let next = candidates.iter().find(fits).ok_or_else(unknown)?;
        self.push(version, next.clone())
    }

    /// Like [`LedgerSecrets::for_seqno`], for callers that cannot go on without.
    ///
    /// # Errors
    /// [`LedgerError::NoSecret`].
    pub fn require(&self, seqno: u64) -> Result<&Secret, LedgerError> {
        self.for_seqno(seqno).ok_or(LedgerError::NoSecret { seqno })
    }

    /// The secret of the greatest version.
    #[must_use]
    pub fn latest(&self) -> Option<&Secret> {
        self.secrets.last()
    }

    /// All secrets, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CCF, `cose_flipflop_service`, transaction 2.17.
    const KEY: &str = "d917951c0773a06148d2ff5bf0c984d075fdceb601255157ac004bb53b351079";

    fn key() -> AesKey {
        AesKey::from_bytes(hex::decode(KEY).unwrap().try_into().unwrap()).unwrap()
    }

    #[test]
    fn commit_evidence_is_that_of_ccf() {
        let secret = Secret::new(1, key());
        let commit = "c7001b5933cecf49103c001e22641f7141f8b207acd21878b6f435b3291917cd";
        assert_eq!(hex::encode(secret.commit_nonce_key()), commit);
        let evidence = "ce:2.17:c6b549e9831683c505c6b39792b47f6f3a8897384090dbab705c349182ece503";
        assert_eq!(secret.commit_evidence(TxId::new(2, 17)), evidence);
        let digest = "266ee6ffc4bd003458c67798796e06e07ee60c105c3fddeabdf831dca3572b78";
        assert_eq!(hex::encode(secret.commit_evidence_digest(TxId::new(2, 17))), digest);
    }

    #[test]
    fn a_secret_applies_from_its_version_on() {
        let secrets = LedgerSecrets::from_keys([(30, key()), (1, key()), (7, key())]).unwrap();
        let version = |seqno| secrets.for_seqno(seqno).map(Secret::version);
        assert_eq!(
            [0, 1, 6, 7, 29, 30, u64::MAX].map(version),
            [None, Some(1), Some(1), Some(7), Some(7), Some(30), Some(30)]
        );
    }

    #[test]
    fn versions_only_grow() {
        let mut secrets = LedgerSecrets::new();
        secrets.push(5, key()).unwrap();
        assert!(secrets.push(5, key()).is_err());
        assert!(secrets.push(4, key()).is_err());
        assert!(LedgerSecrets::from_keys([(1, key()), (1, key())]).is_err());
    }

    fn other(byte: u8) -> AesKey {
        AesKey::from_bytes([byte; 32]).unwrap()
    }

    fn record(previous: (u64, u8), next: u8, next_version: Option<u64>) -> HistoricalSecret {
        let (version, previous) = previous;
        let sealed = PreviousSecret::seal((version, &other(previous)), &other(next), [next; 12], None).unwrap();
        HistoricalSecret { next_version, previous_ledger_secret: Some(sealed) }
    }

    fn unknown(result: Result<(), LedgerError>) -> bool {
        matches!(result, Err(LedgerError::UnknownSecret { .. }))
    }

    #[test]
    fn a_rekey_takes_up_the_candidate_that_its_record_names() {
        let start = LedgerSecrets::from_keys([(1, other(1)), (7, other(2))]).unwrap();
        let rekey = record((7, 2), 3, None);
        let mut secrets = start.clone();
        secrets.follow(20, &rekey, &[other(9), other(3), other(8)]).unwrap();
        assert_eq!(secrets.latest().map(|latest| (latest.version(), latest.key().clone())), Some((21, other(3))));
        // Read once more, now that it is known; and without candidates.
        secrets.follow(20, &rekey, &[]).unwrap();
        assert_eq!(secrets.iter().count(), 3);
        assert_eq!(secrets.up_to(20).iter().count(), 2);
        for candidates in [vec![], vec![other(9)]] {
            assert!(unknown(start.clone().follow(20, &rekey, &candidates)), "no candidate opens it");
        }
        assert!(unknown(start.clone().follow(5, &rekey, &[other(3)])), "the secret before is another one there");
    }

    #[test]
    fn a_record_that_does_not_hold_the_secret_in_use_introduces_nothing() {
        let mut secrets = LedgerSecrets::from_keys([(1, other(1)), (7, other(2))]).unwrap();
        assert!(unknown(secrets.follow(20, &record((7, 1), 3, None), &[other(3)])), "another key");
        assert!(unknown(secrets.follow(20, &record((1, 2), 3, None), &[other(3)])), "another version");
        assert!(unknown(secrets.follow(20, &record((7, 2), 1, None), &[other(1)])), "a secret that was used before");
        assert!(
            unknown(secrets.follow(20, &record((7, 2), 3, Some(21)), &[other(3)])),
            "only a rekey takes candidates"
        );
        assert_eq!(secrets.iter().count(), 2);
    }

    #[test]
    fn the_record_of_a_resume_names_a_secret_that_is_kept() {
        let mut secrets = LedgerSecrets::from_keys([(1, other(1)), (7, other(2))]).unwrap();
        secrets.follow(7, &record((1, 1), 2, Some(7)), &[]).unwrap();
        assert!(unknown(secrets.follow(7, &record((1, 1), 3, Some(7)), &[other(3)])), "another secret is kept for it");
        assert!(unknown(secrets.follow(9, &record((7, 2), 3, Some(9)), &[other(3)])), "none is kept for it");
        let opening = HistoricalSecret { next_version: Some(1), previous_ledger_secret: None };
        secrets.follow(5, &opening, &[]).unwrap();
    }

    #[test]
    fn debug_shows_no_key() {
        let secret = Secret::new(1, key());
        let shown = format!("{secret:?}");
        assert!(!shown.contains("d917") && !shown.contains("217, 23"), "{shown}");
        assert!(!shown.contains("199, 0, 27"), "{shown}");
    }
}
