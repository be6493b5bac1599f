//! What clean rooms may do at run time: members and approvers switch it off and on, or the consortium votes it.

mod contract;
mod service;
mod switches;
mod user_document;

pub use contract::{disable_contract, enable_contract, get_contract_option};
pub use service::get_service_option;
pub use user_document::{disable_document, enable_document, get_document_option};
