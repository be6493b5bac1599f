//! Reading typed values from tables.

use api::ApiError;
use bytes::Bytes;
use kv::{Tx, UNIT_KEY};
use serde::de::DeserializeOwned;

use crate::ConsortiumError;

/// A value of a table as JSON.
pub(crate) fn json<T: DeserializeOwned>(
    tx: &mut Tx,
    table: &'static str,
    key: &[u8],
) -> Result<Option<T>, ConsortiumError> {
    tx.get(table, key).map(|bytes| parse(table, &bytes)).transpose()
}

/// The value of a table of one value as JSON.
pub(crate) fn single<T: DeserializeOwned>(tx: &mut Tx, table: &'static str) -> Result<Option<T>, ConsortiumError> {
    json(tx, table, &UNIT_KEY)
}

/// A raw value of a table as text.
pub(crate) fn text(tx: &mut Tx, table: &'static str, key: &[u8]) -> Option<String> {
    tx.get(table, key).map(|bytes| lossy(&bytes))
}

pub(crate) fn parse<T: DeserializeOwned>(table: &'static str, bytes: &Bytes) -> Result<T, ConsortiumError> {
    serde_json::from_slice(bytes).map_err(|why| ConsortiumError::Stored { table, why: why.to_string() })
}

pub(crate) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl From<ConsortiumError> for ApiError {
    /// A table that does not hold what it must is the fault of the service, and so is everything else that reaches the
    /// edge without having been recorded as the failure of a proposal.
    fn from(error: ConsortiumError) -> Self {
        Self::internal(error.to_string())
    }
}
