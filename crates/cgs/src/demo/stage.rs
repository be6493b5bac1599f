use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use client::{ClientError, Connection, Profiles, Service};
use crypto::Certificate;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{cast::Cast, child::NodeProcess};
use crate::error::CliError;

const READY_WITHIN: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(5);
const LOG: &str = "node.log";

/// The directory, the parties, and the node.
#[derive(Debug)]
pub(super) struct Stage {
    directory: PathBuf,
    /// Removed with the value.
    temporary: Option<TempDir>,
    keeps_running: bool,
    port: u16,
    node: Option<NodeProcess>,
    pub(super) cast: Cast,
    pub(super) profiles: Profiles,
}

impl Stage {
    /// Makes the directory and the keys of the parties.
    pub(super) fn set_up(directory: Option<&Path>, keeps_running: bool) -> Result<Self, CliError> {
        let temporary = match directory {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("cgs-demo-").tempdir()?),
        };
        let directory = match (directory, &temporary) {
            (Some(directory), _) => empty_directory(directory)?,
            (None, Some(temporary)) => temporary.path().to_path_buf(),
            (None, None) => return Err(CliError::usage("there is no directory to work in")),
        };
        let cast = Cast::gather(&directory.join("keys"))?;
        let profiles = Profiles::in_directory(directory.join("profiles"));
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        Ok(Self { directory, temporary, keeps_running, port, node: None, cast, profiles })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn keeps_files(&self) -> bool {
        self.temporary.is_none()
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    pub(super) fn node_directory(&self) -> PathBuf {
        self.directory.join("node")
    }

    pub(super) fn service_certificate_file(&self) -> PathBuf {
        self.node_directory().join("service_cert.pem")
    }

    /// Writes the configuration of a service that the first party founds, runs it, and waits until it answers.
    pub(super) async fn start_node(&mut self) -> Result<(), CliError> {
        let directory = self.node_directory();
        std::fs::create_dir_all(&directory).map_err(CliError::file(&directory))?;
        let write = |name: &str, text: String| {
            let file = directory.join(name);
            std::fs::write(&file, text).map_err(CliError::file(&file))
        };
        write("helio_data.json", json!({ "identifier": self.cast.helio.login }).to_string())?;
        write("node.json", serde_json::to_string_pretty(&self.configuration()).unwrap_or_default())?;
        self.node = Some(NodeProcess::spawn(&directory, &directory.join(LOG), self.keeps_running)?);
        self.wait_until_it_answers().await
    }

    fn configuration(&self) -> Value {
        let address = format!("127.0.0.1:{}", self.port);
        let mut configuration = node::config::example(&address, &["iPAddress:127.0.0.1", "dNSName:localhost"]);
        let founder = &self.cast.helio.made;
        if let Some(start) = configuration.pointer_mut("/command/start").and_then(Value::as_object_mut) {
            // Without files the shipped constitution is taken.
            start.remove("constitution_files");
            start.insert(
                "members".into(),
                json!([{
                    "certificate_file": founder.certificate,
                    "encryption_public_key_file": founder.encryption_certificate,
                    "data_json_file": "helio_data.json",
                }]),
            );
        }
        configuration
    }

    async fn wait_until_it_answers(&mut self) -> Result<(), CliError> {
        let deadline = tokio::time::Instant::now() + READY_WITHIN;
        while tokio::time::Instant::now() < deadline {
            let node = self.node.as_mut().ok_or_else(|| CliError::Demo("there is no node".into()))?;
            if let Some(status) = node.has_ended()? {
                return Err(CliError::Demo(format!("the node ended with {status} instead of starting")));
            }
            if self.answers().await? {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(CliError::Demo(format!("the node does not answer after {READY_WITHIN:?}")))
    }

    async fn answers(&self) -> Result<bool, CliError> {
        let Ok(pem) = std::fs::read_to_string(self.service_certificate_file()) else { return Ok(false) };
        // The file may be there before all of it is.
        let Ok(certificate) = Certificate::from_pem(&pem) else { return Ok(false) };
        let service = Service::without_pin(Connection::new(&self.url(), certificate, None)?);
        match service.network().await {
            Ok(_) => Ok(true),
            Err(ClientError::Unreachable { .. } | ClientError::Refused { .. }) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// Stops the node, if it runs.
    pub(super) async fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            node.stop().await;
        }
    }

    /// Leaves node and files behind; returns the process id.
    pub(super) fn leave_running(&mut self) -> Option<u32> {
        if let Some(temporary) = self.temporary.take() {
            self.directory = temporary.keep();
        }
        self.node.take().map(NodeProcess::leave)
    }

    /// An error with the end of the node's log, where that helps.
    pub(super) fn explain(&self, error: CliError) -> CliError {
        if matches!(error, CliError::Interrupted) {
            return error;
        }
        let log = std::fs::read_to_string(self.node_directory().join(LOG)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
        if last.is_empty() {
            error
        } else {
            CliError::Demo(format!("{error}\nthe node's log ends with:\n{}", last.join("\n")))
        }
    }
}

fn empty_directory(directory: &Path) -> Result<PathBuf, CliError> {
    std::fs::create_dir_all(directory).map_err(CliError::file(directory))?;
    if std::fs::read_dir(directory).map_err(CliError::file(directory))?.next().is_some() {
        return Err(CliError::usage(format!("{} is not empty: choose another --dir", directory.display())));
    }
    std::path::absolute(directory).map_err(CliError::file(directory))
}
