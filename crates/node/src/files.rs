//! Files that the configuration names. Errors tell the setting that does.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::Path,
};

use serde_json::Value;

use crate::NodeError;

/// Bytes of a file that the configuration names, or of the configuration itself.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// The text of a file.
pub(crate) fn text(setting: &str, file: &Path) -> Result<String, NodeError> {
    read(file).map_err(|why| failed(setting, file, why))
}

/// What is wrong with a file.
pub(crate) fn failed(setting: &str, file: &Path, why: impl ToString) -> NodeError {
    NodeError::File { setting: setting.to_owned(), file: file.to_owned(), why: why.to_string() }
}

/// The text of a file that is not longer than [`MAX_FILE_BYTES`].
pub(crate) fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(text)
}

/// The JSON in a file.
pub(crate) fn json(setting: &str, file: &Path) -> Result<Value, NodeError> {
    api::from_unique_json(text(setting, file)?.as_bytes())
        .map_err(|why| failed(setting, file, format!("it is not JSON: {why}")))
}

/// Writes a file again for others to read, who see the old or the new content, never a part.
pub(crate) fn replace(setting: &str, file: &Path, content: impl AsRef<[u8]>) -> Result<(), NodeError> {
    let mut beside = OsString::from(file);
    beside.push(".tmp");
    let beside = Path::new(&beside);
    write(setting, beside, content)?;
    std::fs::rename(beside, file).map_err(|why| failed(setting, file, why))
}

/// Writes a file for others to read.
pub(crate) fn write(setting: &str, file: &Path, content: impl AsRef<[u8]>) -> Result<(), NodeError> {
    std::fs::write(file, content).map_err(|why| failed(setting, file, why))
}
