//! What is believed and what is not, on genuine evidence (`tests/data/attestation`) and on evidence of makers that exist
//! in these tests only.

mod chain;
mod forge;
mod genuine;
mod report;
mod samples;
