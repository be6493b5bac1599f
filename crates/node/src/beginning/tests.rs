//! Starts on every kind of disk that a host may present, on the real code but for scripts.

use std::{collections::BTreeMap, fs, path::PathBuf};

use crypto::{
    Curve, PublicKey, SigningKey,
    issue::{self, Validity},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::{self, CommandKind};

pub(crate) const NOW: i64 = 1_750_000_000;

/// A directory with everything that a node needs, and its configuration.
pub(crate) struct Place {
    root: TempDir,
    pub(crate) config: Value,
}

/// Every file below a directory, but for the lock; directories without content.
type Image = BTreeMap<PathBuf, Option<Vec<u8>>>;

impl Place {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let key = SigningKey::generate(Curve::P384).unwrap();
        let member = issue::self_signed(&key, "CN=member0", &[], Validity { from: NOW, days: 1 }).unwrap();
        fs::write(path("member0.pem"), member.to_pem()).unwrap();
        fs::write(path("member0_enc.pem"), crypto::wrap::generate_rsa_pair().unwrap().0).unwrap();
        let mut config = config::example("127.0.0.1:8080", &["iPAddress:127.0.0.1"]);
        config["command"]["service_certificate_file"] = json!(path("service_cert.pem"));
        config["output_files"] = json!({ "node_certificate_file": path("node_cert.pem") });
        config["ledger"] = json!({ "directory": path("chunks/ledger") });
        config["node_state"] = json!({ "directory": path("data/ledger.state") });
        config["snapshots"] = json!({ "directory": path("snapshots") });
        let start = config["command"]["start"].as_object_mut().unwrap();
        let (certificate, encryption) = (path("member0.pem"), path("member0_enc.pem"));
        start["members"] = json!([{ "certificate_file": certificate, "encryption_public_key_file": encryption }]);
        start.remove("constitution_files");
        Self { root, config }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.path("data/ledger.state").join(name)
    }

    async fn begin(&self) -> Result<Begun, NodeError> {
        self.begin_at(NOW).await
    }

    /// Starts at a time in seconds since 1970.
    pub(crate) async fn begin_at(&self, now: i64) -> Result<Begun, NodeError> {
        let config = Arc::new(Config::parse(&self.config.to_string()).unwrap());
        let CommandKind::Start(start) = config.command.kind.clone() else { panic!("not a start") };
        begin(&config, &start, tokio::task::spawn_blocking(String::new), now).await
    }

    /// Starts, stops, and says whose service it is.
    async fn run(&self) -> PublicKey {
        let begun = self.begin().await.unwrap();
        begun.replica.stop().await.unwrap();
        begun.identity.service_key.public().clone()
    }

    /// Why a start is refused, after which everything must be as it was.
    async fn refused(&self) -> String {
        let before = self.image();
        let why = self.begin().await.map(|_| ()).unwrap_err().to_string();
        let after = self.image();
        let names = before.keys().chain(after.keys());
        let changed: Vec<_> = names.filter(|path| before.get(*path) != after.get(*path)).collect();
        assert!(changed.is_empty(), "{why}\nand yet these were changed: {changed:?}");
        why
    }

    fn image(&self) -> Image {
        let mut image = Image::new();
        let mut left = vec![self.root.path().to_owned()];
        while let Some(path) = left.pop() {
            if path.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                image.insert(path, None);
            } else if !path.ends_with("lock") {
                let content = fs::read(&path).unwrap();
                image.insert(path, Some(content));
            }
        }
        image
    }

    fn remove(&self, path: &Path) {
        assert!(path.exists(), "{}", path.display());
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

#[tokio::test]
async fn a_configuration_that_founds_nothing_leaves_nothing() {
    let mut place = Place::new();
    let good = place.config.clone();
    let absent = place.path("absent");
    for (setting, value) in [
        ("/command/start/members/0/certificate_file", json!(absent)),
        ("/command/start/constitution_files", json!([absent])),
        ("/command/start/service_configuration/recovery_threshold", json!(5)),
        ("/node_data_json_file", json!(absent)),
        ("/service_data_json_file", json!(absent)),
    ] {
        let (section, name) = setting.rsplit_once('/').unwrap();
        place.config.pointer_mut(section).unwrap()[name] = Value::Null;
        *place.config.pointer_mut(setting).unwrap() = value;
        let why = place.refused().await;
        let full = setting.trim_start_matches('/').replace("members/0", "members[0]").replace('/', ".");
        assert!(setting.ends_with("threshold") || why.starts_with(&full), "{full} is not named: {why}");
        assert!(!place.path("data").exists() && !place.path("chunks").exists(), "{setting}");
        place.config.clone_from(&good);
    }
    place.run().await;
}

#[tokio::test]
async fn a_refused_resume_changes_nothing() {
    let mut place = Place::new();
    place.run().await;
    place.config["node_data_json_file"] = json!(place.path("absent"));
    assert!(place.refused().await.contains("absent"));
    place.config.as_object_mut().unwrap().remove("node_data_json_file");
    place.run().await;

    let mut witnessed = Place::new();
    witnessed.config["command"]["start"]["resume"] = json!("witnessed");
    witnessed.run().await;
    // What the configuration says later changes nothing about that.
    witnessed.config["command"]["start"]["resume"] = json!("auto");
    assert!(witnessed.refused().await.contains("resume: witnessed"));
}

/// Otherwise whoever has the disk could found another service, with members of its own, under the same certificate.
#[tokio::test]
async fn a_service_key_founds_one_service_only() {
    let place = Place::new();
    let founded = place.run().await;
    let keys = fs::read(place.state("identity.sealed")).unwrap();
    assert_eq!(place.run().await, founded, "it resumes");

    place.remove(&place.path("chunks/ledger"));
    place.remove(&place.state("log"));
    assert!(place.refused().await.contains("raft log"));
    // As if the start that made the keys had ended right after that.
    place.remove(&place.state("ledger_secrets.sealed"));
    assert_ne!(place.run().await, founded);
    // The old keys are not taken for those of the new ledger.
    fs::write(place.state("identity.sealed"), keys).unwrap();
    assert!(place.refused().await.contains("another service"));
}

#[tokio::test]
async fn what_a_service_left_is_not_written_over() {
    let place = Place::new();
    place.run().await;
    place.remove(&place.state("identity.sealed"));
    assert!(place.refused().await.contains("holds a ledger"));
    place.remove(&place.path("chunks/ledger"));
    assert!(place.refused().await.contains("identity.sealed"));
    place.remove(&place.state("log"));
    place.remove(&place.state("sealing.key"));
    assert!(place.refused().await.contains("ledger_secrets.sealed"));

    let place = Place::new();
    place.run().await;
    place.remove(&place.path("data/ledger.state"));
    assert!(place.refused().await.contains("Recover"));
}

#[tokio::test]
async fn sealed_files_missing_or_of_another_day_are_refused_by_name() {
    let place = Place::new();
    place.run().await;
    let yesterday = fs::read(place.state("ledger_secrets.sealed")).unwrap();
    place.run().await;
    let today = fs::read(place.state("ledger_secrets.sealed")).unwrap();

    fs::write(place.state("ledger_secrets.sealed"), yesterday).unwrap();
    let why = place.refused().await;
    assert!(why.contains("ledger_secrets.sealed: it is of another day than the ledger"), "{why}");
    place.remove(&place.state("ledger_secrets.sealed"));
    assert!(place.refused().await.contains("ledger_secrets.sealed"));
    fs::write(place.state("ledger_secrets.sealed"), today).unwrap();

    let key = fs::read(place.state("sealing.key")).unwrap();
    place.remove(&place.state("sealing.key"));
    assert!(place.refused().await.contains("sealing key"));
    fs::write(place.state("sealing.key"), [7; 32]).unwrap();
    assert!(place.refused().await.contains("identity.sealed"));
    fs::write(place.state("sealing.key"), key).unwrap();
    place.run().await;
}

#[tokio::test]
async fn a_resumed_node_shows_the_certificate_that_it_has_now() {
    let place = Place::new();
    let first = place.begin().await.unwrap();
    first.replica.stop().await.unwrap();
    let (identity, node) = (first.identity.self_signed.to_pem(), first.node.certificates.shown().own.to_pem());
    assert_eq!(identity, node);
    drop(first.lock);
    let again = place.begin().await.unwrap();
    assert_ne!(again.identity.self_signed.to_pem(), identity);
    assert_eq!(again.node.certificates.shown().own.to_pem(), again.identity.self_signed.to_pem());
    assert_eq!(fs::read_to_string(place.path("node_cert.pem")).unwrap(), again.node.certificates.shown().own.to_pem());
    again.replica.stop().await.unwrap();
}

#[tokio::test]
async fn a_directory_is_used_by_one_start_at_a_time() {
    let place = Place::new();
    let begun = place.begin().await.unwrap();
    let why = place.begin().await.map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("locked"), "{why}");
    begun.replica.stop().await.unwrap();
}

