//! Fixed places in bytes.

/// The `N` bytes from `at` on; zeros if they are not there. Callers have checked the length before.
pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

/// A little-endian number of four bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

/// A little-endian number of eight bytes.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

/// Whether all bytes of a range are zero. A range that is not there is not zero.
pub(crate) fn is_zero(bytes: &[u8], range: std::ops::Range<usize>) -> bool {
    bytes.get(range).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_zeros() {
        let bytes = [1, 0, 0, 0, 2, 0, 0, 0, 0];
        assert_eq!((u32_at(&bytes, 4), u64_at(&bytes, 0), u32_at(&bytes, 8)), (2, 0x2_0000_0001, 0));
        assert!(is_zero(&bytes, 1..4) && is_zero(&bytes, 5..9));
        assert!(!is_zero(&bytes, 0..4) && !is_zero(&bytes, 5..10));
    }
}
