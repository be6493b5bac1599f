//! What a node keeps between starts: its keys and the ledger secrets, sealed.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crypto::{AesKey, Certificate, SigningKey, Zeroizing};
use disk::Disk;
use ledger::{LedgerError, secrets::LedgerSecrets};
use replication::ReplicationError;
use serde::{Deserialize, Serialize};

use crate::NodeError;

/// The one secret that lies in the clear, and only on the `virtual` platform, which has nothing to seal with.
const SEALING_KEY: &str = "sealing.key";
const IDENTITY: &str = "identity.sealed";
const SECRETS: &str = "ledger_secrets.sealed";

/// Why keys cannot be had back. No text contains key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The file system failed.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
    /// A key could not be made, sealed or read.
    #[error(transparent)]
    Crypto(#[from] crypto::CryptoError),
    /// A file was made with another sealing key, or was changed.
    #[error(
        "{file}: it does not open with this node's sealing key: it was changed, or belongs to another directory. Restore the state directory as a whole from the copy that belongs to the ledger directory"
    )]
    Sealed {
        /// The file.
        file: PathBuf,
    },
    /// The ledger secrets are not those of the ledger.
    #[error(
        "{file}: it is of another day than the ledger beside it: {why}. Restore state directory and ledger directory as a whole, from one copy"
    )]
    OtherDay {
        /// The file.
        file: PathBuf,
        /// Where it shows.
        why: String,
    },
    /// A file opens but does not hold what it should.
    #[error("{file}: {why}. It was written by another version of this program")]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The keys that make a node this node of this service.
pub(crate) struct Identity {
    pub(crate) service_key: SigningKey,
    pub(crate) service_certificate: Certificate,
    pub(crate) node_key: SigningKey,
    pub(crate) node_certificate: Certificate,
    pub(crate) self_signed: Certificate,
    /// Of the MACs on the raft log and what belongs to it.
    pub(crate) mac_key: [u8; 32],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredIdentity {
    service_key: String,
    service_certificate: String,
    node_key: String,
    node_certificate: String,
    self_signed: String,
    mac_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSecret {
    version: u64,
    key: String,
}

/// What is kept of ledger secrets.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSecrets {
    secrets: Vec<StoredSecret>,
    next: String,
}

/// The ledger secrets that were kept.
#[derive(Debug, Default)]
pub(crate) struct KeptSecrets {
    /// Those that have a place in the ledger, or had one for a start that nothing came of.
    pub(crate) secrets: LedgerSecrets,
    /// The one in waiting: whether it has become one of them, and where, only the ledger knows.
    pub(crate) next: Option<AesKey>,
}

/// The sealed files of one state directory.
pub(crate) struct Vault {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    key: AesKey,
}

impl Vault {
    /// Whether a node has kept anything here.
    pub(crate) fn exists(disk: &dyn Disk, directory: &Path) -> Result<bool, VaultError> {
        Ok(disk.exists(&directory.join(IDENTITY))?)
    }

    /// Whether a file of a state directory is only ever made when the identity is there already.
    pub(crate) fn comes_after_identity(name: &str) -> bool {
        ![SEALING_KEY, IDENTITY, "lock"].contains(&name) && !name.ends_with(".tmp")
    }

    /// Opens the vault of a directory; on `virtual`, the sealing key is a file in it, made when it is missing.
    pub(crate) fn open(disk: Arc<dyn Disk>, directory: PathBuf) -> Result<Self, VaultError> {
        let path = directory.join(SEALING_KEY);
        if !disk.exists(&path)? {
            if Self::exists(&*disk, &directory)? {
                return Err(VaultError::Sealed { file: directory.join(IDENTITY) });
            }
            let key = AesKey::generate()?;
            disk::write_atomically(&*disk, &path, key.as_bytes())?;
        }
        let bytes = Zeroizing::new(disk.read(&path)?);
        let bytes: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| VaultError::Content { file: path, why: format!("it has {} bytes, not 32", bytes.len()) })?;
        Ok(Self { disk, directory, key: AesKey::from_bytes(bytes)? })
    }

    /// The identity that was kept.
    pub(crate) fn identity(&self) -> Result<Identity, VaultError> {
        let stored: StoredIdentity = self.read(IDENTITY)?;
        let mac_key = hex::decode(&stored.mac_key).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(Identity {
            service_key: SigningKey::from_pem(&stored.service_key)?,
            service_certificate: Certificate::from_pem(&stored.service_certificate)?,
            node_key: SigningKey::from_pem(&stored.node_key)?,
            node_certificate: Certificate::from_pem(&stored.node_certificate)?,
            self_signed: Certificate::from_pem(&stored.self_signed)?,
            mac_key: mac_key.ok_or_else(|| self.content(IDENTITY, "mac_key is not 32 bytes of hex"))?,
        })
    }

    /// Keeps an identity. When this returns, it is durable.
    pub(crate) fn keep_identity(&self, identity: &Identity) -> Result<(), VaultError> {
        self.write(
            IDENTITY,
            &StoredIdentity {
                service_key: identity.service_key.to_pem()?.to_string(),
                service_certificate: identity.service_certificate.to_pem(),
                node_key: identity.node_key.to_pem()?.to_string(),
                node_certificate: identity.node_certificate.to_pem(),
                self_signed: identity.self_signed.to_pem(),
                mac_key: hex::encode(identity.mac_key),
            },
        )
    }

