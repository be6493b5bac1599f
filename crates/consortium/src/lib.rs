//! What governance decides: members, proposals, ballots, acks, recovery shares.
//!
//! Everything here is a plain function on a transaction. A signed request is first turned into an
//! [`envelope::Signed`]; [`members`], [`state_digests`], [`proposals`] and [`service`] decide what it does. Scripts of the
//! consortium run through a [`constitution::Engine`] that the caller passes in; their writes become writes of the
//! transaction, and what they ask of the service itself is carried out by [`effects`].
//!
//! A decider may be run again on a newer state: it has no effects but its transaction and its answer. What is for the
//! node to do once the transaction is committed comes back as [`NodeEffect`]s.

pub mod api_version;
pub mod effects;
pub mod envelope;
mod error;
pub mod genesis;
mod ids;
mod json;
pub mod jwt;
pub mod members;
pub mod nodes;
pub mod policies;
pub mod proposals;
pub mod recovery;
mod rekey;
mod runtime;
mod scripts;
pub mod service;
mod shares;
pub mod state_digests;
mod stored;
pub mod users;

pub use effects::{Issuer, NodeEffect, ServiceContext};
pub use error::ConsortiumError;
pub use runtime::script_budget;
pub use scripts::Scripts;

/// How the service resumes after a restart (D31); JSON string, one value. Chosen at genesis.
pub const RESUME_MODE: &str = "public:cgs.resume_mode";
/// What the application is (D2): JSON of name, version, digest of the build and measurement of the node; one value.
pub const APPLICATION: &str = "public:cgs.application";
/// Which proposals are Open (D5): proposal id to 8 zero bytes, a set as in CCF. An index for whoever looks for them, the
/// constitution included: scripts read internal tables and only the service writes them.
pub const OPEN_PROPOSALS: &str = "public:ccf.internal.cgs_open_proposals";
/// Who made the proposals that are remembered against replay: key as in `cose_recent_proposals` to member id.
pub const RECENT_PROPOSERS: &str = "public:ccf.internal.cgs_recent_proposers";

#[cfg(test)]
mod testing;
