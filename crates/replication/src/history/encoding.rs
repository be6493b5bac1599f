use std::collections::BTreeMap;

use crypto::Digest;

use super::part::{Part, Writes};

/// A part as bytes, little-endian: number of entries (4), their leaves (32 each) and offsets (4 each); number of signatures
/// (4) and which entries they are (4 each); number of maps (4), each with its name, number of keys (4), and each of these
/// with the number of its writes (4) and which entries they are (4 each). Names and keys have their length (4) before them.
impl Part {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + 36 * self.leaves.len());
        count(&mut out, self.leaves.len());
        out.extend_from_slice(self.leaves.as_flattened());
        self.offsets.iter().for_each(|offset| out.extend_from_slice(&offset.to_le_bytes()));
        numbers(&mut out, &self.signatures);
        count(&mut out, self.writes.len());
        for (map, keys) in &self.writes {
            text(&mut out, map.as_bytes());
            count(&mut out, keys.len());
            for (key, places) in keys {
                text(&mut out, key);
                numbers(&mut out, places);
            }
        }
        out
    }

    /// The part that starts with `start`, if these are the bytes of one.
    pub(crate) fn from_bytes(start: u64, bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let entries = cursor.count()?;
        let (leaves, _) = cursor.take(entries.checked_mul(size_of::<Digest>())?)?.as_chunks();
        let leaves = leaves.to_vec();
        let offsets = cursor.numbers(entries)?;
        let signatures = cursor.counted_numbers()?;
        let mut writes = Writes::new();
        for _ in 0..cursor.count()? {
            let map = std::str::from_utf8(cursor.text()?).ok()?.into();
            let mut keys = BTreeMap::new();
            for _ in 0..cursor.count()? {
                keys.insert(cursor.text()?.into(), cursor.counted_numbers()?);
            }
            writes.insert(map, keys);
        }
        cursor.0.is_empty().then_some(Self { start, leaves, offsets, signatures, writes })
    }
}

fn count(out: &mut Vec<u8>, count: usize) {
    // Everything that is counted lies in one chunk file, of at most 4 GiB.
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

fn numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    count(out, numbers.len());
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    count(out, text.len());
    out.extend_from_slice(text);
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn count(&mut self) -> Option<usize> {
        let (count, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*count)).ok()
    }

    fn numbers(&mut self, count: usize) -> Option<Vec<u32>> {
        let (numbers, _) = self.take(count.checked_mul(4)?)?.as_chunks();
        Some(numbers.iter().map(|number| u32::from_le_bytes(*number)).collect())
    }

    fn counted_numbers(&mut self) -> Option<Vec<u32>> {
        let count = self.count()?;
        self.numbers(count)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(entries: u64) -> Part {
        let mut part = Part::new(7);
        for seqno in 7..7 + entries {
            part.entry(8 * seqno, [seqno as u8; 32]);
            if seqno % 5 == 0 {
                part.signed();
            }
            part.wrote(["public:a", "public:b"][seqno as usize % 2], &[seqno as u8 % 3], seqno);
        }
        part
    }

    #[test]
    fn reads_what_it_writes_and_nothing_that_is_cut() {
        for entries in [1, 2, 30] {
            let (part, bytes) = (part(entries), part(entries).to_bytes());
            assert_eq!(Part::from_bytes(7, &bytes), Some(part));
            assert!((0..bytes.len()).all(|length| Part::from_bytes(7, &bytes[..length]).is_none()));
            assert_eq!(Part::from_bytes(7, &[&bytes[..], &[0]].concat()), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), size in any::<u32>()) {
            let _ = Part::from_bytes(1, &bytes);
            bytes.splice(0..0, size.to_le_bytes());
            let _ = Part::from_bytes(1, &bytes);
        }
    }
}
