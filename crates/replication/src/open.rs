use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crypto::AesKey;
use disk::Disk;
use kv::{State, TxId};
use ledger::{LedgerError, chunk, entry, secrets::LedgerSecrets};
use openraft::{BasicNode, EntryPayload, LogId, Membership, StoredMembership};

use crate::{
    Background, Committed, Replica, ReplicationError, Signer,
    batch::BatchContent,
    covered::CoveredFile,
    engine::{self, Parts},
    index,
    log::{Cut, LogOptions, SegmentLog},
    planted::{self, Fault},
    replay::Replay,
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
}

/// A ledger that was read and found good, before anything is added to it.
pub struct Opened {
    options: Options,
    log: SegmentLog,
    covered: CoveredFile,
    replay: Replay,
    store: LedgerStore,
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
    let mut store = LedgerStore::open(disk.clone(), ledger_directory.clone())?;
    let mut replay = Replay::new(secrets, candidates);
    read_complete_chunks(&store, &mut replay)?;
    check_reach(&covered, &replay, ledger_directory)?;
    if covered.get().is_some() || !store.is_empty() || secrets.latest().is_some() {
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
    let (last_applied, membership) = read_log(&log, &covered, &mut store, &mut replay)?;
    store.check_recovered(replay.last().seqno)?;
    replay.check_last_signature("raft log")?;
    let tail = opened.cut;
    Ok(Opened { options, log, covered, replay, store, last_applied, membership, tail })
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

fn read_complete_chunks(store: &LedgerStore, replay: &mut Replay) -> Result<(), ReplicationError> {
    for name in store.complete_chunks() {
        let mut reader = store.read_chunk(name)?;
        replay.history.starts_chunk();
        let file = name.to_string();
        let failed = |seqno, why: LedgerError| ReplicationError::ledger(&file, seqno, why);
        while let Some(found) = reader.next_entry().map_err(|why| failed(replay.last().seqno + 1, why))? {
            replay.entry(&file, found.offset, &found.bytes)?;
        }
    }
    Ok(())
}

fn check_reach(covered: &CoveredFile, replay: &Replay, directory: &Path) -> Result<(), ReplicationError> {
    let needed = covered.get().map_or(0, |covered| covered.seqno);
    if replay.last().seqno >= needed {
        return Ok(());
    }
    let (have, place) = (replay.last().seqno, directory.to_owned());
    Err(ReplicationError::Missing {
        place,
        missing: format!("complete chunk files end at seqno {have}, but they reached {needed}"),
    })
}

type Position = (Option<LogId<u64>>, StoredMembership<u64, BasicNode>);

fn read_log(
    log: &SegmentLog,
    covered: &CoveredFile,
    store: &mut LedgerStore,
    replay: &mut Replay,
) -> Result<Position, ReplicationError> {
    let covered = covered.get();
    let mut last = covered.as_ref().and_then(|covered| covered.log_id);
    let empty = || StoredMembership::new(None, Membership::default());
    let mut membership = covered.map_or_else(empty, |covered| covered.membership);
    let complete = replay.last().seqno;
    for found in log.entries() {
        match &found.payload {
            EntryPayload::Blank => {}
            EntryPayload::Membership(found_membership) => {
                membership = StoredMembership::new(Some(found.log_id), found_membership.clone());
            }
            EntryPayload::Normal(batch) => {
                let content = BatchContent::read(batch)
                    .ok_or_else(|| ReplicationError::Raft(format!("log entry {} is no batch", found.log_id)))?;
                take_batch(&content, complete, store, replay)?;
            }
        }
        last = last.max(Some(found.log_id));
    }
    Ok((last, membership))
}

fn take_batch(
    content: &BatchContent,
    complete: u64,
    store: &mut LedgerStore,
    replay: &mut Replay,
) -> Result<(), ReplicationError> {
    if content.first.seqno <= complete {
        return compare(content, store, replay);
    }
    if !content.follows(replay.last()) {
        return Ok(());
    }
    let mut offset = store.append(content.first.seqno, &content.entries)?;
    if offset == chunk::CHUNK_HEADER_LEN {
        replay.history.starts_chunk();
    }
    let (mut rest, mut flags) = (&content.entries[..], 0);
    while !rest.is_empty() {
        let seqno = replay.last().seqno + 1;
        let (bytes, behind) =
            entry::split_first(rest).map_err(|why| ReplicationError::ledger("raft log", seqno, why))?;
        flags = replay.entry("raft log", offset, bytes)?;
        offset += bytes.len() as u64;
        rest = behind;
    }
    if flags & entry::FLAG_CHUNK_AFTER != 0 {
        store.complete(replay.last().seqno)?;
    }
    Ok(())
}

/// A batch that lies in complete chunks too must be the same there.
fn compare(content: &BatchContent, store: &LedgerStore, replay: &Replay) -> Result<(), ReplicationError> {
    let mut rest = &content.entries[..];
    for seqno in content.first.seqno.. {
        if rest.is_empty() {
            break;
        }
        let failed = |why| ReplicationError::ledger("raft log", seqno, why);
        let (bytes, behind) = entry::split_first(rest).map_err(failed)?;
        let Some((start, offset)) = replay.history.location(seqno) else {
            return Err(ReplicationError::Diverged { file: "the last complete chunk file".into(), seqno });
        };
        let stored = store.reader().read(start, offset).map_err(failed)?;
        if stored != bytes {
            return Err(ReplicationError::Diverged { file: format!("ledger_{start}…"), seqno });
        }
        rest = behind;
    }
    Ok(())
}

impl Opened {
    /// What is committed: the ledger as it was read.
    #[must_use]
    pub fn committed(&self) -> Committed {
        self.replay.committed()
    }

    /// The state as it was read.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.replay.state
    }

    /// The last transaction; `0.0` in an empty ledger.
    #[must_use]
    pub fn last(&self) -> TxId {
        self.replay.last()
    }

    /// The ledger secrets that the ledger is under: those that were given, without any that nothing is under, and the
    /// candidates that became secrets.
    #[must_use]
    pub fn secrets(&self) -> LedgerSecrets {
        self.replay.secrets()
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
        let Self { options, log, covered, replay, mut store, last_applied, membership, .. } = self;
        store.write_recovered()?;
        let (directory, mac_key) = (options.state_directory.join("index"), options.mac_key);
        let index = index::Place { disk: options.disk, directory, mac_key, background: options.background };
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
        match latest.filter(|latest| !self.replay.knows(latest.key())) {
            Some(_) => Ok(()),
            None => Err(ReplicationError::NotFresh { next }),
        }
    }
}
