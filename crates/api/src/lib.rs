//! The words that the front door and the deciders share: callers, requests, answers, errors.
//!
//! A decider is a plain function `fn(&mut Tx, &Caller, &Input) -> Result<Output, ApiError>`. It knows nothing of HTTP
//! but the few words here, so it can be run, re-run and tested without a server.

mod caller;
mod error;
mod input;
mod json;
mod output;

pub use caller::{Caller, CallerPolicy, Token};
pub use error::{ApiError, ErrorDetail};
pub use input::{Input, Query, percent_decode};
pub use json::{is_truthy, to_js_text};
pub use output::{Body, Output};
pub use unique_json::from_unique_json;
