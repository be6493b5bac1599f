use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{AppVersion, Result, Service, files};

/// What an invited party gets on paper, as it were: everything that it checks the service against (D42).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// `https://HOST:PORT`
    pub url: String,
    /// PEM.
    pub service_certificate: String,
    /// Hex SHA-256 of the constitution's text.
    pub constitution_digest: String,
    /// The application.
    pub application: AppVersion,
    /// `auto`, `witnessed` or `recovery`.
    pub resume: String,
    /// Who is invited.
    pub member_id: String,
}

impl Invitation {
    /// An invitation of a member to a service as it is now.
    ///
    /// # Errors
    /// If the service does not answer.
    pub async fn of(service: &Service, member_id: &str) -> Result<Self> {
        let constitution = service.constitution().await?;
        let resume = service.node_state().await?.resume.map_or_else(|| "unknown".into(), |resume| resume.mode);
        Ok(Self {
            url: service.connection().url().to_owned(),
            service_certificate: service.connection().service().to_pem(),
            constitution_digest: hex::encode(crypto::sha256(constitution.as_bytes())),
            application: service.application().await?,
            resume,
            member_id: member_id.to_owned(),
        })
    }

    /// Reads an invitation.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path) -> Result<Self> {
        files::json(path, "an invitation (a file of `cgs member invite`)")
    }

    /// Writes it for people to read and send.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).map_err(|why| crate::ClientError::malformed("invitation", why))?;
        std::fs::write(path, text + "\n").map_err(files::failed(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_read_as_it_was_written_and_refused_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("invitation.json");
        let invitation = Invitation {
            url: "https://127.0.0.1:1".into(),
            service_certificate: "PEM".into(),
            constitution_digest: "00".repeat(32),
            application: AppVersion { name: "cgs".into(), version: "0.1.0".into(), build: "11".repeat(32) },
            resume: "auto".into(),
            member_id: "22".repeat(32),
        };
        invitation.write(&path).unwrap();
        assert_eq!(Invitation::read(&path).unwrap(), invitation);
        std::fs::write(&path, "{}").unwrap();
        let error = Invitation::read(&path).unwrap_err().to_string();
        assert!(error.contains("invitation.json") && error.contains("cgs member invite"), "{error}");
    }
}
