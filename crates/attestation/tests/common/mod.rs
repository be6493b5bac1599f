//! Genuine evidence of `tests/data/attestation`.
#![allow(dead_code, reason = "each test binary uses some of it")]

use std::path::PathBuf;

use attestation::{Check, Rejection, Trail, snp};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

pub fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/attestation").join(name)
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path(name)).unwrap()).unwrap()
}

pub fn base64(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// A report with its chain, to be changed at will.
#[derive(Clone)]
pub struct Sample {
    pub report: Vec<u8>,
    pub chain: String,
    pub uvm: Option<Vec<u8>>,
}

impl Sample {
    /// `caci/encryption` or `caci/signing`.
    pub fn caci(name: &str) -> Self {
        let all = json(&format!("caci/{name}/attestation.json"));
        let part = &all["report"]["snpCACI"];
        Self {
            report: base64(&part["attestation"]),
            chain: String::from_utf8(base64(&part["platformCertificates"])).unwrap(),
            uvm: Some(base64(&part["uvmEndorsements"])),
        }
    }

    pub fn genoa() -> Self {
        let read = |name| std::fs::read(path(name)).unwrap();
        let chain = String::from_utf8(read("genoa/chain.pem")).unwrap();
        Self { report: read("genoa/report.bin"), chain, uvm: None }
    }

    /// The report below the virtual machine.
    pub fn cvm() -> Self {
        let all = json("cvm/encryption/attestation.json");
        let part = &all["report"]["snpCvm"];
        Self {
            report: base64(&part["evidence"]["snpReport"]),
            chain: part["platformCertificates"].as_str().unwrap().to_owned(),
            uvm: None,
        }
    }

    pub fn all() -> [Self; 4] {
        [Self::caci("encryption"), Self::caci("signing"), Self::cvm(), Self::genoa()]
    }

    pub fn verify(&self) -> Result<snp::Verified, Rejection> {
        self.verify_with(None)
    }

    pub fn verify_with(&self, endorsed_tcb: Option<&str>) -> Result<snp::Verified, Rejection> {
        let evidence = snp::Evidence { report: &self.report, chain: &self.chain, endorsed_tcb };
        snp::verify(&evidence, &mut snp::ChainCache::new(0), &mut Trail::new())
    }

    /// The check that refuses the sample after `change`.
    pub fn refused(&self, change: impl FnOnce(&mut Self)) -> Option<Check> {
        let mut changed = self.clone();
        change(&mut changed);
        changed.verify().err().map(|rejection| rejection.check)
    }
}
