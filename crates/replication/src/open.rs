use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crypto::AesKey;
use disk::Disk;
use kv::{State, TxId};
use ledger::{secrets::LedgerSecrets, snapshot::SnapshotName};
use openraft::{BasicNode, LogId, StoredMembership};

use crate::{
    Background, Committed, Replica, ReplicationError, Signer, SnapshotOptions,
    covered::CoveredFile,
    engine::{self, Parts},
    index,
    log::{Cut, LogOptions, SegmentLog},
    planted::{self, Fault},
    reading::Reading,
    snapshots::{self, Setup},
    store::LedgerStore,
};

/// Where a node keeps its ledger, and how.
pub struct Options {
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// The ledger directory: chunk files and nothing else.
    pub ledger_directory: PathBuf,
    /// The state directory: raft log and what belongs to it.
    pub state_directory: PathBuf,
    /// The key of the MACs of files that only this node may have written.
    pub mac_key: [u8; 32],
    /// Bytes of entries after which a chunk file ends with the next signature.
    pub chunk_size: u64,
    /// Size of a segment of the raft log, in bytes.
    pub segment_bytes: u64,
    /// Where work is done that commits do not wait for.
    pub background: Background,
    /// Where snapshots are and when they are taken; without, the ledger has none.
    pub snapshots: Option<SnapshotOptions>,
}

/// A ledger that was read and found good, before anything is added to it.
pub struct Opened {
    options: Options,
    log: SegmentLog,
    covered: CoveredFile,
    reading: Reading,
    last_applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
    tail: Option<Cut>,
}

/// Reads everything that is there: complete chunk files, then what the raft log holds beyond them. Where both hold the
/// same transactions, they must be equal. `secrets` are all ledger secrets that were ever used, as far as their places are
/// known; `candidates` are keys that were kept for a rekey. Such a key counts only if the ledger has the record that
/// introduces it ([`LedgerSecrets::follow`]).
///
/// An incomplete tail of the raft log is cut, which is what a crash leaves ([`Opened::tail`]). Nothing else is written
/// before [`Opened::start`], but for directories and the first segment in a new place.
///
/// # Errors
/// Anything else that is not as this node wrote it; the text names the place and what to do.
pub fn open(options: Options, secrets: &LedgerSecrets, candidates: &[AesKey]) -> Result<Opened, ReplicationError> {
    let Options { disk, ledger_directory, state_directory, mac_key, segment_bytes, .. } = &options;
    let log_directory = state_directory.join("log");
    let covered = CoveredFile::open(disk.clone(), state_directory.join("covered"), *mac_key)?;
    let store = LedgerStore::open(disk.clone(), ledger_directory.clone())?;
    let newest = |options| snapshots::newest(&**disk, options, secrets, candidates);
    let found = options.snapshots.as_ref().map(newest).transpose()?.flatten();
    let mut reading = Reading::new(store, found, secrets, candidates)?;
    reading.complete_chunks()?;
    reading.check_reach(&covered, ledger_directory)?;
    if covered.get().is_some() || !reading.store.is_empty() || secrets.latest().is_some() {
        check_log_exists(&**disk, &log_directory)?;
    }
    for directory in [ledger_directory, state_directory] {
        ensure_directory(&**disk, directory)?;
        // A process that was killed right behind a rename has left a name that is not durable. From here on it counts.
        disk.sync_dir(directory, "names in a reopened directory")?;
    }
    let log_options = LogOptions { segment_bytes: *segment_bytes, ..LogOptions::new(*mac_key) };
    let (log, opened) = SegmentLog::open(disk.clone(), log_directory, log_options)?;
    covered.check(log.purged(), log.last_log_id())?;
    let (last_applied, membership) = reading.log(&log, &covered)?;
    reading.check_end()?;
    let tail = opened.cut;
    Ok(Opened { options, log, covered, reading, last_applied, membership, tail })
}

