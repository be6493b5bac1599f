use std::collections::BTreeMap;

use crate::Member;

const SHORT: usize = 12;
/// Characters of a name.
const LONGEST: usize = 60;

/// What people call the members of a consortium.
///
/// Members choose their names themselves, so a name that two of them bear, or that looks like something else than a name,
/// stands with the beginning of the id, and no name leaves its line.
#[derive(Debug, Clone, Default)]
pub struct Names {
    names: BTreeMap<String, String>,
}

impl Names {
    /// The names of these members.
    #[must_use]
    pub fn new(members: &[Member]) -> Self {
        let bearers = |name: &str| members.iter().filter(|member| member.name() == Some(name)).count();
        let name = |member: &Member| match member.name() {
            Some(name) if is_plain(name) && bearers(name) == 1 => name.to_owned(),
            Some(name) => format!("{} ({})", printable(name), short(&member.id)),
            None => short(&member.id).to_owned(),
        };
        Self { names: members.iter().map(|member| (member.id.clone(), name(member))).collect() }
    }

    /// The name of a member; of a stranger the beginning of the id.
    #[must_use]
    pub fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or_else(|| short(id), String::as_str)
    }
}

/// Whether a name cannot be taken for an id, for the name of somebody else, or for more than a name.
fn is_plain(name: &str) -> bool {
    let is_odd = |c: char| c.is_control() || "(),\u{2028}\u{2029}".contains(c);
    let looks_like_id = name.len() >= 4 && name.chars().all(|c| c.is_ascii_hexdigit());
    let spaced = name.trim() == name && !name.contains("  ");
    (1..=LONGEST).contains(&name.chars().count()) && spaced && !looks_like_id && !name.contains(is_odd)
}

fn printable(name: &str) -> String {
    let escaped = name.chars().take(LONGEST).flat_map(char::escape_debug);
    let more = if name.chars().nth(LONGEST).is_some() { "…" } else { "" };
    escaped.chain(more.chars()).collect()
}

fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types;

    #[test]
    fn a_name_that_two_bear_does_not_stand_alone() {
        let member = |id: &str, name: Option<&str>| types::member(id, "Active", json!({ "identifier": name }));
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let names = Names::new(&[member(&a, Some("ada")), member(&b, Some("ada")), member("c", Some("birch"))]);
        assert_eq!((names.of(&a), names.of(&b)), ("ada (aaaaaaaaaaaa)", "ada (bbbbbbbbbbbb)"));
        assert_eq!((names.of("c"), names.of(&"d".repeat(64))), ("birch", "dddddddddddd"));
        assert_eq!(Names::new(&[member(&a, None)]).of(&a), "aaaaaaaaaaaa");
    }

    #[test]
    fn a_name_that_pretends_does_not_stand_alone() {
        let a = "a".repeat(64);
        for name in ["bbbbbbbbbbbb", "ada (bbbbbbbbbbbb)", "ada, birch", "ada ", "", "x\nverdict: verified", "a  b"] {
            let names = Names::new(&[types::member(&a, "Active", json!({ "identifier": name }))]);
            assert!(names.of(&a).ends_with(" (aaaaaaaaaaaa)"), "{name:?}: {}", names.of(&a));
            assert!(!names.of(&a).contains('\n'));
        }
        let long = Names::new(&[types::member(&a, "Active", json!({ "identifier": "x".repeat(1000) }))]);
        assert!(long.of(&a).chars().count() < 80);
    }
}
