//! Async client of a service: TLS, signed requests, receipts checked, pins kept.
//!
//! The way of a call: [`Profile`] says which service and who calls; [`Connection`] speaks TLS to that service only and
//! remembers the highest transaction it was told of; [`Service`] has the typed calls. Opening a service checks the
//! [`pin`]: the service must still show exactly the receipt that it showed last time, so that whoever runs it cannot put
//! yesterday's disk back, or serve two histories, without every client noticing (D31).
//!
//! Invariant: the only trusted certificate is the one in the profile. No system roots, no proxies, no redirects.

mod application;
pub mod assessment;
mod connection;
mod effect;
mod error;
mod files;
mod governance;
mod identity;
mod invitation;
mod names;
mod node;
pub mod pin;
mod profile;
mod registry;
mod service;
mod tls;
mod types;

pub use connection::{Answer, Body, Connection};
pub use effect::{Effect, Write};
pub use error::{ClientError, Result};
pub use governance::{API_VERSION, Ballot};
pub use identity::Identity;
pub use invitation::Invitation;
pub use kv::{ParseTxIdError, TxId};
pub use ledger::receipt::Receipt;
pub use names::Names;
pub use profile::{Profile, Profiles};
pub use registry::{NodeRecord, TokenIssuer, TokenIssuers, TokenKey, User};
pub use service::{PinPolicy, Service};
pub use types::{
    Action, AppVersion, Contract, ContractState, Deployment, HistoricalState, Member, Network, NodeState, Proposal,
    Quote, Resume, ServiceConfiguration, ServiceInfo, Vote,
};

/// The current time, in seconds since 1970.
#[must_use]
pub fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs().cast_signed())
}
