//! What the application decides: contracts, and the reading of proposals over time.
//!
//! Everything here is a plain function on a transaction, a caller and a request. Tables under `public:ccf.gov.` are
//! written by governance and only read here; the others are the application's own.

mod authorisation;
pub mod contracts;
pub mod deployment;
pub mod history;
mod proposals;
mod stored;
mod version;

pub use authorisation::{authorise, require_active_member};
pub use history::proposal_history;
pub use version::{Application, app_version};

/// Contract id to `{data}`: the draft, which stays after the contract is accepted.
pub const CONTRACTS: &str = "public:contracts";
/// Contract id to `{data, proposalId, finalVotes}`.
pub const ACCEPTED_CONTRACTS: &str = "public:ccf.gov.accepted_contracts";
/// User id (`oid` of the token) to `{accountType, invitationId?, data:{tenantId, …}}`.
pub const USER_IDENTITIES: &str = "public:ccf.gov.user_identities";

#[cfg(test)]
mod testing;
