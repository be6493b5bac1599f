//! Reading PEM (RFC 7468). What is wrong with a text is said without repeating it: it may be a private key, and it may be
//! long.

use pem::{Pem, PemError};

/// Bytes of a tag; those that are known have up to 23.
const MAX_TAG_BYTES: usize = 64;

/// The first block.
pub(crate) fn first(text: &str) -> Result<Pem, String> {
    pem::parse(text).map_err(|why| explain(&why)).and_then(with_short_tag)
}

/// All blocks.
pub(crate) fn all(text: &str) -> Result<Vec<Pem>, String> {
    pem::parse_many(text).map_err(|why| explain(&why))?.into_iter().map(with_short_tag).collect()
}

fn with_short_tag(block: Pem) -> Result<Pem, String> {
    if block.tag().len() <= MAX_TAG_BYTES {
        return Ok(block);
    }
    Err(format!("the BEGIN line of a PEM block names more than {MAX_TAG_BYTES} bytes"))
}

fn explain(why: &PemError) -> String {
    match why {
        PemError::MismatchedTags(..) => "the BEGIN and END lines of a PEM block do not match".into(),
        PemError::InvalidHeader(_) => "a PEM block has a header that is none".into(),
        PemError::InvalidData(_) => "a PEM block is not base64".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_not_repeated() {
        let long = "SECRET".repeat(1000);
        for text in [
            format!("-----BEGIN PRIVATE KEY-----\nAA==\n-----END {long}-----\n"),
            format!("-----BEGIN {long}-----\nAA==\n-----END {long}-----\n"),
            format!("-----BEGIN A-----\n{long}\n\nAA==\n-----END A-----\n"),
            format!("-----BEGIN A-----\n{long}!\n-----END A-----\n"),
            long,
        ] {
            for why in [first(&text).unwrap_err(), all(&format!("{text}-----BEGIN ")).err().unwrap_or_default()] {
                assert!(why.len() < 100 && !why.contains("SECRET"), "{why}");
            }
        }
        assert_eq!(first("-----BEGIN A-----\nAA==\n-----END A-----\n").unwrap().contents(), [0]);
    }
}
