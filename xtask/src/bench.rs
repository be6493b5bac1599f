//! `cargo xtask bench`: builds for release and hands over to the crate `bench`.

use crate::Result;
use crate::places::{cargo, target};

/// Builds node, load generator and floor, then measures; true if that went well.
pub(crate) fn run(options: &[&str]) -> Result<bool> {
    let loadgen = target().join("loadgen");
    let mut build = cargo();
    build.args(["build", "--release", "--manifest-path", "bench/loadgen/Cargo.toml", "--target-dir"]).arg(&loadgen);
    let mut pages = cargo();
    pages.args(["build", "--release", "-p", "replication", "--example", "pages"]);
    let built = cargo().args(["build", "--release", "-p", "cgs"]).status()?.success() && build.status()?.success();
    if !built || !pages.status()?.success() {
        return Ok(false);
    }
    let mut measure = cargo();
    measure.args(["run", "--release", "--quiet", "-p", "bench", "--"]).args(options);
    measure.env("CGS_BIN", target().join("release/cgs")).env("CGS_LOADGEN", loadgen.join("release"));
    measure.env("CGS_PAGES", target().join("release/examples/pages"));
    Ok(measure.status()?.success())
}
