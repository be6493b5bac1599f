//! A state machine in memory: it remembers the batches in order.

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use openraft::storage::{RaftStateMachine, Snapshot};
use openraft::{BasicNode, OptionalSend, RaftSnapshotBuilder, SnapshotMeta, StorageError, StoredMembership};

use super::*;
use crate::types::TypeConfig;

#[derive(Clone, Default)]
pub(super) struct Machine(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    applied: Option<LogId>,
    membership: StoredMembership<u64, BasicNode>,
    batches: Vec<Batch>,
    snapshot: Option<(SnapshotMeta<u64, BasicNode>, Vec<u8>)>,
}

impl Machine {
    /// The machine of a node that starts again: what its last snapshot holds.
    pub(super) fn restored(&self) -> Self {
        let mut state = State::default();
        if let Some((meta, bytes)) = self.0.lock().unwrap().snapshot.clone() {
            state.install(meta, bytes);
        }
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn batches(&self) -> Vec<Batch> {
        self.0.lock().unwrap().batches.clone()
    }
}

impl State {
    fn apply(&mut self, entry: Entry) {
        self.applied = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => {}
            EntryPayload::Normal(batch) => self.batches.push(batch),
            EntryPayload::Membership(membership) => {
                self.membership = StoredMembership::new(Some(entry.log_id), membership);
            }
        }
    }

    fn install(&mut self, meta: SnapshotMeta<u64, BasicNode>, bytes: Vec<u8>) {
        self.batches = serde_json::from_slice(&bytes).unwrap();
        self.applied = meta.last_log_id;
        self.membership = meta.last_membership.clone();
        self.snapshot = Some((meta, bytes));
    }

    fn current(&self) -> Option<Snapshot<TypeConfig>> {
        let (meta, bytes) = self.snapshot.clone()?;
        Some(Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) })
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Machine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
        let mut state = self.0.lock().unwrap();
        let meta = SnapshotMeta {
            last_log_id: state.applied,
            last_membership: state.membership.clone(),
            snapshot_id: format!("{:?}", state.applied),
        };
        state.snapshot = Some((meta, serde_json::to_vec(&state.batches).unwrap()));
        Ok(state.current().unwrap())
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership<u64, BasicNode>), StorageError<u64>> {
        let state = self.0.lock().unwrap();
        Ok((state.applied, state.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<()>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.0.lock().unwrap();
        Ok(entries.into_iter().map(|entry| state.apply(entry)).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, BasicNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<u64>> {
        self.0.lock().unwrap().install(meta.clone(), snapshot.into_inner());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        Ok(self.0.lock().unwrap().current())
    }
}
