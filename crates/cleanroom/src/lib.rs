//! What the application decides: contracts and documents, who may use it, what clean rooms may do, and the reading of
//! proposals over time.
//!
//! Everything here is a plain function on a transaction, a caller and a request. Tables under `public:ccf.gov.` are
//! written by governance and only read here; the others are the application's own.

mod authorisation;
mod body;
pub mod contracts;
pub mod deployment;
mod drafts;
mod evidence;
pub mod history;
pub mod identities;
pub mod invitations;
pub mod member_documents;
pub mod options;
mod party;
mod proposals;
mod roles;
pub mod secrets;
mod stored;
pub mod user_documents;
pub mod user_proposals;
mod version;

pub use authorisation::{authorise, authorise_write, require_active_member};
pub use history::proposal_history;
pub use version::{Application, app_version};

/// Contract id to `{data}`: the draft, which stays after the contract is accepted.
pub const CONTRACTS: &str = "public:contracts";
/// Contract id to `{data, proposalId, finalVotes}`.
pub const ACCEPTED_CONTRACTS: &str = "public:ccf.gov.accepted_contracts";
/// Member id to `{status, member_data, …}`.
const MEMBERS_INFO: &str = "public:ccf.gov.members.info";
/// User id (SHA-256 of the certificate) to the certificate.
const USERS_CERTS: &str = "public:ccf.gov.users.certs";
/// User id (`oid` of the token) to `{accountType, invitationId?, data:{tenantId, …}}`.
pub const USER_IDENTITIES: &str = "public:ccf.gov.user_identities";

#[cfg(test)]
mod testing;
