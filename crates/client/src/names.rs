use std::collections::BTreeMap;

use crate::Member;

const SHORT: usize = 12;

/// What people call the members of a consortium.
///
/// Members choose their names themselves, so a name that two of them bear stands with the beginning of the id.
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
            Some(name) if !name.is_empty() && bearers(name) == 1 => name.to_owned(),
            Some(name) => format!("{name} ({})", short(&member.id)),
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
}
