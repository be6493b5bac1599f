//! The commit thread.

use std::{collections::BTreeMap, sync::Arc, thread::JoinHandle};

use ledger::secrets::LedgerSecrets;
use openraft::{
    BasicNode, Config, LogId, Raft, ServerState, SnapshotPolicy, StoredMembership, Vote, storage::RaftLogStorage,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Replica, ReplicationError, Signer,
    covered::CoveredFile,
    index::{self, Index, Indexer},
    log::SegmentLog,
    machine::Machine,
    network::NoPeers,
    past::Past,
    planted,
    replay::Replay,
    room::{MAX_WAITING, RESERVED},
    sealer::Sealer,
    sequencer::{Request, Sequencer},
    shared::Shared,
    snapshots::{Occasions, Setup},
    store::{EntryReader, LedgerStore},
    types::TypeConfig,
};

/// This node's number in the raft group. A group of one needs no more.
const NODE: u64 = 1;
/// Requests that the sequencer can be asked at a time: whatever there is [`Room`](crate::room::Room) for, the end, and
/// the evidence of a snapshot.
const MAX_REQUESTS: usize = MAX_WAITING + RESERVED + 8;

/// Everything that the commit thread starts from.
pub(crate) struct Parts {
    pub(crate) log: SegmentLog,
    pub(crate) covered: CoveredFile,
    pub(crate) replay: Replay,
    pub(crate) store: LedgerStore,
    pub(crate) last_applied: Option<LogId<u64>>,
    pub(crate) membership: StoredMembership<u64, BasicNode>,
    pub(crate) secrets: LedgerSecrets,
    pub(crate) signer: Signer,
    pub(crate) chunk_size: u64,
    /// Where index files are.
    pub(crate) index: index::Place,
    /// How snapshots are taken, if any are.
    pub(crate) snapshots: Option<Setup>,
}

