//! The harness of the black-box suites: a real `cgs node` in a directory of its own, members who sign, an HTTP client,
//! and a reader of ledger chunks that shares no code with the one under test.
//!
//! The suites take the binary from `CGS_BIN` and the Python that has `ccf` from `CGS_PYTHON`; `cargo xtask test` sets
//! both. Without them the binary beside the test is taken, and the virtual environment below `target/`.

mod api;
pub mod chunks;
mod consortium;
mod dice;
mod member;
mod node;
pub mod secrets;
mod session;
mod settings;
mod tools;

pub use api::{Answer, Api};
pub use consortium::{Consortium, action};
pub use dice::Dice;
pub use member::{KeyFolder, Member};
pub use node::Node;
pub use session::{Protocol, Session};
pub use settings::Settings;
pub use tools::{Finished, PROGRAM_LIMIT, cgs, cgs_binary, copy_directory, evidence, python, repository, run, scratch};

/// What went wrong, for the one who reads the test's output.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Failure>;

/// The governance API version that all requests name.
pub const API_VERSION: &str = "api-version=2024-07-01";
