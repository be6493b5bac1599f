//! The only place where this crate touches the file system: listing a ledger directory and opening its chunks to read.

use std::{
    fs::{self, File},
    path::Path,
};

use crate::{
    LedgerError,
    chunk::{ChunkName, ChunkReader, Selection, sequence},
};

/// The chunks of the ledger in a directory, in order.
///
/// # Errors
/// The directory cannot be read, or its files do not make up a ledger ([`sequence`]).
pub fn chunks(directory: &Path, selection: Selection) -> Result<Vec<ChunkName>, LedgerError> {
    let io = |error| LedgerError::io(directory.display(), error);
    let mut names = Vec::new();
    for file in fs::read_dir(directory).map_err(io)? {
        // Names that are not UTF-8 are no chunks'.
        names.extend(file.map_err(io)?.file_name().into_string());
    }
    sequence(names.iter().map(String::as_str), selection)
}

/// Opens a chunk of a directory.
///
/// # Errors
/// The file cannot be read, or does not have the structure of a chunk.
pub fn open(directory: &Path, name: ChunkName) -> Result<ChunkReader<File>, LedgerError> {
    let file = File::open(directory.join(name.to_string())).map_err(|error| LedgerError::io(name, error))?;
    ChunkReader::open(name, file)
}
