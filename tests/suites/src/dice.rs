//! Repeatable chance.

use std::time::Duration;

/// A small random number generator (xorshift64*), seeded from `CGS_SEED` or the operating system. The seed is printed,
/// so that a failing run can be repeated.
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Takes the seed from `CGS_SEED`, or draws one, and prints it.
    ///
    /// # Errors
    /// If `CGS_SEED` is not a number, or the operating system has no randomness.
    pub fn roll() -> crate::Result<Self> {
        let seed = match std::env::var("CGS_SEED") {
            Ok(text) => text.parse()?,
            Err(_) => u64::from_le_bytes(crypto::random_bytes()?),
        };
        println!("seed {seed} (CGS_SEED={seed} repeats the choices)");
        Ok(Self { state: seed | 1 })
    }

    /// A number below `bound`, which must not be zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }

    /// Whether something happens that happens so many times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several; there must be one.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let count = u64::try_from(choices.len()).unwrap_or(u64::MAX);
        &choices[usize::try_from(self.below(count)).unwrap_or_default()]
    }

    /// A time between `from` and `to` milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }
}
