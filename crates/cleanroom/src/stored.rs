use std::fmt::Display;

use api::ApiError;
use bytes::Bytes;
use kv::Tx;
use serde_json::Value;

/// A value of a table as JSON.
pub(crate) fn json(tx: &mut Tx, table: &str, key: &[u8]) -> Result<Option<Value>, ApiError> {
    tx.get(table, key).map(|bytes| parse(table, &bytes)).transpose()
}

/// Bytes of a table as JSON. What is not JSON there is the fault of the service.
pub(crate) fn parse(table: &str, bytes: &Bytes) -> Result<Value, ApiError> {
    serde_json::from_slice(bytes).map_err(|why| damaged(table, why))
}

/// What is stored is not what the service writes there.
pub(crate) fn damaged(what: &str, why: impl Display) -> ApiError {
    ApiError::internal(format!("{what} does not hold what it must: {why}"))
}

pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
