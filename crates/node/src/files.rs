//! Files that the configuration names.

use std::{ffi::OsString, path::Path};

use serde_json::Value;

use crate::NodeError;

/// The text of a file.
pub(crate) fn text(file: &Path) -> Result<String, NodeError> {
    std::fs::read_to_string(file).map_err(|why| NodeError::File { file: file.to_owned(), why: why.to_string() })
}

/// The JSON in a file.
pub(crate) fn json(file: &Path) -> Result<Value, NodeError> {
    serde_json::from_str(&text(file)?)
        .map_err(|why| NodeError::File { file: file.to_owned(), why: format!("it is not JSON: {why}") })
}

/// Writes a file again for others to read, who see the old or the new content, never a part.
pub(crate) fn replace(file: &Path, content: impl AsRef<[u8]>) -> Result<(), NodeError> {
    let mut beside = OsString::from(file);
    beside.push(".tmp");
    let beside = Path::new(&beside);
    write(beside, content)?;
    std::fs::rename(beside, file).map_err(|why| NodeError::File { file: file.to_owned(), why: why.to_string() })
}

/// Writes a file for others to read.
pub(crate) fn write(file: &Path, content: impl AsRef<[u8]>) -> Result<(), NodeError> {
    std::fs::write(file, content).map_err(|why| NodeError::File { file: file.to_owned(), why: why.to_string() })
}
