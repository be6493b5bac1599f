//! The records without which the service cannot go on, or not even start again: whatever `apply` makes of them, they can
//! still be read.

use constitution::TableWrite;
use kv::Tx;
use ledger::tables;

use crate::{ConsortiumError, members, nodes, service, shares, stored};

const NEEDED: [&str; 7] = [
    tables::CONSTITUTION,
    tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS,
    tables::MEMBERS_INFO,
    tables::NODES_ENDORSED_CERTIFICATES,
    tables::NODES_INFO,
    tables::SERVICE_CONFIG,
    tables::SERVICE_INFO,
];

/// Those of them that recovery shares are issued from.
const FOR_SHARES: [&str; 4] =
    [tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, tables::MEMBERS_INFO, tables::SERVICE_CONFIG, tables::SERVICE_INFO];

/// The keys of such records that a script wrote or removed.
pub(super) fn touched(writes: &[TableWrite]) -> Vec<(String, Vec<u8>)> {
    let needed = writes.iter().filter(|write| NEEDED.contains(&write.table.as_str()));
    needed.map(|write| (write.table.clone(), write.key.clone())).collect()
}

/// Checks them, once the writes are part of the transaction.
///
/// # Errors
/// [`ConsortiumError::Stored`] that names the table, [`ConsortiumError::NoTrustedNode`], [`ConsortiumError::Shares`] if
/// nobody could recover the service any more.
pub(super) fn check(tx: &mut Tx, touched: &[(String, Vec<u8>)]) -> Result<(), ConsortiumError> {
    for (table, key) in touched {
        match table.as_str() {
            tables::CONSTITUTION => service::constitution_text(tx).map(drop)?,
            tables::MEMBERS_INFO => members::info(tx, &stored::lossy(key)).map(drop)?,
            tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS => {}
            tables::SERVICE_CONFIG => service::configuration(tx).map(drop)?,
            tables::NODES_INFO | tables::NODES_ENDORSED_CERTIFICATES => nodes::check(tx)?,
            _ => service::check(tx)?,
        }
    }
    let shares = touched.iter().any(|(table, _)| FOR_SHARES.contains(&table.as_str()));
    if shares { shares::check(tx) } else { Ok(()) }
}
