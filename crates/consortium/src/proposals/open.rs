//! The index of Open proposals.
//!
//! Resolved proposals stay (D5), so whoever looks for Open ones must not go through all there ever were. The index has
//! the keys of all Open proposals, whoever wrote the record: every write of a record goes through [`ProposalInfo::put`]
//! or, where `apply` wrote it, through [`follow`]. Readers still look at the state in the record.

use bytes::Bytes;
use constitution::TableWrite;
use kv::{Tx, UNIT_KEY};
use ledger::tables;

use super::{ProposalInfo, ProposalState};
use crate::{ConsortiumError, OPEN_PROPOSALS, stored};

/// Enters an Open proposal into the index and takes any other out. Writes only what changes.
pub(super) fn index(tx: &mut Tx, proposal_id: &[u8], state: Option<ProposalState>) {
    let is_open = state == Some(ProposalState::Open);
    if tx.has(OPEN_PROPOSALS, proposal_id) == is_open {
        return;
    }
    match is_open {
        true => tx.put(OPEN_PROPOSALS, proposal_id.to_vec(), UNIT_KEY.to_vec()),
        false => tx.remove(OPEN_PROPOSALS, proposal_id.to_vec()),
    }
}

/// The ids of all Open proposals.
pub(super) fn ids(tx: &mut Tx) -> Result<Vec<String>, ConsortiumError> {
    let mut ids = Vec::new();
    for (id, _) in tx.entries(OPEN_PROPOSALS) {
        if state(tx, &id)? == Some(ProposalState::Open) {
            ids.push(stored::lossy(&id));
        }
    }
    Ok(ids)
}

/// The keys of the records that a script wrote or removed.
pub(super) fn touched(writes: &[TableWrite]) -> Vec<Vec<u8>> {
    writes.iter().filter(|write| write.table == tables::PROPOSALS_INFO).map(|write| write.key.clone()).collect()
}

/// Brings the index up to date with records that a script wrote.
///
/// # Errors
/// [`ConsortiumError::Stored`] if one of them is no record of a proposal.
pub(super) fn follow(tx: &mut Tx, touched: &[Vec<u8>]) -> Result<(), ConsortiumError> {
    for id in touched {
        let state = state(tx, id)?;
        index(tx, id, state);
    }
    Ok(())
}

fn state(tx: &mut Tx, proposal_id: &[u8]) -> Result<Option<ProposalState>, ConsortiumError> {
    let record: Option<Bytes> = tx.get(tables::PROPOSALS_INFO, proposal_id);
    let parse = |record: &Bytes| stored::parse::<ProposalInfo>(tables::PROPOSALS_INFO, record);
    Ok(record.as_ref().map(parse).transpose()?.map(|info| info.state))
}
