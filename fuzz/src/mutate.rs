//! Small changes to inputs, the same ones for the same seed.

/// Inputs do not grow beyond this; it is more than any limit that a body checks.
pub const MAX_INPUT: usize = 128 << 10;
/// Changes made to one input at most.
const MAX_CHANGES: u64 = 6;

/// What parsers stumble over: numbers at their limits, brackets, halves of characters, encodings of lengths.
const PIECES: [&[u8]; 32] = [
    b"0",
    b"-1",
    b"1e999",
    b"9007199254740993",
    b"18446744073709551616",
    b"null",
    b"true",
    b"\"\"",
    b"{}",
    b"[]",
    b"{\"a\":",
    b"[[[[[[[[[[[[[[[[",
    b"]}",
    b",",
    b":",
    b".",
    b"..",
    b"=",
    b"&",
    b"%00",
    b"%",
    b"\n",
    b"\\u0000",
    b"\\ud800",
    b"\xff",
    b"\xc3\x28",
    b"\xe2\x80\xa8",
    b"\x00\x00\x00\x00",
    b"\x30\x82\xff\xff",
    b"\x9f\xff",
    b"\xdb\xff\xff\xff\xff\xff\xff\xff\xff",
    b"-----BEGIN CERTIFICATE-----",
];

/// Makes inputs out of others.
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// One that makes the inputs of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An input of the corpus, changed in a few places: every other one in its place, so that it is still laid out as it
    /// was and gets as far as what is behind the first checks. The corpus must not be empty.
    ///
    /// # Panics
    /// If it is.
    pub fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        let is_laid_out_anew = self.next().is_multiple_of(2);
        for _ in 0..=self.next() % MAX_CHANGES {
            if is_laid_out_anew {
                self.change(&mut input, corpus);
                input.truncate(MAX_INPUT);
            } else {
                self.change_in_place(&mut input);
            }
        }
        input
    }

    fn change_in_place(&mut self, input: &mut [u8]) {
        match self.next() % 4 {
            0 | 1 => self.flip(input),
            2 => self.overwrite(input),
            _ => {
                let (from, to) = self.range(input.len());
                let at = self.below(input.len() - (to - from) + 1);
                input.copy_within(from..to, at);
            }
        }
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        match self.next() % 8 {
            0 => self.flip(input),
            1 => self.overwrite(input),
            2 => {
                let piece = PIECES[self.below(PIECES.len())].to_vec();
                self.insert(input, &piece, 1);
            }
            3 => {
                let (from, to) = self.range(input.len());
                input.drain(from..to);
            }
            4 => {
                let (from, to) = self.range(input.len());
                let piece = input[from..to].to_vec();
                self.insert(input, &piece, 1);
            }
            5 => {
                let piece = PIECES[self.below(PIECES.len())].to_vec();
                let times = 1 << (self.next() % 13);
                self.insert(input, &piece, times);
            }
            6 => {
                let other = &corpus[self.below(corpus.len())];
                let (from, to) = self.range(other.len());
                self.insert(input, &other[from..to], 1);
            }
            _ => {
                let (_, to) = self.range(input.len());
                input.truncate(to);
            }
        }
    }

    fn flip(&mut self, input: &mut [u8]) {
        let (at, bit) = (self.below(input.len()), self.next() % 8);
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn overwrite(&mut self, input: &mut [u8]) {
        let (at, [byte, ..]) = (self.below(input.len()), self.next().to_le_bytes());
        if let Some(old) = input.get_mut(at) {
            *old = byte;
        }
    }

    fn insert(&mut self, input: &mut Vec<u8>, piece: &[u8], times: usize) {
        let at = self.below(input.len() + 1);
        let pieces = piece.repeat(times.min(MAX_INPUT / piece.len().max(1)));
        input.splice(at..at, pieces);
    }

    /// A part of so many bytes, mostly a short one.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = if self.next().is_multiple_of(4) { length } else { 16 };
        (from, (from + self.below(most + 1)).min(length))
    }

    /// Less than `limit`; 0 if that is 0.
    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    /// SplitMix64 (Steele, Lea, Flood, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_inputs_and_another_one_others() {
        let corpus = vec![b"some text".to_vec(), Vec::new()];
        let inputs = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..200).map(|_| mutator.input(&corpus)).collect::<Vec<_>>()
        };
        let first = inputs(1);
        assert_eq!(first, inputs(1));
        assert_ne!(first, inputs(2));
        assert!(first.iter().all(|input| input.len() <= MAX_INPUT));
        assert!(first.iter().filter(|input| !corpus.contains(input)).count() > 100);
    }
}
