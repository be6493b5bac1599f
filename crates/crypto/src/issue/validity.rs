use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

use crate::{CryptoError, Result};

/// From when and for how long a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Start, in seconds since 1970.
    pub from: i64,
    /// Number of days.
    pub days: u32,
}

/// Two digits of a year mean 1950 to 2049 (RFC 5280, 4.1.2.5.1).
const CENTURY_BEGINS: u32 = 50;
const SPACED: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
const COMPACT: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]Z");

impl Validity {
    /// A validity that begins at a time in one of the forms that CCF's governance takes, always UTC:
    /// `YYYY-MM-DD HH:MM:SS`, or as in X.509 `YYMMDDHHMMSSZ` (1950 to 2049) or `YYYYMMDDHHMMSSZ`.
    ///
    /// # Errors
    /// [`CryptoError::Certificate`] for a text that is none of them, or no day at all.
    pub fn starting(from: &str, days: u32) -> Result<Self> {
        let refused = || {
            let forms = "YYYY-MM-DD HH:MM:SS or YYMMDDHHMMSSZ";
            CryptoError::Certificate(format!("{from:?} is not a start of validity: write {forms}, in UTC"))
        };
        if days == 0 {
            return Err(CryptoError::Certificate("a certificate must be valid for a day at least".into()));
        }
        let time = if from.contains('-') {
            PrimitiveDateTime::parse(from, SPACED)
        } else {
            PrimitiveDateTime::parse(&with_century(from), COMPACT)
        };
        let time: OffsetDateTime = time.map_err(|_| refused())?.assume_utc();
        Ok(Self { from: time.unix_timestamp(), days })
    }
}

/// `YYMMDDHHMMSSZ` with all digits of its year.
fn with_century(text: &str) -> String {
    if text.len() != "YYMMDDHHMMSSZ".len() {
        return text.to_owned();
    }
    let year = text.get(..2).and_then(|year| year.parse::<u32>().ok());
    let century = if year.is_some_and(|year| year >= CENTURY_BEGINS) { "19" } else { "20" };
    format!("{century}{text}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_forms_of_a_start() {
        for (text, from) in [
            ("2026-11-24 03:47:50", 1_795_492_070),
            ("261124034750Z", 1_795_492_070),
            ("20261124034750Z", 1_795_492_070),
            ("700101000000Z", 0),
            ("500101000000Z", -631_152_000),
            ("490101000000Z", 2_493_072_000),
        ] {
            assert_eq!(Validity::starting(text, 3), Ok(Validity { from, days: 3 }), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "now",
            "2026-11-24",
            "2026-13-24 03:47:50",
            "2026-11-24 03:47:60",
            "2026-11-24 03:47:50Z",
            " 2026-11-24 03:47:50",
            "+02026-11-24 03:47:50",
            "261124034750",
            "261124034750+",
            "-6112403475Z",
            "éé1124034Z",
        ] {
            assert!(Validity::starting(text, 1).unwrap_err().to_string().contains("YYMMDDHHMMSSZ"), "{text}");
        }
        assert!(Validity::starting("261124034750Z", 0).is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_a_surprise(text: String) {
            let _ = Validity::starting(&text, 1);
        }
    }
}
