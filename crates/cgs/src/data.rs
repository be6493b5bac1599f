//! Files that people hand to commands.

use std::{
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use crypto::Certificate;
use serde_json::{Map, Value};

use crate::error::CliError;

/// Largest file that is taken; the service takes bodies of 1 MB.
const MAX: u64 = 1 << 20;

/// Where a document comes from.
#[derive(Debug, clap::Args)]
pub(crate) struct Source {
    /// A file with the document, JSON; `-` reads standard input
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The file is plain text, not JSON
    #[arg(long)]
    pub(crate) text: bool,
}

impl Source {
    pub(crate) fn read(&self) -> Result<Value, CliError> {
        let text = text(&self.file)?;
        if self.text {
            return Ok(Value::String(text));
        }
        parse(&self.file, &text).map_err(|why| CliError::usage(format!("{why}. Is it meant as plain text? Say --text")))
    }
}

/// The JSON document in a file, or on standard input for `-`.
pub(crate) fn json(path: &Path) -> Result<Value, CliError> {
    parse(path, &text(path)?)
}

/// The JSON object in a file, or on standard input for `-`.
pub(crate) fn object(path: &Path) -> Result<Map<String, Value>, CliError> {
    match json(path)? {
        Value::Object(object) => Ok(object),
        other => Err(CliError::usage(format!(
            "{} must be a JSON object, {{...}}, and is {}",
            path.display(),
            kind_of(&other)
        ))),
    }
}

/// A text as JSON in which no object names a member twice: what is signed must be read by all in the same way.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Value, CliError> {
    unique_json::from_unique_json(text.as_bytes())
        .map_err(|why| CliError::usage(format!("{} is not JSON: {why}", path.display())))
}

/// What a value is, in words.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The text of a file, or of standard input for `-`.
pub(crate) fn text(path: &Path) -> Result<String, CliError> {
    let not_text = |_| std::io::Error::new(ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(bytes(path)?).map_err(not_text).map_err(CliError::file(path))
}

/// The bytes of a file, or of standard input for `-`.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let failed = CliError::file(path);
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MAX + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes))
    };
    match read {
        Err(error) => Err(failed(error)),
        Ok(_) if bytes.len() as u64 > MAX => {
            Err(CliError::usage(format!("{} is longer than {MAX} bytes", path.display())))
        }
        Ok(_) => Ok(bytes),
    }
}

/// The certificate in a PEM file.
pub(crate) fn certificate(path: &Path) -> Result<Certificate, CliError> {
    Certificate::from_pem(&text(path)?)
        .map_err(|why| CliError::usage(format!("{} is not a certificate in PEM: {why}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_in_another_way_is_not_signed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("proposal.json");
        let deep = "[".repeat(200);
        for (content, says) in [
            (&br#"{"actions":[],"actions":[{}]}"#[..], "is not JSON: duplicate member \"actions\""),
            (&vec![b' '; (1 << 20) + 1], "is longer than 1048576 bytes"),
            (deep.as_bytes(), "is not JSON: recursion limit exceeded"),
            (b"{\"actions\":\"\xff\"}", "stream did not contain valid UTF-8"),
        ] {
            std::fs::write(&file, content).unwrap();
            let error = json(&file).unwrap_err().to_string();
            assert!(error.contains("proposal.json") && error.contains(says), "{says}: {error}");
        }
    }
}
