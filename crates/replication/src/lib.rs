//! openraft: ordered batches in, durable committed batches out.
//!
//! Everything between a transaction and its answer happens on one thread, the *commit thread*, which runs a
//! single-threaded runtime: the [`sequencer`] checks what each transaction has read against the head and gives it its
//! place, the [`sealer`] turns the batch into the bytes of the ledger and signs it, openraft makes it durable on a
//! majority (a majority of one, for now), and the [`machine`] applies it: the entries go to the chunk files, the new
//! state is published, the answers go out. While one batch is being written, the next one waits in the channel and
//! grows: that is the group commit.
//!
//! Readers never come here: they take [`Replica::committed`].
//!
//! ```text
//! submit ──► sequencer ──► sealer ──► openraft ──► segment log (fdatasync) ──► machine ──► chunk files, state, answers
//! ```

mod background;
mod batch;
mod committed;
mod covered;
mod engine;
mod error;
mod history;
mod hold;
mod index;
pub mod log;
mod machine;
mod network;
mod open;
mod overlap;
mod past;
#[cfg(feature = "planted")]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
mod reading;
mod replay;
mod replica;
mod room;
mod sealer;
mod sequencer;
mod shared;
mod snapshots;
mod stats;
mod store;
mod transaction;
pub mod types;

pub use background::Background;
pub use committed::Committed;
pub use error::{ReplicationError, SubmitError};
pub use history::{Known, Order, Progress, Range};
pub use hold::{Hold, MAX_HOLD};
pub use open::{Opened, Options, open};
pub use past::{Page, PastWrite, Unavailable};
pub use replica::{Replica, Status};
pub use room::{MAX_WAITING, MAX_WAITING_BYTES};
pub use sealer::{NodeCertificate, Signer};
pub use snapshots::{SnapshotOptions, SnapshotStatus};
pub use stats::{BATCH_SIZES, Work};
pub use transaction::Transaction;