    /// The ledger secrets that were kept; none in a new directory.
    pub(crate) fn secrets(&self) -> Result<KeptSecrets, VaultError> {
        if !self.disk.exists(&self.directory.join(SECRETS))? {
            return Ok(KeptSecrets::default());
        }
        let stored: StoredSecrets = self.read(SECRETS)?;
        let mut secrets = LedgerSecrets::new();
        for StoredSecret { version, key } in stored.secrets {
            let pushed = secrets.push(version, self.secret(key)?);
            pushed.map_err(|why| self.content(SECRETS, why))?;
        }
        Ok(KeptSecrets { secrets, next: Some(self.secret(stored.next)?) })
    }

    /// Keeps the ledger secrets, and the one in waiting. When this returns, they are durable.
    pub(crate) fn keep_secrets(&self, secrets: &LedgerSecrets, next: &AesKey) -> Result<(), VaultError> {
        let stored = |secret: &ledger::secrets::Secret| StoredSecret {
            version: secret.version(),
            key: hex::encode(secret.key().as_bytes()),
        };
        let secrets = secrets.iter().map(stored).collect();
        self.write(SECRETS, &StoredSecrets { secrets, next: hex::encode(next.as_bytes()) })
    }

    fn secret(&self, key: String) -> Result<AesKey, VaultError> {
        let bytes = hex::decode(Zeroizing::new(key)).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(AesKey::from_bytes(bytes.ok_or_else(|| self.content(SECRETS, "a key is not 32 bytes of hex"))?)?)
    }

    /// Names the file of the ledger secrets, where the ledger was not read because of them.
    pub(crate) fn explain(&self, why: ReplicationError) -> NodeError {
        match why {
            ReplicationError::Ledger { file, seqno, source: source @ LedgerError::UnknownSecret { .. } } => {
                let why = format!("{file}: seqno {seqno}: {source}");
                VaultError::OtherDay { file: self.directory.join(SECRETS), why }.into()
            }
            why => why.into(),
        }
    }

    /// The file of the ledger secrets has none.
    pub(crate) fn no_secret(&self) -> VaultError {
        self.content(SECRETS, "it holds no ledger secret")
    }

    fn read<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<T, VaultError> {
        let file = self.directory.join(name);
        let blob = self.disk.read(&file)?;
        let plain = self.key.open_blob(name.as_bytes(), &blob).map_err(|_| VaultError::Sealed { file })?;
        // The text of a JSON error could quote a value.
        serde_json::from_slice(&plain).map_err(|_| self.content(name, "it is not the JSON that it should be"))
    }

    fn write<T: Serialize>(&self, name: &str, content: &T) -> Result<(), VaultError> {
        let failed = |_| self.content(name, "it cannot be written as JSON");
        let plain = Zeroizing::new(serde_json::to_vec(content).map_err(failed)?);
        let blob = self.key.seal_blob(crypto::random_bytes()?, name.as_bytes(), &plain)?;
        Ok(disk::write_atomically(&*self.disk, &self.directory.join(name), &blob)?)
    }

    fn content(&self, name: &str, why: impl ToString) -> VaultError {
        VaultError::Content { file: self.directory.join(name), why: why.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use crypto::{
        Curve,
        issue::{self, Validity},
    };
    use disk::RealDisk;

    use super::*;

    fn identity() -> Identity {
        let validity = Validity { from: 1_700_000_000, days: 1 };
        let service_key = SigningKey::generate(Curve::P384).unwrap();
        let node_key = SigningKey::generate(Curve::P384).unwrap();
        let service_certificate = issue::service_certificate(&service_key, "CCF Service", validity).unwrap();
        let self_signed = issue::self_signed(&node_key, "CCF Node", &[], validity).unwrap();
        Identity {
            node_certificate: self_signed.clone(),
            service_key,
            service_certificate,
            node_key,
            self_signed,
            mac_key: [7; 32],
        }
    }

    #[test]
    fn what_is_kept_comes_back_and_lies_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Vault::open(Arc::new(RealDisk), directory.path().to_owned()).unwrap();
        let identity = identity();
        let mut secrets = LedgerSecrets::new();
        secrets.push(1, AesKey::from_bytes([5; 32]).unwrap()).unwrap();
        open().keep_identity(&identity).unwrap();
        open().keep_secrets(&secrets, &AesKey::from_bytes([6; 32]).unwrap()).unwrap();
        let again = open().identity().unwrap();
        assert_eq!(again.service_key.public(), identity.service_key.public());
        assert_eq!(again.node_key.public(), identity.node_key.public());
        assert_eq!(again.mac_key, identity.mac_key);
        let kept = open().secrets().unwrap();
        assert_eq!(kept.secrets.latest().map(|secret| *secret.key().as_bytes()), Some([5; 32]));
        assert_eq!(kept.next.map(|next| *next.as_bytes()), Some([6; 32]));
        let scalar = identity.service_key.scalar().unwrap();
        for name in [IDENTITY, SECRETS] {
            let bytes = std::fs::read(directory.path().join(name)).unwrap();
            let leaks = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!leaks(&scalar) && !leaks(&[5; 32]) && !leaks(&[6; 32]) && !leaks(b"PRIVATE KEY"), "{name}");
        }
    }

    #[test]
    fn a_changed_or_foreign_file_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::open(Arc::new(RealDisk), directory.path().to_owned()).unwrap();
        vault.keep_identity(&identity()).unwrap();
        vault.keep_secrets(&LedgerSecrets::new(), &AesKey::generate().unwrap()).unwrap();
        let path = directory.path().join(IDENTITY);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(37) {
            let mut changed = good.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            assert!(matches!(vault.identity(), Err(VaultError::Sealed { .. })));
        }
        // One sealed file in place of another.
        std::fs::write(&path, std::fs::read(directory.path().join(SECRETS)).unwrap()).unwrap();
        assert!(vault.identity().is_err_and(|error| error.to_string().contains(IDENTITY)));
    }
}
