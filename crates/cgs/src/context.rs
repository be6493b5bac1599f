use std::path::PathBuf;

use clap::Args;
use client::{PinPolicy, Profiles, Service};

use crate::{
    error::CliError,
    output::{Format, Output},
};

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The profile to use; without it that of the last login
    #[arg(long, global = true, env = "CGS_PROFILE", value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Where profiles are kept [default: $XDG_CONFIG_HOME/cgs or ~/.config/cgs]
    #[arg(long, global = true, env = "CGS_PROFILE_DIR", value_name = "DIR")]
    pub(crate) profile_dir: Option<PathBuf>,
    /// How results are printed: table (for people) or json (for programs)
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, hide_possible_values = true)]
    pub(crate) output: Format,
    /// Forget the pin: the service was put back on purpose, and all members agree
    #[arg(long, global = true)]
    pub(crate) accept_rollback: bool,
}

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) profiles: Profiles,
    pub(crate) output: Output,
    profile: Option<String>,
    pin: PinPolicy,
}

/// An open service, under the name of its profile.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) service: Service,
    pub(crate) profile: String,
}

impl Context {
    pub(crate) fn new(global: Global) -> Result<Self, CliError> {
        let directory = match global.profile_dir {
            Some(directory) => directory,
            None => default_directory()?,
        };
        Ok(Self {
            profiles: Profiles::in_directory(directory),
            output: Output::new(global.output),
            profile: global.profile,
            pin: if global.accept_rollback { PinPolicy::Forget } else { PinPolicy::Enforce },
        })
    }

    /// The profile that was asked for, else that of the last login.
    pub(crate) fn profile(&self) -> Result<String, CliError> {
        if let Some(name) = &self.profile {
            return Ok(name.clone());
        }
        self.profiles.current()?.ok_or_else(|| {
            let directory = self.profiles.directory().display();
            CliError::usage(format!(
                "there is no profile in {directory}: run `cgs login NAME --url … --service-cert …` first"
            ))
        })
    }

    /// Opens the service of the profile, does something with it, and keeps the pin, however it ended.
    pub(crate) async fn online<T>(
        &self,
        work: impl AsyncFnOnce(&Session) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let profile = self.profile()?;
        let service = Service::open(&self.profiles, &profile, self.pin).await?;
        let session = Session { service, profile };
        let outcome = work(&session).await;
        match session.service.keep_pin().await {
            Err(error @ client::ClientError::Forked { .. }) => Err(error.into()),
            kept => {
                let value = outcome?;
                kept?;
                Ok(value)
            }
        }
    }
}

impl Session {
    /// The id of the member who calls.
    pub(crate) fn me(&self) -> Option<&str> {
        self.service.connection().identity().ok().map(client::Identity::id)
    }
}

fn default_directory() -> Result<PathBuf, CliError> {
    let from = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("XDG_CONFIG_HOME")
        .or_else(|| from("HOME").map(|home| home.join(".config")))
        .map(|base| base.join("cgs"))
        .ok_or_else(|| CliError::usage("neither XDG_CONFIG_HOME nor HOME is set: say --profile-dir"))
}
