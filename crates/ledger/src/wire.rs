//! Little-endian fields of entries, read with a bound check each.

use crate::LedgerError;

/// Reads fields from the front of a byte slice.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, len: u64, field: &'static str) -> Result<&'a [u8], LedgerError> {
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let (taken, rest) = split.ok_or(LedgerError::Truncated { field })?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], LedgerError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(LedgerError::Truncated { field })?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, LedgerError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// Eight bytes of length, then that many bytes.
    pub(crate) fn framed(&mut self, field: &'static str) -> Result<&'a [u8], LedgerError> {
        let len = self.u64(field)?;
        self.take(len, field)
    }

    /// A field that has had one value in every version of the format.
    pub(crate) fn zero(&mut self, field: &'static str) -> Result<(), LedgerError> {
        match self.u64(field)? {
            0 => Ok(()),
            got => Err(LedgerError::differs(field, 0, got)),
        }
    }
}

/// Appends eight bytes of length, then the bytes.
pub(crate) fn put_framed(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a length or a count.
pub(crate) fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&(len as u64).to_le_bytes());
}
