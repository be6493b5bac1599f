//! What a script host gives up before it sees a script.

use rustix::{
    io::Result,
    process::{Resource, Rlimit, nice, setrlimit},
    thread::set_no_new_privs,
};

use crate::limits;

/// How far a script host stands back behind the service when both want the processor.
const NICE: i32 = 10;

/// Sets every limit that can be set while this process still starts its worker thread.
pub(super) fn confine() -> Result<()> {
    set_no_new_privs(true)?;
    nice(NICE)?;
    limit(Resource::Cpu, limits::CPU_SECONDS)?;
    limit(Resource::As, limits::ADDRESS_SPACE)?;
    limit(Resource::Data, limits::DATA)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    // The two pipes and the null device are open; no number is left for a file or a socket.
    limit(Resource::Nofile, 3)
}

/// The last limit: no further thread or process. (It does not bind a process of root, which needs no descriptor
/// for anything either.)
pub(super) fn no_more_processes() -> Result<()> {
    limit(Resource::Nproc, 0)
}

fn limit(resource: Resource, value: u64) -> Result<()> {
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}
