use std::path::Path;

use client::{PinPolicy, Profile, Profiles, Service};

use serde_json::{Value, json};

use crate::{
    error::CliError,
    member::{Made, make},
};

/// One of the three organisations.
#[derive(Debug)]
pub(super) struct Party {
    /// Its profile, the name of its files, and how the consortium calls it.
    pub(super) login: &'static str,
    /// Its name in the timeline.
    pub(super) name: &'static str,
    /// What it brings.
    pub(super) role: &'static str,
    /// Its keys.
    pub(super) made: Made,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) helio: Party,
    pub(super) ada: Party,
    pub(super) birch: Party,
}

/// Days that the certificates of a demonstration last.
const DAYS: u32 = 30;

impl Cast {
    /// Makes their keys.
    pub(super) fn gather(keys: &Path) -> Result<Self, CliError> {
        let party =
            |login, name, role| Ok::<_, CliError>(Party { login, name, role, made: make(login, keys, true, DAYS)? });
        Ok(Self {
            helio: party("helio", "Helio Insights", "provides the solution, founds the service")?,
            ada: party("ada-hospital", "Ada Hospital", "provides the data")?,
            birch: party("birch", "Birch Models", "provides the model")?,
        })
    }

    pub(super) fn all(&self) -> [&Party; 3] {
        [&self.helio, &self.ada, &self.birch]
    }
}

impl Party {
    /// The arguments of the action that adds it, as `cgs member add` writes them.
    pub(super) fn as_member(&self) -> Result<Value, CliError> {
        let text = |file: &Path| std::fs::read_to_string(file).map_err(CliError::file(file));
        let key = self.made.encryption_certificate.as_deref().map(text).transpose()?;
        let data = json!({ "identifier": self.login });
        Ok(json!({ "cert": text(&self.made.certificate)?, "encryption_pub_key": key, "member_data": data }))
    }

    /// Stores its profile and opens the service, as `cgs login` does.
    pub(super) async fn log_in(&self, profiles: &Profiles, url: &str, certificate: &str) -> Result<Service, CliError> {
        let profile = Profile {
            url: url.to_owned(),
            service_certificate: certificate.to_owned(),
            member_certificate_file: Some(self.made.certificate.clone()),
            member_key_file: Some(self.made.key.clone()),
        };
        profiles.save(self.login, &profile)?;
        Ok(Service::open(profiles, self.login, PinPolicy::Enforce).await?)
    }
}
