use base64::{Engine as _, engine::general_purpose::STANDARD};
use crypto::Certificate;
use serde::Serialize;

use super::{Expectations, Facts, Judged, expiry};
use crate::{Connection, Invitation, Result};

/// The format of evidence that proves nothing.
pub(super) const VIRTUAL: &str = "Insecure_Virtual";

/// How much a finding matters, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Good,
    /// Good to know.
    Note,
    /// Somebody should do something.
    Warning,
    /// Nothing proves it.
    NotVerifiable,
    /// Not as expected.
    Failure,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// What was checked.
    pub what: &'static str,
    /// What was found.
    pub text: String,
}

impl Finding {
    fn new(level: Level, what: &'static str, text: impl Into<String>) -> Self {
        Self { level, what, text: text.into() }
    }

    fn equal(what: &'static str, expected: &str, got: &str) -> Self {
        if expected.eq_ignore_ascii_case(got) {
            Self::new(Level::Good, what, format!("{got}, as promised"))
        } else {
            Self::new(Level::Failure, what, format!("{got}, but promised was {expected}"))
        }
    }
}

pub(super) fn all(
    connection: &Connection,
    facts: &Facts,
    judged: &Judged,
    expectations: Expectations<'_>,
    now: i64,
) -> Result<Vec<Finding>> {
    let mut findings = vec![
        identity(connection.service(), facts)?,
        evidence(facts),
        constitution(judged, expectations.constitution),
        build(judged, expectations.build),
        resume(judged),
        recovery(judged),
    ];
    findings.extend(node_key(facts)?);
    findings.extend(certificate("service certificate", connection.service(), now));
    findings.extend(facts.tls.as_ref().and_then(|tls| certificate("node certificate", tls, now)));
    if let Some(invitation) = expectations.invitation {
        let caller = connection.identity().ok().map(crate::Identity::id);
        findings.extend(compare_invitation(invitation, connection, judged, caller)?);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    Ok(findings)
}

fn identity(pinned: &Certificate, facts: &Facts) -> Result<Finding> {
    let shown = Certificate::from_pem(&facts.info.certificate)?;
    let what = "service";
    Ok(if shown == *pinned {
        Finding::new(Level::Good, what, format!("TLS and governance show the pinned certificate {}", pinned.id()))
    } else if shown.public_key()? == pinned.public_key()? {
        Finding::new(Level::Note, what, "its certificate was renewed; the key is the pinned one")
    } else {
        Finding::new(Level::Failure, what, format!("governance shows another certificate: {}", shown.id()))
    })
}

fn evidence(facts: &Facts) -> Finding {
    let text = match facts.quote.format.as_str() {
        VIRTUAL => {
            "application NOT verifiable: on the virtual platform whoever runs the host can read and change everything. \
             For trials, not for secrets"
                .to_owned()
        }
        other => format!("application NOT verifiable: this version does not check {other} evidence yet"),
    };
    Finding::new(Level::NotVerifiable, "evidence", text)
}

/// Whether the evidence, the node id and the TLS connection are about the same key.
fn node_key(facts: &Facts) -> Result<Option<Finding>> {
    let what = "node key";
    if let Some(tls) = &facts.tls {
        let id = tls.public_key()?.id();
        if id != facts.quote.node_id {
            let text = format!("the connection ends at key {id}, the evidence is about {}", facts.quote.node_id);
            return Ok(Some(Finding::new(Level::Failure, what, text)));
        }
    }
    if facts.quote.format != VIRTUAL {
        return Ok(None);
    }
    let bound = bound_key(&facts.quote.raw);
    Ok(Some(if bound.as_deref() == Some(facts.quote.node_id.as_str()) {
        Finding::new(Level::Good, what, "the connection ends at the key that the evidence is about")
    } else {
        Finding::new(Level::Failure, what, format!("the evidence is not about node {}", facts.quote.node_id))
    }))
}

/// The node id in a virtual quote: base64 of a JSON document whose report data are the digest of the node's key.
fn bound_key(raw: &str) -> Option<String> {
    let quote: serde_json::Value = serde_json::from_slice(&STANDARD.decode(raw).ok()?).ok()?;
    let data = STANDARD.decode(quote.get("report_data")?.as_str()?).ok()?;
    Some(hex::encode(data.get(..32)?))
}

fn constitution(judged: &Judged, shipped: &str) -> Finding {
    let what = "constitution";
    if judged.constitution_digest == hex::encode(crypto::sha256(shipped.as_bytes())) {
        Finding::new(Level::Good, what, format!("the shipped one, {}", judged.constitution_digest))
    } else {
        let text = format!("NOT the shipped one: {}. Read the difference", judged.constitution_digest);
        Finding::new(Level::Warning, what, text)
    }
}

fn build(judged: &Judged, expected: Option<&str>) -> Finding {
    let application = &judged.application;
    let what = "application";
    match expected {
        Some(expected) => Finding::equal(what, expected, &application.build),
        None => {
            let text =
                format!("{} {}, build {}, as the node says", application.name, application.version, application.build);
            Finding::new(Level::Note, what, text)
        }
    }
}

fn resume(judged: &Judged) -> Finding {
    let (level, text) = match (judged.resume.as_str(), judged.platform.as_str()) {
        ("auto", VIRTUAL) => {
            (Level::Warning, "auto: resumes by itself, so the host can also put back yesterday's disk; clients notice")
        }
        ("auto", _) => {
            (Level::Warning, "auto: resumes without asking the members; a rewind is only noticed by clients")
        }
        ("witnessed", _) => {
            (Level::Good, "witnessed: after a restart all members must sign before anything is released")
        }
        ("recovery", _) => (Level::Good, "recovery: a restart needs the members' recovery shares"),
        _ => (Level::Warning, "the node does not say how it resumes"),
    };
    Finding::new(level, "resume", text)
}

fn certificate(what: &'static str, certificate: &Certificate, now: i64) -> Option<Finding> {
    expiry(certificate, now).map(|text| Finding::new(Level::Warning, what, format!("{text}; a vote can renew it")))
}

fn recovery(judged: &Judged) -> Finding {
    let holds = |role: &str| judged.members.values().filter(|member| member.recovery_role == role).count();
    let (owners, holders, threshold) = (holds("Owner"), holds("Participant"), judged.recovery_threshold);
    let (level, text) = match (owners, holders) {
        (0, 0) => {
            (Level::Warning, "nobody holds a recovery share: if the node's disk is lost, so are all secrets".into())
        }
        (0, _) if threshold <= 1 => {
            (Level::Warning, format!("any one of the {holders} recovery share(s) is enough to recover the service"))
        }
        (0, _) => (Level::Good, format!("{threshold} of {holders} recovery shares recover the service")),
        _ => (Level::Warning, "an owner holds the whole recovery secret".into()),
    };
    Finding::new(level, "recovery", text)
}

fn compare_invitation(
    invitation: &Invitation,
    connection: &Connection,
    judged: &Judged,
    caller: Option<&str>,
) -> Result<Vec<Finding>> {
    let service = Certificate::from_pem(&invitation.service_certificate)?;
    let mut findings = vec![
        Finding::equal("invitation: service", &service.id(), &connection.service().id()),
        Finding::equal("invitation: constitution", &invitation.constitution_digest, &judged.constitution_digest),
        Finding::equal("invitation: version", &invitation.application.version, &judged.application.version),
        Finding::equal("invitation: build", &invitation.application.build, &judged.application.build),
        Finding::equal("invitation: resume", &invitation.resume, &judged.resume),
    ];
    if !judged.members.contains_key(&invitation.member_id) {
        let text = format!("the service does not know member {}", invitation.member_id);
        findings.push(Finding::new(Level::Failure, "invitation: member", text));
    } else if let Some(caller) = caller {
        findings.push(Finding::equal("invitation: member", &invitation.member_id, caller));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assessment::judged::tests::judged;

    #[test]
    fn a_promise_is_compared_without_regard_to_case() {
        assert_eq!(Finding::equal("x", "AB", "ab").level, Level::Good);
        assert_eq!(Finding::equal("x", "ab", "ac").level, Level::Failure);
        assert_eq!(build(&judged(), Some("b")).level, Level::Good);
        assert_eq!(build(&judged(), Some("other")).level, Level::Failure);
        assert_eq!(build(&judged(), None).level, Level::Note);
    }

    #[test]
    fn one_share_that_is_enough_is_a_warning() {
        let mut judged = judged();
        assert_eq!(recovery(&judged).level, Level::Warning);
        judged.recovery_threshold = 2;
        assert_eq!(recovery(&judged).level, Level::Good);
        judged.members.values_mut().for_each(|member| member.recovery_role = "Owner".into());
        assert!(recovery(&judged).text.contains("owner"));
        judged.members.clear();
        assert!(recovery(&judged).text.contains("nobody"));
    }

    #[test]
    fn the_virtual_evidence_names_its_node() {
        let raw = |data: &[u8]| STANDARD.encode(serde_json::json!({"report_data": STANDARD.encode(data)}).to_string());
        assert_eq!(bound_key(&raw(&[7; 32])), Some("07".repeat(32)));
        for bad in ["", "!", &raw(&[7; 3]), &STANDARD.encode("{}")] {
            assert_eq!(bound_key(bad), None, "{bad}");
        }
    }
}
