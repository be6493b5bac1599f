use std::{
    fmt,
    path::{Path, PathBuf},
};

use attestation::Document;
use crypto::Zeroizing;
use serde::Deserialize;

use crate::{EvidenceError, Obtaining, Result, Source};

/// Most bytes of a file; genuine ones have less than 40 KiB.
const MAX_FILE: usize = 256 << 10;

/// Genuine evidence in a file, with the key pair that it binds: what development runs on (cgs-app 3.6). Since the private
/// key lies beside it, it proves nothing about whoever presents it.
pub struct Canned {
    path: PathBuf,
    document: Document,
    public_key: String,
    private_key: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Keys {
    #[serde(rename = "publicKey")]
    public: String,
    #[serde(rename = "privateKey")]
    private: String,
}

impl Canned {
    /// Reads a file.
    ///
    /// # Errors
    /// [`EvidenceError::File`], or [`EvidenceError::Malformed`] for a file of another shape.
    pub fn read(path: &Path) -> Result<Self> {
        let text = Zeroizing::new(std::fs::read(path).map_err(EvidenceError::file(path))?);
        let odd = |why: String| EvidenceError::malformed(path.display().to_string(), why);
        if text.len() > MAX_FILE {
            return Err(odd(format!("{} bytes, which is more than {MAX_FILE}", text.len())));
        }
        let document = Document::from_json(&text).map_err(|why| odd(why.to_string()))?;
        let keys: Keys = serde_json::from_slice(&text).map_err(|why| odd(why.to_string()))?;
        Ok(Self {
            path: path.to_path_buf(),
            document,
            public_key: keys.public,
            private_key: Zeroizing::new(keys.private),
        })
    }

    /// The public key that the evidence binds, PEM, byte for byte.
    #[must_use]
    pub fn public_key_pem(&self) -> &str {
        &self.public_key
    }

    /// The other half of it, PEM.
    #[must_use]
    pub fn private_key_pem(&self) -> &Zeroizing<String> {
        &self.private_key
    }
}

impl Source for Canned {
    fn evidence<'a>(&'a self, public_key_pem: &'a [u8]) -> Obtaining<'a> {
        let is_own = self.public_key.as_bytes() == public_key_pem;
        let answer =
            if is_own { Ok(self.document.clone()) } else { Err(EvidenceError::OtherKey { path: self.path.clone() }) };
        Box::pin(std::future::ready(answer))
    }
}

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canned").field("path", &self.path).field("private_key", &"…").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn genuine(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation").join(name)
    }

    #[tokio::test]
    async fn a_file_gives_evidence_for_its_own_key() {
        for folder in ["caci/encryption", "caci/signing", "cvm/encryption"] {
            let canned = Canned::read(&genuine(&format!("{folder}/attestation.json"))).unwrap();
            let key = std::fs::read_to_string(genuine(&format!("{folder}/pub_key.pem"))).unwrap();
            assert_eq!(canned.public_key_pem(), key);
            let document = canned.evidence(key.as_bytes()).await.unwrap();
            let proven = attestation::Verifier::new(0).verify(&document, &mut attestation::Trail::new()).unwrap();
            assert_eq!(proven.bound.check_key(key.as_bytes()), Ok(()));
            let error = canned.evidence(b"another").await.unwrap_err();
            assert!(matches!(error, EvidenceError::OtherKey { .. }), "{error}");
            assert!(canned.private_key_pem().contains("PRIVATE KEY"));
            assert!(!format!("{canned:?}").contains("PRIVATE KEY"));
        }
    }

    #[test]
    fn other_files_are_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("attestation.json");
        let read = |content: &[u8]| {
            std::fs::write(&file, content).unwrap();
            Canned::read(&file).unwrap_err().to_string()
        };
        assert!(Canned::read(&file).unwrap_err().to_string().contains("attestation.json"));
        for (content, part) in [
            (&b"{}"[..], "missing field"),
            (br#"{"evidence":"","endorsements":""}"#, "publicKey"),
            (&vec![b' '; MAX_FILE + 1], "262145 bytes"),
        ] {
            let error = read(content);
            assert!(error.contains("attestation.json") && error.contains(part), "{error}");
        }
    }
}
