//! The proof, by other processes that get nothing but files.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::error::CliError;

/// Runs this program again and takes its JSON.
fn ask(arguments: &[&str], files: &[&Path]) -> Result<Value, CliError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).args(files).args(["--output", "json"]).stdin(Stdio::null());
    // Nothing of this process goes over: no profile, no key, no address.
    let output = command.env_remove("CGS_PROFILE").env("CGS_PROFILE_DIR", "/nonexistent").output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(CliError::Demo(format!("cgs {} ended with {}: {said}", arguments.join(" "), output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(|why| CliError::Demo(format!("cgs {}: {why}", arguments.join(" "))))
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// `cgs receipt verify`; the receipt must be that of this transaction.
pub(super) fn receipt(file: &Path, service: &Path, transaction: &str) -> Result<String, CliError> {
    let verified = ask(&["receipt", "verify", "--service-cert"], &[service, file])?;
    match field(&verified, "transactionId") {
        id if id == transaction => Ok(field(&verified, "root").to_owned()),
        other => Err(CliError::Demo(format!("the receipt is of {other:?}, not of {transaction}"))),
    }
}

/// What a verified ledger holds.
pub(super) struct Ledger {
    /// The last transaction that a signature covers.
    pub(super) verified: String,
    /// How many signatures there are.
    pub(super) signatures: u64,
}

/// `cgs ledger verify`
pub(super) fn ledger(directory: &Path, service: &Path) -> Result<Ledger, CliError> {
    let report = ask(&["ledger", "verify", "--service-cert"], &[service, directory])?;
    let signatures = report.get("signatures").and_then(Value::as_u64).unwrap_or_default();
    Ok(Ledger { verified: field(&report, "verified").to_owned(), signatures })
}
