//! The Python that has CCF's package, in a virtual environment below `target/`.

use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::places::target;

/// `cbor2` 6 decodes what CCF's package then refuses; so older. The rest is what the conformance kit asks for.
const PACKAGES: [&str; 3] = ["ccf==6.0.28", "cbor2<6", "cryptography>=42"];

/// Makes the environment where it is missing or for other packages, and returns its Python.
pub(crate) fn environment() -> Result<PathBuf> {
    let directory = target().join("venv");
    let python = directory.join("bin/python");
    let stamp = directory.join("packages.txt");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    println!("making {} with {}", directory.display(), PACKAGES.join(", "));
    succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory))?;
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

fn succeed(command: &mut Command) -> Result<()> {
    let said = format!("{command:?}");
    let status = command.status().map_err(|why| format!("{said}: {why}"))?;
    if status.success() { Ok(()) } else { Err(format!("{said} ended with {status}").into()) }
}
