//! The only place where this crate touches the file system: listing a ledger directory and opening its files to read.

use std::{
    fs::{self, File},
    path::Path,
};

use crate::{
    LedgerError,
    chunk::{ChunkName, ChunkReader, Selection, sequence},
    snapshot::{Snapshot, SnapshotName},
};

/// The chunks of the ledger in a directory, in order.
///
/// # Errors
/// The directory cannot be read, or its files do not make up a ledger ([`sequence`]).
pub fn chunks(directory: &Path, selection: Selection) -> Result<Vec<ChunkName>, LedgerError> {
    sequence(names(directory)?.iter().map(String::as_str), selection)
}

/// The names of all files in a directory. Names that are not UTF-8 are those of no file of a ledger.
///
/// # Errors
/// The directory cannot be read.
pub fn names(directory: &Path) -> Result<Vec<String>, LedgerError> {
    let io = |error| LedgerError::io(directory.display(), error);
    let mut names = Vec::new();
    for file in fs::read_dir(directory).map_err(io)? {
        names.extend(file.map_err(io)?.file_name().into_string());
    }
    Ok(names)
}

/// The snapshots in a directory, oldest first.
///
/// # Errors
/// The directory cannot be read, or a name starts like a snapshot's and is none.
pub fn snapshots(directory: &Path) -> Result<Vec<SnapshotName>, LedgerError> {
    let names = names(directory)?;
    let names = names.iter().filter(|name| SnapshotName::is_snapshot(name));
    let mut snapshots = names.map(|name| name.parse()).collect::<Result<Vec<SnapshotName>, _>>()?;
    snapshots.sort_unstable();
    Ok(snapshots)
}

/// Reads a snapshot of a directory through to its end.
///
/// # Errors
/// The file cannot be read, or is not what it says ([`Snapshot::read`]).
pub fn read_snapshot(directory: &Path, name: SnapshotName) -> Result<Snapshot, LedgerError> {
    let file = File::open(directory.join(name.to_string())).map_err(|error| LedgerError::io(name, error))?;
    Snapshot::read(name, file)
}

/// Opens a chunk of a directory.
///
/// # Errors
/// The file cannot be read, or does not have the structure of a chunk.
pub fn open(directory: &Path, name: ChunkName) -> Result<ChunkReader<File>, LedgerError> {
    let file = File::open(directory.join(name.to_string())).map_err(|error| LedgerError::io(name, error))?;
    ChunkReader::open(name, file)
}
