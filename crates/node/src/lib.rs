//! Front door and life of a node: TLS, authentication, routes, start and resume.
//!
//! A request takes one way: `tls` accepts the connection, `authn` says who calls, `routes` (one table) says what
//! is asked, the handler in `cleanroom` or `consortium` decides on a transaction, and [`Service`] has it committed before
//! the answer goes out. `life` founds a service or resumes it; `vault` keeps its keys.

pub mod config;
mod error;
mod found;
pub mod governance;
pub mod info;
mod life;
mod record;
mod resume;
mod service;
mod vault;

pub use error::NodeError;
pub use replication::{Committed, Status, Unavailable};
pub use resume::RESUMES;
pub use service::{Answer, Service};
pub use vault::VaultError;
