//! What scripts are told about keys, signatures and processors, against real child processes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests: a panic is the failure report"
)]

mod common;

use common::{body, run, threw};
use serde_json::json;

#[test]
fn versions_of_processors_are_taken_apart() {
    let policy = |cpuid: &str, version: &str| {
        run(&body(&format!("return JSON.stringify(ccf.tcbHexToPolicy('{cpuid}', '{version}'))"))).map(|done| done.value)
    };
    let milan = r#"{"boot_loader":4,"hexstring":"d315000000000004","microcode":211,"snp":21,"tee":0}"#;
    assert_eq!(policy("00a00f11", "d315000000000004"), Ok(json!(milan)));
    let turin = r#"{"boot_loader":2,"fmc":1,"hexstring":"5000000004030201","microcode":80,"snp":4,"tee":3}"#;
    assert_eq!(policy("00b00f21", "5000000004030201"), Ok(json!(turin)));
    let error = threw(run(&body("ccf.tcbHexToPolicy('00a00f11', '1')")));
    assert_eq!(error, "Error: TCB version \"1\" must be 16 hexadecimal digits");
    assert_eq!(threw(run(&body("ccf.tcbHexToPolicy(1, '')"))), "TypeError: Argument must be a string");
}
