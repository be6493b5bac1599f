//! What is believed and what is not, on genuine evidence (`tests/data/attestation`) and on evidence of makers that exist
//! in these tests only.

mod branches;
mod chain;
mod documents;
mod endorsement;
mod every_check;
mod forge;
mod genuine;
mod identity;
mod machine;
mod makers;
mod names;
mod report;
mod samples;
