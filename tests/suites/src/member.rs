//! Members and their keys, as files that any client can use.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crypto::issue::{Validity, self_signed};
use crypto::{Certificate, Curve, SigningKey};

use crate::Result;

/// A folder with `NAME_cert.pem` and `NAME_privk.pem` for each identity: the form of the conformance kit.
pub struct KeyFolder {
    path: PathBuf,
}

impl KeyFolder {
    /// Three members, `member0` with an encryption key, each with data as the kit expects them.
    ///
    /// # Errors
    /// Those of the file system and of key generation.
    pub fn generate(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path)?;
        for name in ["member0", "member1", "member2"] {
            let key = SigningKey::generate(Curve::P384)?;
            let certificate = self_signed(&key, name, &[], Validity { from: now() - 60, days: 365 })?;
            std::fs::write(path.join(format!("{name}_cert.pem")), certificate.to_pem())?;
            std::fs::write(path.join(format!("{name}_privk.pem")), key.to_pem()?.as_bytes())?;
            let data = serde_json::json!({"tenantId": "11111111-1111-1111-1111-111111111111", "identifier": name});
            std::fs::write(path.join(format!("{name}_data.json")), data.to_string())?;
        }
        let (public, private) = crypto::wrap::generate_rsa_pair()?;
        std::fs::write(path.join("member0_enc_pubk.pem"), public)?;
        std::fs::write(path.join("member0_enc_privk.pem"), private.as_bytes())?;
        Ok(Self { path: path.to_path_buf() })
    }

    /// A folder that exists already.
    #[must_use]
    pub fn existing(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The three members.
    ///
    /// # Errors
    /// Of a file that is missing or no key.
    pub fn members(&self) -> Result<Vec<Member>> {
        ["member0", "member1", "member2"].iter().map(|name| Member::read(&self.path, name)).collect()
    }

    /// The private half of the key that recovery shares are encrypted to.
    ///
    /// # Errors
    /// If the folder has none.
    pub fn share_key(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.path.join("member0_enc_privk.pem"))?)
    }
}

/// Who signs.
pub struct Member {
    /// The hexadecimal identifier: SHA-256 of the certificate.
    pub id: String,
    /// The name of the files.
    pub name: String,
    /// The file of the certificate.
    pub certificate_file: PathBuf,
    /// The file of the private key.
    pub key_file: PathBuf,
    key: SigningKey,
}

impl Member {
    fn read(folder: &Path, name: &str) -> Result<Self> {
        let certificate_file = folder.join(format!("{name}_cert.pem"));
        let key_file = folder.join(format!("{name}_privk.pem"));
        let certificate = Certificate::from_pem(&std::fs::read_to_string(&certificate_file)?)?;
        let key = SigningKey::from_pem(&std::fs::read_to_string(&key_file)?)?;
        Ok(Self { id: certificate.id(), name: name.to_owned(), certificate_file, key_file, key })
    }

    /// A new identity, whose files are added to a folder.
    ///
    /// # Errors
    /// Those of the file system and of key generation.
    pub fn create(folder: &Path, name: &str) -> Result<Self> {
        let key = SigningKey::generate(Curve::P384)?;
        let certificate = self_signed(&key, name, &[], Validity { from: now() - 60, days: 365 })?;
        std::fs::write(folder.join(format!("{name}_cert.pem")), certificate.to_pem())?;
        std::fs::write(folder.join(format!("{name}_privk.pem")), key.to_pem()?.as_bytes())?;
        Self::read(folder, name)
    }

    /// A signed governance message of this type, dated as given: seconds since 1970.
    ///
    /// # Errors
    /// If signing fails.
    pub fn sign_at(&self, created_at: i64, kind: &str, proposal: Option<&str>, payload: &[u8]) -> Result<Vec<u8>> {
        Ok(crypto::cose::sign_governance(&self.key, &self.id, kind, created_at, proposal, payload)?)
    }

    /// A signed governance message of this type, of now.
    ///
    /// # Errors
    /// If signing fails.
    pub fn sign(&self, kind: &str, proposal: Option<&str>, payload: &[u8]) -> Result<Vec<u8>> {
        Ok(crypto::cose::sign_governance(&self.key, &self.id, kind, now(), proposal, payload)?)
    }

    /// Certificate and key as one PEM text, for a TLS client.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn tls_identity(&self) -> Result<Vec<u8>> {
        let mut pem = std::fs::read(&self.key_file)?;
        pem.push(b'\n');
        pem.extend(std::fs::read(&self.certificate_file)?);
        Ok(pem)
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}
