//! `Math.random`, the same numbers for the same seed (D39): xoshiro256** over SHA-256 of the seed, see
//! <https://prng.di.unimi.it>.

pub(super) struct Random([u64; 4]);

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        // The generator is weak when its words are alike, and stays at zero for ever when all of them are.
        let mixed = crypto::sha256(&seed);
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(mixed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self(words)
    }

    /// A number from 0 (included) to 1 (excluded), with 53 random bits.
    pub(super) fn next(&mut self) -> f64 {
        let bits = self.step() >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
        let number = bits as f64;
        number / 9_007_199_254_740_992.0
    }

    fn step(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sequence() {
        let mut random = Random([1, 2, 3, 4]);
        let steps: Vec<u64> = (0..4).map(|_| random.step()).collect();
        assert_eq!(steps, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn numbers_stay_in_range_for_a_zero_seed() {
        let mut random = Random::new([0; 32]);
        let numbers: Vec<f64> = (0..1000).map(|_| random.next()).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        assert!(numbers.iter().any(|n| *n > 0.5));
    }
}
