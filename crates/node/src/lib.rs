//! Front door and life of a node: TLS, authentication, routes, start and resume.
//!
//! A request takes one way: `tls` accepts the connection, `authn` says who calls, `routes` (one table) says what
//! is asked, the handler in `cleanroom` or `consortium` decides on a transaction, and [`Service`] has it committed before
//! the answer goes out. `beginning` founds a service or resumes it; `vault` keeps its keys,
//! `secrets` those of the ledger while it runs.

pub mod actor;
mod admin;
pub mod authn;
mod beginning;
pub mod certificates;
mod commit;
pub mod config;
mod counters;
mod error;
mod files;
mod found;
mod front;
pub mod governance;
pub mod http;
pub mod info;
pub mod inside;
pub mod jwt_refresh;
mod life;
mod metrics;
mod node_api;
pub mod openapi;
mod readers;
mod record;
pub mod reply;
mod resume;
pub mod routes;
mod rules;
mod secrets;
mod service;
mod serving;
pub mod tls;
mod vault;

pub use commit::Answer;
pub use error::NodeError;
pub use front::Front;
pub use replication::{Committed, Status, Unavailable};
pub use resume::RESUMES;
pub use service::Service;
pub use serving::run;
pub use vault::VaultError;
