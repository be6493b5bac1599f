//! What is asked for on the command line.

use suites::Result;

/// All steps, in the order in which they are taken.
const STEPS: [&str; 7] = ["load", "lives", "memory", "restart", "pages", "proofs", "evidence"];
const USAGE: &str = "--rounds N, --seconds S, --transactions N, --quick, --only load,lives,memory,restart,pages,proofs,evidence, --write";

/// How much is measured.
pub struct Options {
    /// Rounds of load; every figure of it is a median of so many.
    pub rounds: usize,
    /// Seconds of each load.
    pub seconds: u64,
    /// Transactions of the service that is restarted.
    pub transactions: u32,
    /// Whether the tables go into the page.
    pub write: bool,
    only: Vec<String>,
}

impl Options {
    /// Reads the command line of this process.
    pub fn parse() -> Result<Self> {
        Self::from_words(std::env::args().skip(1))
    }

    fn from_words(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self { rounds: 5, seconds: 3, transactions: 1_000_000, write: false, only: Vec::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value: {USAGE}"));
            match word.as_str() {
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--seconds" => options.seconds = value()?.parse::<u64>()?.max(1),
                "--transactions" => options.transactions = value()?.parse::<u32>()?.max(1),
                "--quick" => (options.rounds, options.seconds, options.transactions) = (1, 1, 20_000),
                "--only" => options.only = steps(&value()?)?,
                "--write" => options.write = true,
                other => return Err(format!("unknown option {other}: {USAGE}").into()),
            }
        }
        if options.write && !options.only.is_empty() {
            return Err("--write puts all tables into the page: it does not go with --only".into());
        }
        Ok(options)
    }

    /// Whether a step is taken.
    pub fn wants(&self, step: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one == step)
    }

    /// The conditions, for the table.
    pub fn describe(&self) -> String {
        format!("{} rounds in turn, {} s each after 1 s of warm-up, medians", self.rounds, self.seconds)
    }
}

fn steps(text: &str) -> Result<Vec<String>> {
    let steps: Vec<String> = text.split(',').map(str::to_owned).collect();
    match steps.iter().find(|step| !STEPS.contains(&step.as_str())) {
        Some(unknown) => Err(format!("unknown step {unknown}: {USAGE}").into()),
        None => Ok(steps),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options> {
        Options::from_words(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn steps_can_be_chosen_but_not_for_the_page() {
        let options = parse("--quick --only memory,lives --rounds 2").unwrap();
        assert_eq!((options.rounds, options.seconds, options.transactions), (2, 1, 20_000));
        assert!(options.wants("memory") && options.wants("lives") && !options.wants("load"));
        assert!(parse("").unwrap().wants("load"));
        for refused in ["--only nothing", "--only memory --write", "--rounds", "--rounds x", "--nope"] {
            assert!(parse(refused).is_err(), "{refused}");
        }
    }
}
