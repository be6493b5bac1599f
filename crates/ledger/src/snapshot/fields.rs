use std::io::{ErrorKind, Read};

use super::{PIECE, SnapshotName, malformed, padding};
use crate::LedgerError;

/// Reads fields of a domain whose length is known, though it may not be true: memory is taken for what was read, never for
/// what a length says.
pub(super) struct Fields<R> {
    name: SnapshotName,
    reader: R,
    left: u64,
}

impl<R: Read> Fields<R> {
    pub(super) fn new(name: SnapshotName, reader: R, len: u64) -> Self {
        Self { name, reader, left: len }
    }

    pub(super) fn name(&self) -> SnapshotName {
        self.name
    }

    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], LedgerError> {
        let mut array = [0; N];
        self.fill(&mut array, field)?;
        Ok(array)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, LedgerError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// A number that can be one only.
    pub(super) fn expect(&mut self, field: &'static str, expected: u64) -> Result<(), LedgerError> {
        match self.u64(field)? {
            got if got == expected => Ok(()),
            got => Err(LedgerError::differs(field, expected, got)),
        }
    }

    pub(super) fn bytes(&mut self, len: u64, field: &'static str) -> Result<Vec<u8>, LedgerError> {
        if len > self.left {
            return Err(LedgerError::Truncated { field });
        }
        let len = usize::try_from(len).map_err(|_| LedgerError::Truncated { field })?;
        let mut bytes = vec![0; len.min(PIECE)];
        self.fill(&mut bytes, field)?;
        while bytes.len() < len {
            let (read, more) = (bytes.len(), (len - bytes.len()).min(bytes.len()));
            bytes.reserve_exact(more);
            bytes.resize(read + more, 0);
            self.fill(bytes.get_mut(read..).unwrap_or_default(), field)?;
        }
        Ok(bytes)
    }

    /// As [`Fields::bytes`], and the zeros behind them.
    pub(super) fn padded(&mut self, len: u64, field: &'static str) -> Result<Vec<u8>, LedgerError> {
        let bytes = self.bytes(len, field)?;
        let mut zeros = [0; 8];
        let zeros = zeros.get_mut(..usize::try_from(padding(len)).unwrap_or_default()).unwrap_or_default();
        self.fill(zeros, field)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(malformed(format_args!("what fills up {field} to a multiple of 8 bytes is not zero")));
        }
        Ok(bytes)
    }

    fn fill(&mut self, buffer: &mut [u8], field: &'static str) -> Result<(), LedgerError> {
        let left = self.left.checked_sub(buffer.len() as u64).ok_or(LedgerError::Truncated { field })?;
        self.reader.read_exact(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => LedgerError::Truncated { field },
            _ => LedgerError::io(self.name, error),
        })?;
        self.left = left;
        Ok(())
    }
}