/// The raft log is made before the first ledger secret and the first chunk file, and has all that came after the last
/// complete one.
fn check_log_exists(disk: &dyn Disk, directory: &Path) -> Result<(), ReplicationError> {
    let is_segment = |name: &String| name.starts_with("segment-");
    if disk.exists(directory)? && disk.list(directory)?.iter().any(is_segment) {
        return Ok(());
    }
    let missing = "there is no raft log, which holds the end of the ledger that was begun here".to_owned();
    Err(ReplicationError::Missing { place: directory.to_owned(), missing })
}

/// Makes a directory if it is not there. Its name is synced even if it is: the start that made it may have ended before.
fn ensure_directory(disk: &dyn Disk, path: &Path) -> Result<(), ReplicationError> {
    if !disk.exists(path)? {
        disk.create_dir(path)?;
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(disk.sync_dir(parent.unwrap_or(Path::new(".")), "name of a directory")?)
}

impl Opened {
    /// What is committed: the ledger as it was read.
    #[must_use]
    pub fn committed(&self) -> Committed {
        self.reading.replay.committed()
    }

    /// The state as it was read.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.reading.replay.state
    }

    /// The last transaction; `0.0` in an empty ledger.
    #[must_use]
    pub fn last(&self) -> TxId {
        self.reading.replay.last()
    }

    /// The ledger secrets that the ledger is under: those that were given, without any that nothing is under, and the
    /// candidates that became secrets.
    #[must_use]
    pub fn secrets(&self) -> LedgerSecrets {
        self.reading.replay.secrets()
    }

    /// The snapshot that the ledger was read behind, if there was one.
    #[must_use]
    pub fn snapshot(&self) -> Option<SnapshotName> {
        self.reading.base.as_ref().map(|base| base.name)
    }

    /// What a crash had left at the end of the raft log and was cut.
    #[must_use]
    pub fn tail(&self) -> Option<&Cut> {
        self.tail.as_ref()
    }

    /// Starts to order transactions, in a new view. The latest of `secrets` must be a fresh one that applies from the
    /// next seqno on, already kept safe: this is what makes it impossible that an IV is used twice with one secret, even
    /// if the host has put back an older disk.
    ///
    /// # Errors
    /// [`ReplicationError::NotFresh`]; Raft does not start, or the files cannot be written.
    pub async fn start(self, secrets: LedgerSecrets, signer: Signer) -> Result<Replica, ReplicationError> {
        self.check_fresh(&secrets)?;
        let Self { options, log, covered, reading, last_applied, membership, .. } = self;
        let Reading { mut store, replay, base, bytes, .. } = reading;
        let (disk, background) = (options.disk, options.background);
        if let Some(snapshots) = &options.snapshots {
            ensure_directory(&*disk, &snapshots.directory)?;
            snapshots::remove_unfinished(&*disk, &snapshots.directory)?;
        }
        store.write_recovered()?;
        let (directory, mac_key) = (options.state_directory.join("index"), options.mac_key);
        let index = index::Place { disk: disk.clone(), directory, mac_key, background };
        let setup = |options| Setup { disk, options, background, base, grown: bytes };
        let parts = Parts {
            log,
            covered,
            replay,
            store,
            last_applied,
            membership,
            secrets,
            signer,
            chunk_size: options.chunk_size,
            index,
            snapshots: options.snapshots.map(setup),
        };
        engine::start(parts).await
    }

    /// The secret to write under applies from the next seqno on, and is none that an earlier process had.
    fn check_fresh(&self, secrets: &LedgerSecrets) -> Result<(), ReplicationError> {
        let next = self.last().seqno + 1;
        let latest = secrets.latest().filter(|latest| latest.version() == next);
        if planted::is(Fault::SecretReused) {
            return Ok(());
        }
        match latest.filter(|latest| !self.reading.replay.knows(latest.key())) {
            Some(_) => Ok(()),
            None => Err(ReplicationError::NotFresh { next }),
        }
    }
}
