use super::Duration;

/// A number of bytes, with the text it was written as, which error messages repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// The number of bytes.
    pub bytes: u64,
    /// As written in the configuration, for example `1MB`.
    pub text: String,
}

const SIZES: [(&str, u64); 6] = [("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1), ("", 1)];
const MICROSECONDS: [(&str, u64); 5] =
    [("us", 1), ("ms", 1_000), ("min", 60_000_000), ("s", 1_000_000), ("h", 3_600_000_000)];

impl Size {
    /// A size from a text such as `5MB`; units are powers of 1024, as in CCF.
    ///
    /// # Errors
    /// A text for whoever wrote the configuration.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = scaled(text, &SIZES).ok_or("must be a size such as 512KB, 5MB or 1GB")?;
        Ok(Self { bytes, text: text.to_owned() })
    }
}

/// A duration from a text such as `1000ms`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "must be a duration such as 100ms, 10s, 30min or 1h".to_owned();
    scaled(text, &MICROSECONDS).map(Duration::from_micros).ok_or_else(wrong)
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, factor)| *factor)?;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        let bytes = |text: &str| Size::parse(text).ok().map(|size| size.bytes);
        assert_eq!(bytes("5MB"), Some(5 << 20));
        assert_eq!(bytes("16 KB"), Some(16 << 10));
        assert_eq!(bytes("10"), Some(10));
        for bad in ["", "MB", "-1MB", "1.5MB", "1mb", "1XB", "99999999999TB"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("1000ms"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("30min"), Ok(Duration::from_secs(1800)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7200)));
        for bad in ["", "10", "s", "1day", "-1s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
