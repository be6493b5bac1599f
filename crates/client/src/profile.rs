use std::path::{Path, PathBuf};

use crypto::Certificate;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ClientError, Connection, Identity, Result, files, pin::PinFile};

const PROFILE: &str = "profile.json";
const PIN: &str = "pin.json";
const CURRENT: &str = "current";
const MAX_NAME: usize = 128;

/// Which service, and who calls. The key of the member stays in the file where it is: no second copy of it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// `https://HOST:PORT`
    pub url: String,
    /// The service certificate, PEM.
    pub service_certificate: String,
    /// The file with the member's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_certificate_file: Option<PathBuf>,
    /// The file with the member's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_key_file: Option<PathBuf>,
}

impl Profile {
    /// The certificate of the service.
    ///
    /// # Errors
    /// [`ClientError::Crypto`]
    pub fn service(&self) -> Result<Certificate> {
        Ok(Certificate::from_pem(&self.service_certificate)?)
    }

    /// Who calls, if anybody does.
    ///
    /// # Errors
    /// As [`Identity::read`].
    pub fn identity(&self) -> Result<Option<Identity>> {
        match (&self.member_certificate_file, &self.member_key_file) {
            (Some(certificate), Some(key)) => Identity::read(certificate, key).map(Some),
            _ => Ok(None),
        }
    }

    /// Connections to the service.
    ///
    /// # Errors
    /// As [`Connection::new`] and [`Self::identity`].
    pub fn connection(&self) -> Result<Connection> {
        Connection::new(&self.url, self.service()?, self.identity()?)
    }
}

/// The profiles of one person: a directory for each, which only the owner can enter.
#[derive(Debug, Clone)]
pub struct Profiles {
    directory: PathBuf,
}

impl Profiles {
    /// The profiles in a directory, which need not exist yet.
    #[must_use]
    pub fn in_directory(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where they are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The names of all profiles, in order.
    ///
    /// # Errors
    /// [`ClientError::File`]
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(files::failed(&self.directory))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(files::failed(&self.directory))?;
            if entry.path().join(PROFILE).is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The profile that is used when none is named: that of the last login.
    ///
    /// # Errors
    /// [`ClientError::File`]
    pub fn current(&self) -> Result<Option<String>> {
        match files::text(&self.directory.join(CURRENT)) {
            Err(ClientError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
            text => Ok(Some(text?.trim().to_owned())),
        }
    }

    /// Reads a profile.
    ///
    /// # Errors
    /// [`ClientError::NoProfile`], or what is wrong with its file.
    pub fn load(&self, name: &str) -> Result<Profile> {
        let profile = files::optional_json(&self.of(name)?.join(PROFILE), "a profile")?;
        profile.ok_or_else(|| ClientError::NoProfile { name: name.to_owned(), directory: self.directory.clone() })
    }

    /// Keeps a profile, and makes it the current one. The pin stays if the service is the same; else it is forgotten.
    ///
    /// # Errors
    /// [`ClientError::Name`], or those of the file system.
    pub fn save(&self, name: &str, profile: &Profile) -> Result<()> {
        let directory = self.of(name)?;
        files::private_directory(&directory)?;
        let before: Option<Profile> = files::optional_json(&directory.join(PROFILE), "a profile")?;
        if before.is_some_and(|before| before.service_certificate != profile.service_certificate) {
            self.pin_file(name)?.forget()?;
        }
        let text = serde_json::to_string_pretty(profile).map_err(|why| ClientError::malformed("the profile", why))?;
        files::replace(&directory.join(PROFILE), text.as_bytes())?;
        files::replace(&self.directory.join(CURRENT), name.as_bytes())
    }

    /// Keeps something beside a profile.
    ///
    /// # Errors
    /// As [`Self::save`].
    pub fn remember<T: Serialize>(&self, name: &str, file: &str, value: &T) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|why| ClientError::malformed("what is kept", why))?;
        files::replace(&self.of(name)?.join(file), text.as_bytes())
    }

    /// What was kept beside a profile, if anything was.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn recall<T: DeserializeOwned>(&self, name: &str, file: &str) -> Result<Option<T>> {
        files::optional_json(&self.of(name)?.join(file), "what this version keeps there")
    }

    pub(crate) fn pin_file(&self, name: &str) -> Result<PinFile> {
        Ok(PinFile::new(self.of(name)?.join(PIN)))
    }

    fn of(&self, name: &str) -> Result<PathBuf> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > MAX_NAME || name.starts_with('.') || !name.chars().all(allowed) {
            return Err(ClientError::Name { what: "profile", name: name.chars().take(MAX_NAME).collect() });
        }
        Ok(self.directory.join(name))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn profile(certificate: &str) -> Profile {
        Profile {
            url: "https://127.0.0.1:1".into(),
            service_certificate: certificate.into(),
            member_certificate_file: Some("m_cert.pem".into()),
            member_key_file: Some("m_privk.pem".into()),
        }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn profiles_are_for_their_owner_only() {
        let base = tempfile::tempdir().unwrap();
        let profiles = Profiles::in_directory(base.path().join("deep/cgs"));
        assert_eq!((profiles.names().unwrap(), profiles.current().unwrap()), (vec![], None));
        profiles.save("a", &profile("one")).unwrap();
        profiles.save("b", &profile("two")).unwrap();
        assert_eq!(profiles.names().unwrap(), ["a", "b"]);
        assert_eq!(profiles.current().unwrap().as_deref(), Some("b"));
        assert_eq!(profiles.load("a").unwrap(), profile("one"));
        for directory in [profiles.directory().to_path_buf(), profiles.directory().join("a")] {
            assert_eq!(mode(&directory), 0o700, "{}", directory.display());
        }
        profiles.remember("a", "judged.json", &1).unwrap();
        assert_eq!(profiles.recall("a", "judged.json").unwrap(), Some(1));
        assert_eq!(profiles.recall::<u8>("b", "judged.json").unwrap(), None);
        for file in ["a/profile.json", "a/judged.json", "current"] {
            assert_eq!(mode(&profiles.directory().join(file)), 0o600, "{file}");
        }
        let left: Vec<_> = std::fs::read_dir(profiles.directory().join("a")).unwrap().collect();
        assert_eq!(left.len(), 2, "no temporary file stays: {left:?}");
    }

    #[test]
    fn the_pin_outlives_a_login_to_the_same_service_only() {
        let base = tempfile::tempdir().unwrap();
        let profiles = Profiles::in_directory(base.path().to_path_buf());
        profiles.save("a", &profile("one")).unwrap();
        let pin = base.path().join("a/pin.json");
        std::fs::write(&pin, "{}").unwrap();
        profiles.save("a", &profile("one")).unwrap();
        assert!(pin.exists());
        profiles.save("a", &profile("two")).unwrap();
        assert!(!pin.exists());
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        let profiles = Profiles::in_directory("nowhere".into());
        for bad in ["", ".", "..", "../a", "a/b", ".hidden", "ü", &"x".repeat(129)] {
            assert!(matches!(profiles.load(bad), Err(ClientError::Name { .. })), "{bad}");
        }
        let error = profiles.load("a").unwrap_err().to_string();
        assert!(error.contains("cgs login a"), "{error}");
    }
}
