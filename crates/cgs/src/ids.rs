use crate::error::CliError;

/// Fewest characters of the beginning of an id.
const LEAST: usize = 4;

/// The id that somebody means by itself or its beginning. `list` is the command that shows which there are.
pub(crate) fn find<'a>(
    what: &str,
    list: &str,
    ids: impl Iterator<Item = &'a str>,
    who: &str,
) -> Result<&'a str, CliError> {
    let meant = |id: &&str| *id == who || (who.len() >= LEAST && id.starts_with(&who.to_ascii_lowercase()));
    let mut found = ids.filter(meant);
    match (found.next(), found.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(CliError::usage(format!("{who:?} is more than one {what}: write the whole id"))),
        (None, _) => Err(CliError::usage(format!("there is no {what} {who:?}: `{list}` shows what there is"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_by_its_beginning() {
        let of = |who| find("user", "cgs user list", ["aaaa11", "aaaa22", "bbbb"].into_iter(), who);
        assert_eq!((of("aaaa1").unwrap(), of("BBBB").unwrap()), ("aaaa11", "bbbb"));
        for (who, says) in [("aaaa", "more than one"), ("bbb", "cgs user list"), ("", "no user")] {
            assert!(of(who).unwrap_err().to_string().contains(says), "{who}");
        }
    }
}
