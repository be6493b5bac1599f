//! What committed batches do to this node.

use std::{io::Cursor, sync::Arc};

use kv::TxId;
use ledger::entry;
use openraft::{
    BasicNode, Entry, EntryPayload, LogId, RaftSnapshotBuilder, Snapshot, SnapshotMeta, StorageError, StorageIOError,
    StoredMembership, storage::RaftStateMachine,
};

use crate::{
    Committed, ReplicationError,
    batch::BatchContent,
    covered::{Covered, CoveredFile},
    history::History,
    planted::{self, Fault},
    shared::{InFlight, Shared},
    store::LedgerStore,
    types::TypeConfig,
};

type Failure = StorageError<u64>;

/// The state machine of raft: applies committed batches to the ledger files and publishes the state behind them.
///
/// Its *snapshot* is not a copy of the state: it is the statement that everything up to a seqno lies in complete, synced
/// chunk files ([`Covered`]), which is what allows the raft log to be cut there.
pub(crate) struct Machine {
    shared: Arc<Shared>,
    store: LedgerStore,
    covered: Arc<CoveredFile>,
    last_applied: Option<LogId<u64>>,
    membership: StoredMembership<u64, BasicNode>,
}

impl Machine {
    pub(crate) fn new(
        shared: Arc<Shared>,
        store: LedgerStore,
        covered: Arc<CoveredFile>,
        last_applied: Option<LogId<u64>>,
        membership: StoredMembership<u64, BasicNode>,
    ) -> Self {
        Self { shared, store, covered, last_applied, membership }
    }

    fn apply_batch(&mut self, log_id: LogId<u64>, content: &BatchContent) -> Result<(), ReplicationError> {
        if !content.follows(self.shared.committed().state.tx_id()) {
            tracing::warn!(first = %content.first, "a batch that does not fit is skipped");
            return Ok(());
        }
        let batch = match self.shared.pop_in_flight(content.first) {
            Some(batch) => batch,
            None => self.replay(content)?,
        };
        self.record(log_id, content, batch)
    }

    /// What a batch that another node has sealed does.
    fn replay(&self, content: &BatchContent) -> Result<InFlight, ReplicationError> {
        let committed = self.shared.committed();
        let mut state = committed.state.clone();
        let mut tree = self.shared.history().tree().clone();
        let secrets = self.shared.secrets();
        let (mut entries, mut ends_chunk) = (Vec::new(), false);
        let mut rest = &content.entries[..];
        let failed = |seqno, why| ReplicationError::ledger("raft log", seqno, why);
        while !rest.is_empty() {
            let seqno = state.tx_id().seqno + 1;
            let (bytes, behind) = entry::split_first(rest).map_err(|why| failed(seqno, why))?;
            let decoded = entry::decode(bytes).map_err(|why| failed(seqno, why))?;
            let writes = decoded.open(&secrets).map_err(|why| failed(seqno, why))?;
            let leaf = decoded.leaf();
            self.shared.note_writes(seqno, &writes);
            state.apply(decoded.tx_id, &writes);
            tree.append(leaf);
            entries.push((bytes.len(), leaf));
            ends_chunk = decoded.header.flags & entry::FLAG_CHUNK_AFTER != 0;
            rest = behind;
        }
        let committed = Arc::new(Committed { state, root: tree.root() });
        Ok(InFlight { first: content.first, entries, ends_chunk, committed, answers: Vec::new() })
    }

    fn record(&mut self, log_id: LogId<u64>, content: &BatchContent, batch: InFlight) -> Result<(), ReplicationError> {
        let offset = self.store.append(content.first.seqno, &content.entries)?;
        let last = batch.committed.state.tx_id();
        note_entries(&mut self.shared.history_mut(), content.first, offset, &batch.entries);
        if batch.ends_chunk {
            let covered = Covered { seqno: last.seqno, log_id: Some(log_id), membership: self.membership.clone() };
            if planted::is(Fault::CoveredBeforeChunk) {
                self.covered.write(covered.clone())?;
            }
            self.store.complete(last.seqno)?;
            self.covered.write(covered)?;
        }
        self.shared.publish(batch.committed);
        if batch.ends_chunk {
            self.shared.completed_chunk();
        }
        for (tx_id, answer) in batch.answers {
            // Whoever asked may be gone; the transaction stays.
            let _ = answer.send(Ok(tx_id));
        }
        Ok(())
    }
}

fn note_entries(history: &mut History, first: TxId, mut offset: u64, entries: &[(usize, crypto::Digest)]) {
    for (length, leaf) in entries {
        history.entry(first.view, offset, *leaf);
        offset += *length as u64;
    }
    history.signed();
}

fn failure(why: &ReplicationError) -> Failure {
    StorageIOError::write_state_machine(openraft::AnyError::error(why)).into()
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = CoveredSnapshot;

    async fn applied_state(&mut self) -> Result<(Option<LogId<u64>>, StoredMembership<u64, BasicNode>), Failure> {
        Ok((self.last_applied, self.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, Failure>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + Send,
        I::IntoIter: Send,
    {
        let mut answers = Vec::new();
        for Entry { log_id, payload } in entries {
            match payload {
                EntryPayload::Blank => {}
                EntryPayload::Membership(membership) => {
                    self.membership = StoredMembership::new(Some(log_id), membership);
                }
                EntryPayload::Normal(batch) => match BatchContent::read(&batch) {
                    Some(content) => self.apply_batch(log_id, &content).map_err(|why| failure(&why))?,
                    None => return Err(failure(&ReplicationError::Raft(format!("log entry {log_id} is no batch")))),
                },
            }
            self.last_applied = Some(log_id);
            answers.push(());
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> CoveredSnapshot {
        CoveredSnapshot(self.covered.clone())
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, Failure> {
        Err(failure(&ReplicationError::Raft("a group of one receives no snapshots".into())))
    }

    async fn install_snapshot(
        &mut self,
        _meta: &SnapshotMeta<u64, BasicNode>,
        _snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), Failure> {
        Err(failure(&ReplicationError::Raft("a group of one receives no snapshots".into())))
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, Failure> {
        Ok(self.covered.get().and_then(snapshot))
    }
}

/// Builds the snapshot that says how far the chunk files reach.
pub(crate) struct CoveredSnapshot(Arc<CoveredFile>);

impl RaftSnapshotBuilder<TypeConfig> for CoveredSnapshot {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, Failure> {
        let nothing = || failure(&ReplicationError::Raft("no chunk file is complete yet".into()));
        self.0.get().and_then(snapshot).ok_or_else(nothing)
    }
}

fn snapshot(covered: Covered) -> Option<Snapshot<TypeConfig>> {
    let snapshot_id = format!("chunks up to {}", covered.seqno);
    let last_log_id = Some(covered.log_id?);
    let meta = SnapshotMeta { last_log_id, last_membership: covered.membership, snapshot_id };
    Some(Snapshot { meta, snapshot: Box::new(Cursor::new(covered.seqno.to_le_bytes().to_vec())) })
}
