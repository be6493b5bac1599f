use api::{ApiError, Query};

/// How many seqnos a page covers unless the request says otherwise.
const DEFAULT_PER_PAGE: u64 = 2000;

/// The seqnos that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) from: u64,
    /// Inclusive.
    pub(super) to: u64,
    /// Seqnos a page, if the request says so.
    per_page: Option<u64>,
}

impl Range {
    /// Reads the parameters. The range ends with the last write of the key, or with the last committed transaction where
    /// there is none.
    pub(super) fn parse(query: &Query, last_write: Option<u64>, committed: u64) -> Result<Self, ApiError> {
        let from = parameter(query, "from_seqno")?.unwrap_or(1);
        let to = parameter(query, "to_seqno")?.unwrap_or(last_write.unwrap_or(committed));
        let per_page = parameter(query, "max_seqno_per_page")?;
        for (name, value) in [("from_seqno", Some(from)), ("max_seqno_per_page", per_page)] {
            if value == Some(0) {
                return Err(wrong(&format!("{name} must be at least 1")));
            }
        }
        if to < from {
            return Err(wrong("to_seqno must be >= from_seqno"));
        }
        if to > committed {
            return Err(wrong(&format!("End of range must be committed: to_seqno is {to}, committed is {committed}")));
        }
        Ok(Self { from, to, per_page })
    }

    /// The last seqno of the page that begins at `begin`.
    pub(super) fn page_end(&self, begin: u64) -> u64 {
        let length = self.per_page.unwrap_or(DEFAULT_PER_PAGE);
        begin.saturating_add(length - 1).min(self.to)
    }

    /// The parameters of the page that begins at `from`, with everything that this request had.
    pub(super) fn next_query(&self, from: u64) -> String {
        let per_page = self.per_page.map(|count| format!("&max_seqno_per_page={count}")).unwrap_or_default();
        format!("from_seqno={from}&to_seqno={}{per_page}", self.to)
    }
}

fn wrong(message: &str) -> ApiError {
    ApiError::bad_request("InvalidQueryParameterValue", message)
}

/// A number as `parseInt` of JavaScript reads it: digits at the beginning count, the rest does not. An empty value is the
/// same as none.
fn parameter(query: &Query, name: &str) -> Result<Option<u64>, ApiError> {
    let Some(text) = query.get(name).map(str::trim_start).filter(|text| !text.is_empty()) else { return Ok(None) };
    let digits: &str = text.split(|digit: char| !digit.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().map(Some).map_err(|_| wrong(&format!("{name} is not an integer")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(query: &str) -> Result<Range, String> {
        Range::parse(&Query::parse(query), Some(50), 60).map_err(|error| error.message)
    }

    #[test]
    fn defaults_end_with_the_last_write_or_the_last_commit() {
        assert_eq!(range(""), Ok(Range { from: 1, to: 50, per_page: None }));
        let unknown = Range::parse(&Query::parse("from_seqno=2"), None, 60).unwrap();
        assert_eq!((unknown.from, unknown.to), (2, 60));
        assert_eq!(range("from_seqno=&to_seqno").unwrap(), Range { from: 1, to: 50, per_page: None });
    }

    #[test]
    fn numbers_are_read_as_javascript_does() {
        assert_eq!(range("from_seqno=12abc&to_seqno= 20").unwrap(), Range { from: 12, to: 20, per_page: None });
    }

    #[test]
    fn d04_wrong_parameters_are_named() {
        for (query, message) in [
            ("from_seqno=abc", "from_seqno is not an integer"),
            ("to_seqno=x", "to_seqno is not an integer"),
            ("max_seqno_per_page=x", "max_seqno_per_page is not an integer"),
            ("from_seqno=99999999999999999999", "from_seqno is not an integer"),
            ("from_seqno=-1", "from_seqno is not an integer"),
            ("from_seqno=0", "from_seqno must be at least 1"),
            ("max_seqno_per_page=0", "max_seqno_per_page must be at least 1"),
            ("from_seqno=9&to_seqno=5", "to_seqno must be >= from_seqno"),
            ("from_seqno=51", "to_seqno must be >= from_seqno"),
            ("to_seqno=61", "End of range must be committed: to_seqno is 61, committed is 60"),
        ] {
            assert_eq!(range(query), Err(message.to_owned()), "{query}");
        }
    }

    #[test]
    fn d22_a_page_has_at_most_the_asked_number() {
        let range = range("max_seqno_per_page=10").unwrap();
        assert_eq!((range.page_end(1), range.page_end(45)), (10, 50));
        assert_eq!(range.next_query(11), "from_seqno=11&to_seqno=50&max_seqno_per_page=10");
    }
}
