use std::fmt;

use crate::Check;

/// The result of everything that can fail here.
pub type Result<T> = std::result::Result<T, Rejection>;

/// Evidence that is not believed, and why. It says nothing that is not in the evidence itself.
///
/// `Display` has the words of CCF where clients know them (cgs-app 3.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// What failed.
    pub check: Check,
    /// What would have passed.
    pub expected: String,
    /// What was there instead.
    pub found: String,
}

/// How much of a value is shown: evidence comes from strangers.
const MOST_SHOWN: usize = 200;

impl Rejection {
    pub(crate) fn new(check: Check, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { check, expected: shortened(expected.to_string()), found: shortened(found.to_string()) }
    }

    /// Passes if `holds`.
    pub(crate) fn unless(
        holds: bool,
        check: Check,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Result<()> {
        if holds { Ok(()) } else { Err(Self::new(check, expected, found)) }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, expected, found } = self;
        match check {
            Check::ReportSize => {
                write!(f, "Input SEV-SNP attestation report is not of expected size {expected}: {found}")
            }
            Check::ChainCount => write!(f, "Expected {expected} endorsement certificates but got {found}"),
            Check::ReportSignature => f.write_str("SEV-SNP: Chip certificate (VCEK) did not sign this attestation"),
            _ => write!(f, "{check}: {} Expected {expected}, found {found}.", check.meaning()),
        }
    }
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MOST_SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_clients_know() {
        let text = |check, expected: &str, found: &str| Rejection::new(check, expected, found).to_string();
        assert_eq!(
            text(Check::ReportSize, "1184", "3"),
            "Input SEV-SNP attestation report is not of expected size 1184: 3"
        );
        assert_eq!(
            text(Check::ReportSignature, "a signature", "another"),
            "SEV-SNP: Chip certificate (VCEK) did not sign this attestation"
        );
        assert_eq!(text(Check::ChainCount, "3", "2"), "Expected 3 endorsement certificates but got 2");
        assert_eq!(
            text(Check::PolicyDebug, "0", "1"),
            "policy.debug: The guest cannot be debugged by the host. Expected 0, found 1."
        );
    }

    #[test]
    fn a_stranger_cannot_make_an_error_long() {
        let rejection = Rejection::new(Check::ChainFormat, "PEM", "é".repeat(100_000));
        assert_eq!(rejection.found.chars().count(), MOST_SHOWN + 1);
    }
}
