//! Open files: sessions take one each, and must leave enough of them for the ledger. Otherwise strangers who open
//! connections would keep the node from beginning the next file of its ledger, and it would have to stop.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::{ConfigError, Network};

/// Open files beside the sessions: ledger, raft log, script hosts, and those of the runtime.
const RESERVE: u64 = 128;

/// Raises the limit of this process as far as the configured sessions need it.
///
/// # Errors
/// [`ConfigError::Field`] if it cannot be raised so far.
pub(super) fn make_room(network: &Network) -> Result<(), ConfigError> {
    let limit = getrlimit(Resource::Nofile);
    let needed = needed(network);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let wanted = Rlimit { current: Some(needed), maximum: limit.maximum };
    let allowed = limit.maximum.is_none_or(|maximum| maximum >= needed);
    if allowed && setrlimit(Resource::Nofile, wanted).is_ok() {
        return Ok(());
    }
    let maximum = limit.maximum.unwrap_or(u64::MAX);
    let why = format!(
        "needs {needed} open files together with the other interfaces and the ledger, but this process may have {maximum}: \
         lower it, or raise the limit (`ulimit -n`, LimitNOFILE)"
    );
    let name = network.rpc_interfaces.first().map(|interface| interface.name.as_str()).unwrap_or_default();
    Err(ConfigError::wrong(&format!("network.rpc_interfaces.{name}.max_open_sessions_hard"), &why))
}

fn needed(network: &Network) -> u64 {
    let sessions = network.rpc_interfaces.iter().map(|interface| interface.max_open_sessions_hard);
    sessions.map(|most| u64::try_from(most).unwrap_or(u64::MAX)).fold(RESERVE, u64::saturating_add)
}
