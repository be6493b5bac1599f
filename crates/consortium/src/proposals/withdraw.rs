use api::{ApiError, Output};
use kv::Tx;

use super::{ProposalInfo, ProposalState, check_signed_id, not_found, record_history};
use crate::envelope::Signed;

/// `POST /gov/members/proposals/{proposalId}:withdraw`: the proposer takes back an Open proposal; doing so again changes
/// nothing.
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ProposalNotFound` (D6), 403 `AuthorizationFailed` for others than the proposer, 400
/// `ProposalNotOpen`.
pub fn withdraw(tx: &mut Tx, signed: &Signed, proposal_id: &str) -> Result<Output, ApiError> {
    check_signed_id(signed, proposal_id)?;
    let mut info = ProposalInfo::read(tx, proposal_id)?.ok_or_else(|| not_found(proposal_id))?;
    if info.proposer_id != signed.member_id {
        let message = format!(
            "Proposal {proposal_id} can only be withdrawn by proposer m[{}], not caller m[{}].",
            info.proposer_id, signed.member_id
        );
        return Err(ApiError::forbidden("AuthorizationFailed", message));
    }
    match info.state {
        ProposalState::Withdrawn => {}
        ProposalState::Open => {
            info.state = ProposalState::Withdrawn;
            info.put(tx, proposal_id);
            record_history(tx, signed);
        }
        state => {
            let message =
                format!("Proposal {proposal_id} is currently in state {} and cannot be withdrawn.", state.lower());
            return Err(ApiError::bad_request("ProposalNotOpen", message));
        }
    }
    Ok(info.answer(proposal_id))
}