/// The configuration says what is noted about a node first; then the members do.
#[tokio::test]
async fn what_the_members_note_about_a_node_outlives_a_restart() {
    let place = Place::new();
    let begun = place.begin().await.unwrap();
    let id = begun.node.node_id.clone();
    let data = |replica: &Replica| {
        let state = replica.committed().state.clone();
        let stored = state.get(ledger::tables::NODES_INFO, id.as_bytes()).unwrap();
        serde_json::from_slice::<Value>(&stored.value).unwrap().get("node_data").cloned()
    };
    assert_eq!(data(&begun.replica), None);
    let mut tx = Tx::new(begun.replica.committed().state.clone());
    let stored = tx.get(ledger::tables::NODES_INFO, id.as_bytes()).unwrap();
    let mut info: Value = serde_json::from_slice(&stored).unwrap();
    info["node_data"] = json!({"rack": 7});
    tx.put(ledger::tables::NODES_INFO, id.clone(), info.to_string());
    begun.replica.submit(Transaction::new(tx, [0; 32])).await.unwrap();
    begun.replica.stop().await.unwrap();
    drop(begun.lock);
    let again = place.begin().await.unwrap();
    assert_eq!(data(&again.replica), Some(json!({"rack": 7})));
    again.replica.stop().await.unwrap();
}
