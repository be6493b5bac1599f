use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Facts;
use crate::{AppVersion, Member, Result, Service};

/// The state of a service as a member judges it, in a form that can be kept and compared.
///
/// Every change of the rules or of the members is an accepted proposal, and accepted proposals stay readable (D5), so
/// two equal values mean that nothing was decided in between, not even back and forth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The last transaction that was read.
    pub transaction_id: String,
    /// SHA-256 of the service certificate, hex.
    pub service: String,
    /// `Opening`, `Open`, …
    pub status: String,
    /// SHA-256 of the constitution's text, hex.
    pub constitution_digest: String,
    /// The application.
    pub application: AppVersion,
    /// The kind of evidence, for example `Insecure_Virtual`.
    pub platform: String,
    /// What runs there, as the evidence says.
    pub measurement: String,
    /// How the service resumes.
    pub resume: String,
    /// How many recovery shares give the ledger secret.
    pub recovery_threshold: u64,
    /// The members, by id.
    pub members: BTreeMap<String, JudgedMember>,
    /// The proposals that were accepted so far.
    pub accepted_proposals: Vec<String>,
}

/// A member as it is judged. That others accept their invitations meanwhile is no change of what was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedMember {
    /// The name that the consortium gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of the member's data, hex.
    pub data_digest: String,
    /// What it holds for a recovery.
    pub recovery_role: String,
}

impl Judged {
    pub(crate) async fn new(
        service: &Service,
        facts: &Facts,
        constitution: &str,
        application: AppVersion,
        members: &[Member],
    ) -> Result<Self> {
        let proposals = service.proposals().await?.into_iter();
        let mut accepted: Vec<String> =
            proposals.filter(|proposal| proposal.state == "Accepted").map(|proposal| proposal.id).collect();
        accepted.sort();
        Ok(Self {
            transaction_id: service.connection().highest_seen().unwrap_or_default().to_string(),
            service: service.connection().service().id(),
            status: facts.info.status.clone(),
            constitution_digest: hex::encode(crypto::sha256(constitution.as_bytes())),
            application,
            platform: facts.quote.format.clone(),
            measurement: facts.quote.measurement.clone().unwrap_or_default(),
            resume: facts.node.resume.as_ref().map_or_else(|| "unknown".into(), |resume| resume.mode.clone()),
            recovery_threshold: facts.info.configuration.recovery_threshold,
            members: members.iter().map(|member| (member.id.clone(), JudgedMember::from(member))).collect(),
            accepted_proposals: accepted,
        })
    }

    /// What is different in `later`, in words; empty if a member may acknowledge `later` after judging `self`.
    #[must_use]
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, was: &str, is: &str| {
            if was != is {
                changes.push(format!("{what} was {was} and is {is} now"));
            }
        };
        compare("the service", &self.service, &later.service);
        compare("the status", &self.status, &later.status);
        compare("the constitution", &self.constitution_digest, &later.constitution_digest);
        compare("the version of the application", &self.application.version, &later.application.version);
        compare("the build of the application", &self.application.build, &later.application.build);
        compare("the platform", &self.platform, &later.platform);
        compare("the measurement", &self.measurement, &later.measurement);
        compare("the resume mode", &self.resume, &later.resume);
        let threshold = |judged: &Self| judged.recovery_threshold.to_string();
        compare("the recovery threshold", &threshold(self), &threshold(later));
        changes.extend(self.changed_members(later));
        let decided = later.accepted_proposals.iter().filter(|id| !self.accepted_proposals.contains(id));
        changes.extend(decided.map(|id| format!("proposal {id} was accepted")));
        changes
    }

    fn changed_members(&self, later: &Self) -> Vec<String> {
        let gone = self.members.keys().filter(|id| !later.members.contains_key(*id));
        let gone = gone.map(|id| format!("member {id} was removed"));
        let come = later.members.iter().filter_map(|(id, member)| match self.members.get(id) {
            None => Some(format!("member {id} was added")),
            Some(before) if before != member => Some(format!("the data or the role of member {id} changed")),
            Some(_) => None,
        });
        gone.chain(come).collect()
    }
}

impl From<&Member> for JudgedMember {
    fn from(member: &Member) -> Self {
        Self {
            name: member.name().map(str::to_owned),
            data_digest: hex::encode(crypto::sha256(member.member_data.to_string().as_bytes())),
            recovery_role: member.recovery_role.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn judged() -> Judged {
        let member = JudgedMember { name: None, data_digest: "d".into(), recovery_role: "Participant".into() };
        Judged {
            transaction_id: "2.5".into(),
            service: "s".into(),
            status: "Opening".into(),
            constitution_digest: "c".into(),
            application: AppVersion { name: "cgs".into(), version: "0.1.0".into(), build: "b".into() },
            platform: "Insecure_Virtual".into(),
            measurement: "m".into(),
            resume: "auto".into(),
            recovery_threshold: 1,
            members: [("one".to_owned(), member)].into(),
            accepted_proposals: vec!["p1".into()],
        }
    }

    #[test]
    fn d42_only_reading_later_is_no_change() {
        let later = Judged { transaction_id: "2.9".into(), ..judged() };
        assert!(judged().changes(&later).is_empty());
    }

    #[test]
    fn d42_every_difference_is_named() {
        type Change = fn(&mut Judged);
        let cases: [(&str, Change); 9] = [
            ("constitution", |judged| judged.constitution_digest = "x".into()),
            ("build", |judged| judged.application.build = "x".into()),
            ("measurement", |judged| judged.measurement = "x".into()),
            ("resume mode", |judged| judged.resume = "recovery".into()),
            ("recovery threshold", |judged| judged.recovery_threshold = 2),
            ("was removed", |judged| judged.members.clear()),
            ("role of member one", |judged| judged.members.values_mut().for_each(|m| m.recovery_role = "Owner".into())),
            ("member two was added", |judged| {
                let member = judged.members["one"].clone();
                judged.members.insert("two".into(), member);
            }),
            ("proposal p2 was accepted", |judged| judged.accepted_proposals.push("p2".into())),
        ];
        for (word, change) in cases {
            let mut later = judged();
            change(&mut later);
            let changes = judged().changes(&later);
            assert!(changes.len() == 1 && changes[0].contains(word), "{word}: {changes:?}");
        }
    }
}
