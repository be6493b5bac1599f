use std::{fmt::Write as _, process::ExitCode};

/// How a command ended. The numbers are part of the interface: scripts depend on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Failed = 1,
    Unreachable = 3,
    Refused = 4,
    Conflict = 5,
    NotYet = 6,
    ServiceChanged = 10,
    Forked = 11,
    NotVerifiable = 12,
    NotAsExpected = 13,
    ProofFailed = 14,
    Interrupted = 130,
}

/// All of them, with what they mean. 2 is that of the argument parser.
const MEANINGS: [(u8, &str); 13] = [
    (0, "done, and everything verified"),
    (Exit::Failed as u8, "failed in another way; the text says how"),
    (2, "the arguments are not understood"),
    (Exit::Unreachable as u8, "the service does not answer"),
    (Exit::Refused as u8, "the service refuses; the text has its code"),
    (Exit::Conflict as u8, "somebody else changed it meanwhile: read it again"),
    (Exit::NotYet as u8, "the service needs more time: try again"),
    (Exit::ServiceChanged as u8, "this is not the pinned service"),
    (Exit::Forked as u8, "rolled back or forked: the service does not continue what it showed before"),
    (Exit::NotVerifiable as u8, "application NOT verifiable: nothing proves what runs there"),
    (
        Exit::NotAsExpected as u8,
        "not as expected: differs from the invitation, --expect-build, a policy or what was judged",
    ),
    (Exit::ProofFailed as u8, "a receipt, a ledger or evidence does not verify"),
    (Exit::Interrupted as u8, "interrupted"),
];

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The end of the long help.
pub(crate) fn help(before: &str) -> String {
    let mut text = format!("{before}\nExit codes:\n");
    for (code, meaning) in MEANINGS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {code:>3}  {meaning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_order() {
        assert!(MEANINGS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(help("").contains(" 11  rolled back or forked"));
    }
}
