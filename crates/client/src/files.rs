use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use crypto::Certificate;
use serde::de::DeserializeOwned;

use crate::{ClientError, Result};

/// Longest file that is read: nothing here is anywhere near it.
const MAX_FILE: u64 = 8 << 20;

pub(crate) fn failed(path: &Path) -> impl Fn(std::io::Error) -> ClientError {
    move |source| ClientError::File { path: path.to_path_buf(), source }
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String> {
    let mut text = String::new();
    let file = File::open(path).map_err(failed(path))?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(failed(path))?;
    if text.len() as u64 > MAX_FILE {
        let why = format!("it is longer than {MAX_FILE} bytes");
        return Err(ClientError::Content { path: path.to_path_buf(), what: "a file that belongs here", why });
    }
    Ok(text)
}

/// The first certificate of a PEM file.
pub(crate) fn certificate(path: &Path) -> Result<Certificate> {
    let content = |why: crypto::CryptoError| ClientError::Content {
        path: path.to_path_buf(),
        what: "a PEM certificate",
        why: why.to_string(),
    };
    Certificate::from_pem(&text(path)?).map_err(content)
}

/// A JSON file.
pub(crate) fn json<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<T> {
    let content =
        |why: serde_json::Error| ClientError::Content { path: path.to_path_buf(), what, why: why.to_string() };
    serde_json::from_str(&text(path)?).map_err(content)
}

/// The same, or `None` where there is no such file.
pub(crate) fn optional_json<T: DeserializeOwned>(path: &Path, what: &'static str) -> Result<Option<T>> {
    match json(path, what) {
        Err(ClientError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Makes a directory that only its owner can enter, with its parents.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path))
}

/// Replaces a file at once: it has the old content or the new one, also after a loss of power. Only its owner can read it.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = directory.join(format!(".{name}.{}.new", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|source| {
        // The old file is still what it was; a leftover of this attempt would only confuse.
        let _ = fs::remove_file(&temporary);
        ClientError::File { path: path.to_path_buf(), source }
    })
}

/// Waits for the lock of a file, which is made if need be; it is released with the value.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed(path))?;
    file.lock().map_err(failed(path))?;
    Ok(file)
}
