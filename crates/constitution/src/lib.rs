//! The JavaScript sandbox that runs the consortium's rules, and the host API they see.
//!
//! The members must be able to read, vote on and replace their rules, so these are JavaScript: one ES module that
//! exports `validate`, `resolve` and `apply` ([`DEFAULT_CONSTITUTION`] is ours), and ballots that export `vote`.
//!
//! Scripts come from parties that distrust each other, so they run in child processes ([`script_host_main`]) that have
//! two pipes and nothing else. A [`Pool`] starts them, answers what they ask about tables, and ends them when their
//! time is over: the interrupt of the engine is not polled inside native builtins, so only the end of the process is
//! a limit that always holds. Each call gets a fresh interpreter, and a process is only ever used again for the
//! module it already ran, so the ballot of one member cannot reach the ballot of another.
//!
//! Invariant: what a host process says is not believed. The pool checks every table it asks for and every write it
//! returns against the same rules (`permissions`) that give the script its error texts.

mod call;
mod check;
mod default;
mod engine;
mod error;
mod host;
mod limits;
mod permissions;
mod pool;
mod wire;

pub use call::{Call, CertificateRequest, Context, Effect, Outcome, TableWrite};
pub use check::check_constitution;
pub use default::{DEFAULT_CONSTITUTION, DEFAULT_CONSTITUTION_FILES};
pub use engine::{Budget, Engine, Tables};
pub use error::ScriptError;
pub use host::script_host_main;
pub use limits::RuntimeLimits;
pub use pool::{Pool, PoolOptions, answer_of};
