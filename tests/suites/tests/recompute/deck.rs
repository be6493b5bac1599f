//! Chance that leaves nothing out.

use suites::Dice;

/// Things that are drawn in an order of chance, each once before any comes again.
pub struct Deck<T> {
    all: Vec<T>,
    left: Vec<T>,
}

impl<T: Clone> Deck<T> {
    /// A deck of these; there must be one.
    pub fn new(all: Vec<T>) -> Self {
        Self { left: Vec::new(), all }
    }

    /// The next one.
    pub fn draw(&mut self, dice: &mut Dice) -> T {
        if self.left.is_empty() {
            self.left.clone_from(&self.all);
        }
        let count = u64::try_from(self.left.len()).unwrap_or(u64::MAX);
        self.left.swap_remove(usize::try_from(dice.below(count)).unwrap_or_default())
    }
}
