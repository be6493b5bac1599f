//! Three nodes in one process, each with a log on files, lose their leader.
#![expect(clippy::result_large_err, reason = "the errors of a network are openraft's")]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use disk::RealDisk;
use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest,
    VoteResponse,
};
use openraft::{BasicNode, Config, Raft};

use super::machine::Machine;
use super::*;
use crate::types::TypeConfig;

/// Everybody who can be reached.
#[derive(Clone, Default)]
struct Network(Arc<Mutex<BTreeMap<u64, Raft<TypeConfig>>>>);

struct Peer {
    network: Network,
    id: u64,
}

type RpcResult<T, E = openraft::error::Infallible> = Result<T, RPCError<u64, BasicNode, RaftError<u64, E>>>;

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _: &BasicNode) -> Peer {
        Peer { network: self.clone(), id: target }
    }
}

impl Peer {
    fn reach<E: std::error::Error>(&self) -> RpcResult<Raft<TypeConfig>, E> {
        let peer = self.network.0.lock().unwrap().get(&self.id).cloned();
        let unreachable = std::io::Error::other("the node is down");
        peer.ok_or_else(|| RPCError::Network(NetworkError::new(&unreachable)))
    }

    fn answer<T, E: std::error::Error>(&self, result: Result<T, RaftError<u64, E>>) -> RpcResult<T, E> {
        result.map_err(|e| RPCError::RemoteError(RemoteError::new(self.id, e)))
    }
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> RpcResult<AppendEntriesResponse<u64>> {
        let result = self.reach()?.append_entries(rpc).await;
        self.answer(result)
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        _: RPCOption,
    ) -> RpcResult<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        let result = self.reach()?.install_snapshot(rpc).await;
        self.answer(result)
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, _: RPCOption) -> RpcResult<VoteResponse<u64>> {
        let result = self.reach()?.vote(rpc).await;
        self.answer(result)
    }
}

struct Node {
    raft: Raft<TypeConfig>,
    machine: Machine,
}

async fn start(id: u64, dir: PathBuf, network: &Network, machine: Machine) -> Node {
    let config = Config {
        heartbeat_interval: 50,
        election_timeout_min: 200,
        election_timeout_max: 400,
        snapshot_policy: openraft::SnapshotPolicy::LogsSinceLast(150),
        max_in_snapshot_log_to_keep: 20,
        ..Config::default()
    };
    let (log, _) = SegmentLog::open(Arc::new(RealDisk), dir, options(16 * 1024)).unwrap();
    let config = Arc::new(config.validate().unwrap());
    let raft = Raft::new(id, config, network.clone(), log, machine.clone()).await.unwrap();
    network.0.lock().unwrap().insert(id, raft.clone());
    Node { raft, machine }
}

fn batch(number: u64) -> Batch {
    Batch(Bytes::from(number.to_le_bytes().repeat(25)))
}

/// Writes until it is acknowledged, wherever the leader is. A leader that was deposed and catches up by snapshot leaves
/// its last callers without an answer, so each attempt has a limit.
async fn write(nodes: &BTreeMap<u64, Node>, batch: Batch) {
    loop {
        for node in nodes.values() {
            let answer = tokio::time::timeout(Duration::from_secs(1), node.raft.client_write(batch.clone()));
            if let Ok(Ok(_)) = answer.await {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn leader(nodes: &BTreeMap<u64, Node>) -> u64 {
    loop {
        for node in nodes.values() {
            if let Some(leader) = node.raft.current_leader().await {
                return leader;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The batches in the order they were first applied: a retried write may be there twice.
fn distinct(machine: &Machine) -> Vec<Batch> {
    let mut batches = machine.batches();
    batches.dedup();
    batches
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_leader_loses_no_acknowledged_batch() {
    tokio::time::timeout(Duration::from_secs(60), lose_the_leader()).await.unwrap();
}

async fn lose_the_leader() {
    let root = tempfile::tempdir().unwrap();
    let dir = |id: u64| root.path().join(format!("node{id}"));
    let network = Network::default();
    let mut nodes = BTreeMap::new();
    for id in 1..=3 {
        nodes.insert(id, start(id, dir(id), &network, Machine::default()).await);
    }
    let members: BTreeMap<u64, BasicNode> = (1..=3).map(|id| (id, BasicNode::default())).collect();
    nodes[&1].raft.initialize(members).await.unwrap();
    for number in 0..500 {
        write(&nodes, batch(number)).await;
    }

    let lost = leader(&nodes).await;
    network.0.lock().unwrap().remove(&lost);
    let gone = nodes.remove(&lost).unwrap();
    gone.raft.shutdown().await.unwrap();
    for number in 500..1000 {
        write(&nodes, batch(number)).await;
    }

    // It comes back with its files and its last snapshot, and gets the rest from the others.
    nodes.insert(lost, start(lost, dir(lost), &network, gone.machine.restored()).await);
    write(&nodes, batch(1000)).await;
    let expected: Vec<Batch> = (0..=1000).map(batch).collect();
    for node in nodes.values() {
        while node.machine.batches().last() != Some(&batch(1000)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(distinct(&node.machine), expected);
    }
    for (id, node) in nodes {
        node.raft.shutdown().await.unwrap();
        let (log, opened) = SegmentLog::open(Arc::new(RealDisk), dir(id), options(16 * 1024)).unwrap();
        assert_eq!(opened.cut, None);
        assert!(opened.segments < 12 && log.purged().is_some(), "purged segments are removed: {opened:?}");
    }
}
