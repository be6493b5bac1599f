//! The index of Open proposals.
//!
//! Resolved proposals stay (D5), so whoever looks for Open ones must not go through all there ever were. The index has
//! the keys of all Open proposals, whoever wrote the record: every write of a record goes through [`ProposalInfo::put`]
//! or, where `apply` wrote it, through [`follow`]. Readers still look at the state in the record.

use api::ApiError;
use bytes::Bytes;
use constitution::TableWrite;
use kv::{Tx, UNIT_KEY};
use ledger::tables;

use super::{ProposalInfo, ProposalState};
use crate::{ConsortiumError, OPEN_PROPOSALS, stored};

/// Open proposals that a member may have.
pub(super) const MOST_OPEN: usize = 100;
/// Bytes of text that they may have together. It leaves room for one as long as a request can be, and another.
pub(super) const MOST_OPEN_BYTES: usize = 2 << 20;

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

/// Checks that a member may have one more Open proposal, of `text` bytes. Scripts look through all that are Open and may
/// read only so much, so without a bound one member could keep the others from deciding anything.
///
/// # Errors
/// 400 `TooManyOpenProposals`; 500 if a record is damaged.
pub(super) fn check_room(tx: &mut Tx, member_id: &str, text: usize) -> Result<(), ApiError> {
    let (mut count, mut bytes) = (1, text);
    for (id, _) in tx.entries(OPEN_PROPOSALS) {
        let info = tx.get(tables::PROPOSALS_INFO, &id);
        let info = info.map(|info| stored::parse::<ProposalInfo>(tables::PROPOSALS_INFO, &info)).transpose()?;
        if info.is_some_and(|info| info.proposer_id == member_id && info.state == ProposalState::Open) {
            count += 1;
            bytes += tx.get(tables::PROPOSALS, &id).map_or(0, |text| text.len());
        }
    }
    if count <= MOST_OPEN && bytes <= MOST_OPEN_BYTES {
        return Ok(());
    }
    let message = format!(
        "Member m[{member_id}] would have {count} open proposals with {bytes} bytes in all. At most {MOST_OPEN} with \
         {MOST_OPEN_BYTES} bytes are allowed: withdraw some, or have them decided first."
    );
    Err(ApiError::bad_request("TooManyOpenProposals", message))
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
