//! The ledger secrets of a node that runs.

use std::sync::{Mutex, PoisonError};

use crypto::AesKey;
use kv::TxId;
use ledger::secrets::Secret;
use replication::Replica;

use crate::vault::{Vault, VaultError};

/// Knows which ledger secret applies where, and has the next one ready.
///
/// A rekey is decided and committed, and right behind it its secret is used. So the secret must be kept safe before
/// anything is decided, while nobody knows yet whether the transaction will find its place, or which. There is one secret
/// in waiting, at all times: whoever decides on a rekey is given this one, so that one attempt after the other, even one
/// whose outcome nobody waited for, adds nothing. Once it has its place in the ledger it is replaced, before the next
/// decision.
///
/// Whether a secret in waiting has become one is not written down: at the next start the ledger itself says so
/// ([`ledger::secrets::LedgerSecrets::follow`]). A process never encrypts with a secret that an earlier one has kept.
pub(crate) struct Secrets {
    replica: Replica,
    vault: Vault,
    waiting: Mutex<AesKey>,
}

/// The secrets that something is decided with.
pub(crate) struct Around {
    /// The one that applies behind the state that is decided on.
    pub(crate) current: Secret,
    /// The one that a rekey introduces.
    pub(crate) next: AesKey,
}

impl Secrets {
    /// `waiting` must have been kept in the vault.
    pub(crate) fn new(replica: Replica, vault: Vault, waiting: AesKey) -> Self {
        Self { replica, vault, waiting: Mutex::new(waiting) }
    }

    /// What to decide with on a state at `base`. Writes a file behind each rekey.
    ///
    /// # Errors
    /// The next secret cannot be kept; there is no secret.
    pub(crate) fn around(&self, base: TxId) -> Result<Around, VaultError> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.replica.secrets();
        if known.contains(&waiting) {
            let next = AesKey::generate()?;
            // Also those whose transactions are still being written: if they never come about, nothing is under them.
            self.vault.keep_secrets(&known, &next)?;
            *waiting = next;
        }
        let current = known.for_seqno(base.seqno + 1).ok_or_else(|| self.vault.no_secret())?;
        Ok(Around { current: current.clone(), next: waiting.clone() })
    }
}

#[cfg(test)]
mod tests;
