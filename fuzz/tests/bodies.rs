//! Every body, on its corpus and on changes of it.

use fuzz::drive;

#[test]
fn certificate() {
    drive("certificate", fuzz::certificate::run);
}

#[test]
fn cose() {
    drive("cose", fuzz::cose::run);
}

#[test]
fn jwks() {
    drive("jwks", fuzz::jwks::run);
}

#[test]
fn jwt() {
    drive("jwt", fuzz::jwt::run);
}

#[test]
fn path() {
    drive("path", fuzz::path::run);
}

#[test]
fn proposal() {
    drive("proposal", fuzz::proposal::run);
}

#[test]
fn query() {
    drive("query", fuzz::query::run);
}

#[test]
fn chunk() {
    drive("chunk", fuzz::chunk::run);
}

#[test]
fn entry() {
    drive("entry", fuzz::entry::run);
}

#[test]
fn pipe() {
    drive("pipe", fuzz::pipe::run);
}

#[test]
fn receipt() {
    drive("receipt", fuzz::receipt::run);
}

#[test]
fn segment() {
    drive("segment", fuzz::segment::run);
}

#[test]
fn snapshot() {
    drive("snapshot", fuzz::snapshot::run);
}

#[test]
fn attestation_report() {
    drive("attestation-report", fuzz::attestation::report::run);
}

#[test]
fn attestation_chain() {
    drive("attestation-chain", fuzz::attestation::chain::run);
}

#[test]
fn attestation_hcl() {
    drive("attestation-hcl", fuzz::attestation::hcl::run);
}

#[test]
fn attestation_quote() {
    drive("attestation-quote", fuzz::attestation::quote::run);
}

#[test]
fn attestation_uvm() {
    drive("attestation-uvm", fuzz::attestation::uvm::run);
}

#[test]
fn attestation_did() {
    drive("attestation-did", fuzz::attestation::did::run);
}

#[test]
fn attestation_document() {
    drive("attestation-document", fuzz::attestation::document::run);
}
