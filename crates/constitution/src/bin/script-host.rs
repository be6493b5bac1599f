//! A script host on its own, for tests and benchmarks; the product starts itself with `cgs script-host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    constitution::script_host_main()
}