/// Starts the commit thread and waits until this node orders transactions.
pub(crate) async fn start(parts: Parts) -> Result<Replica, ReplicationError> {
    let reader = parts.store.reader().clone();
    let committed = parts.replay.committed();
    let Parts {
        log,
        covered,
        mut replay,
        store,
        last_applied,
        membership,
        secrets,
        signer,
        chunk_size,
        index,
        snapshots,
    } = parts;
    let head = replay.state;
    let chunk_bytes = store.chunk_bytes();
    if chunk_bytes == 0 {
        replay.history.starts_chunk();
    }
    let (tree, last_signature) = (replay.history.tree().clone(), replay.history.last_signature());
    let sealer = Sealer::new(signer, tree, last_signature, chunk_size, chunk_bytes);
    let before = snapshots.as_ref().map(Setup::status).unwrap_or_default();
    let shared = Arc::new(Shared::new(committed, replay.history, secrets, before));
    start_index(&index, &reader, &store, &shared)?;
    let is_new = last_applied.is_none() && log.last_log_id().is_none();
    let machine = Machine::new(shared.clone(), store, Arc::new(covered), last_applied, membership);

    let (requests, incoming) = mpsc::channel(MAX_REQUESTS);
    let (stop, stopped) = watch::channel(None);
    let (ready, is_ready) = oneshot::channel();
    let past = Past::new(shared.clone(), reader.clone());
    let begin = |setup: Setup| setup.begin(&shared.snapshots, past, requests.downgrade());
    let (snapshots, taking) = snapshots.map(begin).transpose()?.unzip();
    let commit = {
        let ending = Ending { shared: shared.clone(), taking: taking.flatten() };
        async move {
            let shared = ending.shared.clone();
            let result = commit(log, machine, is_new, head, sealer, shared, snapshots, incoming, ready).await;
            drop(ending);
            stop.send_replace(Some(result));
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(ReplicationError::Thread)?;
    let thread =
        std::thread::Builder::new().name("commit".into()).spawn(planted::carry(move || runtime.block_on(commit)));
    let thread = thread.map_err(ReplicationError::Thread)?;
    match is_ready.await {
        Ok(view) => Ok(Replica::new(shared, requests, reader, stopped, thread, view)),
        Err(_) => {
            let mut stopped = stopped;
            let why = stopped.wait_for(Option::is_some).await.ok().and_then(|result| result.clone()?.err());
            Err(ReplicationError::Raft(why.unwrap_or_else(|| "the commit thread ended".into())))
        }
    }
}

/// Starts to read what lies before the snapshot, if there is one, and to write index files.
fn start_index(
    place: &index::Place,
    reader: &EntryReader,
    store: &LedgerStore,
    shared: &Arc<Shared>,
) -> Result<(), ReplicationError> {
    let snapshot = shared.history().gap().map_or(0, |(last, _)| last);
    let past = store.complete_chunks().filter(|name| name.end.is_some_and(|end| end <= snapshot)).collect();
    let indexer = Indexer::new(place, reader.clone(), past)?;
    let index = Index::start(indexer, place.background, shared)?;
    shared.index.get_or_init(|| index).wake(shared);
    Ok(())
}

/// However the commit thread ends, also by a panic, nobody goes on waiting for what was being written.
struct Ending {
    shared: Arc<Shared>,
    /// The thread that takes snapshots.
    taking: Option<JoinHandle<()>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.shared.abandon_in_flight();
        self.shared.index.get().into_iter().for_each(Index::end);
        self.shared.snapshots.close();
        // A panic there was reported where it happened.
        let _ = self.taking.take().map(JoinHandle::join);
    }
}

#[expect(clippy::too_many_arguments, reason = "the one place where all parts meet")]
async fn commit(
    log: SegmentLog,
    machine: Machine,
    is_new: bool,
    head: kv::State,
    sealer: Sealer,
    shared: Arc<Shared>,
    snapshots: Option<Occasions>,
    incoming: mpsc::Receiver<Request>,
    ready: oneshot::Sender<u64>,
) -> Result<(), String> {
    let log = step_down(log).await?;
    let raft = Raft::new(NODE, Arc::new(config()?), NoPeers, log, machine).await.map_err(|why| why.to_string())?;
    let view = lead(&raft, is_new).await? + 1;
    // Nobody waits any more if the node is stopping already.
    let _ = ready.send(view);
    let sequencer = Sequencer::new(view, head, sealer, shared, raft.clone()).with_snapshots(snapshots);
    let result = unless_fatal(&raft, sequencer.run(incoming)).await;
    raft.shutdown().await.map_err(|why| why.to_string())?;
    result
}

/// Works as long as raft does. It also writes by itself, when the log is cut, and stops if that fails.
async fn unless_fatal(raft: &Raft<TypeConfig>, work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let mut metrics = raft.metrics();
    let fatal = async {
        let found = metrics.wait_for(|metrics| metrics.running_state.is_err()).await;
        found.map_or_else(|why| why.to_string(), |metrics| format!("{:?}", metrics.running_state))
    };
    tokio::select! {
        biased;
        why = fatal => Err(reason(raft, why)),
        done = work => done,
    }
}

/// Gives up the leadership that an earlier process had, so that openraft does not take it up again in the old term.
async fn step_down(mut log: SegmentLog) -> Result<SegmentLog, String> {
    if let Some(vote) = log.vote().filter(|vote| vote.committed) {
        let vote = Vote { committed: false, ..vote };
        log.save_vote(&vote).await.map_err(|why| why.to_string())?;
    }
    Ok(log)
}

/// Becomes leader in a new term, and says which. A group of one needs no more than its own vote, but each start must
/// have a term of its own.
async fn lead(raft: &Raft<TypeConfig>, is_new: bool) -> Result<u64, String> {
    if is_new {
        let members = BTreeMap::from([(NODE, BasicNode::default())]);
        raft.initialize(members).await.map_err(|why| reason(raft, why))?;
    } else {
        raft.trigger().elect().await.map_err(|why| reason(raft, why))?;
    }
    let elected = |metrics: &openraft::RaftMetrics<u64, BasicNode>| metrics.state == ServerState::Leader;
    let metrics = raft.wait(Some(std::time::Duration::from_secs(10))).metrics(elected, "leadership").await;
    metrics.map(|metrics| metrics.current_term).map_err(|why| reason(raft, why))
}

/// Why raft did not do something: what made it stop, if it has stopped, rather than that it has.
pub(crate) fn reason(raft: &Raft<TypeConfig>, why: impl ToString) -> String {
    let stopped = raft.metrics().borrow().running_state.clone();
    stopped.map_or_else(|fatal| fatal.to_string(), |()| why.to_string())
}

/// Timers play no part in a group of one: nobody else can be leader, and elections are asked for.
fn config() -> Result<Config, String> {
    let config = Config {
        cluster_name: "cgs".into(),
        heartbeat_interval: 500,
        election_timeout_min: 2_000,
        election_timeout_max: 4_000,
        enable_elect: false,
        enable_heartbeat: false,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: 0,
        ..Config::default()
    };
    config.validate().map_err(|why| why.to_string())
}
