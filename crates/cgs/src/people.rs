use client::{Member, Names};

use crate::error::CliError;

/// The members, by id and by name.
#[derive(Debug)]
pub(crate) struct People {
    members: Vec<Member>,
    names: Names,
}

impl People {
    pub(crate) fn new(members: Vec<Member>) -> Self {
        Self { names: Names::new(&members), members }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// What people call a member.
    pub(crate) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.of(id)
    }

    /// The member that somebody means by a name, an id, or the beginning of one.
    pub(crate) fn find(&self, who: &str) -> Result<&Member, CliError> {
        if let Some(member) = self.members.iter().find(|member| member.id == who) {
            return Ok(member);
        }
        // Names are chosen freely, so one that is the beginning of somebody's id is not preferred to that.
        let is_meant = |member: &&Member| {
            member.name() == Some(who) || self.name(&member.id) == who || (who.len() >= 4 && member.id.starts_with(who))
        };
        let mut found = self.members.iter().filter(is_meant);
        match found.next() {
            Some(_) if found.next().is_some() => {
                Err(CliError::usage(format!("{who:?} is more than one member: write the whole id")))
            }
            Some(member) => Ok(member),
            None => Err(CliError::usage(format!("there is no member {who:?}: `cgs member list` shows who is in"))),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn people() -> People {
        let member = |id: &str, name: &str| {
            let data = json!({ "identifier": name });
            let member = json!({
                "memberId": id, "certificate": "", "memberData": data, "recoveryRole": "Participant", "status": "Active",
            });
            serde_json::from_value(member).unwrap()
        };
        People::new(vec![member("aaaa1111", "ada"), member("aaaa2222", "birch"), member("bbbb", "birch")])
    }

    #[test]
    fn members_are_found_by_name_id_or_its_beginning() {
        let people = people();
        assert_eq!(people.find("ada").unwrap().id, "aaaa1111");
        assert_eq!(people.find("aaaa2").unwrap().id, "aaaa2222");
        assert_eq!(people.find("bbbb").unwrap().id, "bbbb");
        for (who, says) in
            [("birch", "more than one"), ("aaaa", "more than one"), ("bbb", "no member"), ("x", "no member")]
        {
            assert!(people.find(who).unwrap_err().to_string().contains(says), "{who}");
        }
        let mut hostile = people.members.clone();
        hostile[2].member_data = json!({"identifier": "aaaa1"});
        let hostile = People::new(hostile);
        assert!(hostile.find("aaaa1").unwrap_err().to_string().contains("more than one"));
        assert_eq!(hostile.find("aaaa1111").unwrap().name(), Some("ada"));
        assert_eq!((people.name("aaaa1111"), people.name("0123456789abcdef")), ("ada", "0123456789ab"));
    }
}
