use client::{Member, Write};
use crypto::certificates_from_pem;
use serde_json::{Value, json};

use crate::output::{date, one_line};

/// What a record means and does not show by itself, each remark on a line.
pub(super) fn of(write: &Write) -> String {
    let remarks = [stand_in(write), certificates(write), vote(write), share(write)].concat();
    remarks.iter().map(|remark| format!("({remark})\n")).collect()
}

/// A certificate of the service is only made by the vote, so another stands in for it.
fn stand_in(write: &Write) -> Vec<String> {
    let certificate = |value: &Option<Value>| value.as_ref().and_then(|value| value.get("cert")).cloned();
    let has = match write.table.as_str() {
        "public:ccf.gov.nodes.endorsed_certificates" => write.after.is_some(),
        "public:ccf.gov.service.info" => certificate(&write.before) != certificate(&write.after),
        _ => false,
    };
    has.then(|| "the certificate stands in for the one that only the vote makes".to_owned()).into_iter().collect()
}

/// Whose certificates it would hold: nobody reads base64.
fn certificates(write: &Write) -> Vec<String> {
    let text = write.after.as_ref().and_then(Value::as_str).unwrap_or_default();
    let found = certificates_from_pem(text).unwrap_or_default();
    let describe = |certificate: &crypto::Certificate| {
        let (subject, id) = (one_line(certificate.subject()).into_owned(), certificate.id());
        let (from, to) = (date(certificate.not_before()), date(certificate.not_after()));
        format!("a certificate of {subject}, {from} to {to}, SHA-256 {id}")
    };
    found.iter().map(describe).collect()
}

/// Whether the vote of a member comes to count, or no longer does (under the rules that ship with this program).
fn vote(write: &Write) -> Vec<String> {
    let counts = |value: &Option<Value>| member(write, value.as_ref()).map(|member| member.is_counted());
    let says = match (counts(&write.before), counts(&write.after)) {
        (before, after) if before == after => return Vec::new(),
        (_, Some(true)) => "its vote counts: once it is active nothing is accepted without it",
        (_, Some(false)) => "its vote does not count",
        (_, None) => return Vec::new(),
    };
    vec![says.to_owned()]
}

/// Whether a member alone could recover the service, and so read all that is secret.
fn share(write: &Write) -> Vec<String> {
    let owns =
        |value: &Option<Value>| member(write, value.as_ref()).is_some_and(|member| member.recovery_role == "Owner");
    let new = owns(&write.after) && !owns(&write.before);
    new.then(|| "its recovery share alone gives the secrets of the service".to_owned()).into_iter().collect()
}

fn member(write: &Write, record: Option<&Value>) -> Option<Member> {
    let record = record.filter(|_| write.table == "public:ccf.gov.members.info")?;
    let part = |name: &str| record.get(name).cloned().unwrap_or_default();
    let role = part("recovery_role").as_str().unwrap_or_default().to_owned();
    let member = json!({
        "memberId": "", "certificate": "", "memberData": part("member_data"), "recoveryRole": role, "status": "",
    });
    serde_json::from_value(member).ok()
}

#[cfg(test)]
mod tests {
    use crypto::{Curve, SigningKey, issue};

    use super::*;

    fn remarks(value: Value) -> String {
        of(&serde_json::from_value(value).unwrap())
    }

    #[test]
    fn a_certificate_that_only_the_vote_makes_is_called_a_stand_in() {
        let info = |cert: &str, status: &str| json!({"cert": cert, "status": status});
        let of = |after: Value| {
            remarks(json!({"table": "public:ccf.gov.service.info", "format": "json", "before": info("PEM", "Opening"),
                "after": after}))
            .contains("stands in")
        };
        assert!(of(info("OTHER", "Opening")) && !of(info("PEM", "Open")));
    }

    #[test]
    fn certificates_are_told_one_by_one() {
        let key = SigningKey::generate(Curve::P256).unwrap();
        let validity = issue::Validity { from: 1_700_000_000, days: 2 };
        let made = ["ada", "birch"].map(|name| issue::self_signed(&key, name, &[], validity).unwrap());
        let after = made.clone().map(|certificate| certificate.to_pem()).concat();
        let told = remarks(json!({"table": "public:ccf.gov.tls.ca_cert_bundles", "format": "json", "after": after}));
        assert_eq!(told.lines().count(), 2, "{told}");
        for (line, certificate) in told.lines().zip(made) {
            assert!(line.contains(&certificate.id()) && line.contains(certificate.subject()), "{line}");
            assert!(line.contains("2023-11-14 to 2023-11-16"), "{line}");
        }
    }

    #[test]
    fn what_a_role_means_is_said() {
        let of = |before: Value, after: Value| {
            let info = |data: Value| json!({"member_data": data, "status": "Active"});
            let mut write = json!({"table": "public:ccf.gov.members.info", "format": "json", "after": info(after)});
            if !before.is_null() {
                write["before"] = info(before);
            }
            remarks(write)
        };
        let (operator, none) = (json!({"isOperator": 1}), json!({}));
        assert!(of(Value::Null, none.clone()).contains("nothing is accepted without it"));
        assert!(of(operator.clone(), none.clone()).contains("nothing is accepted without it"));
        assert!(of(none.clone(), operator.clone()).contains("does not count"));
        assert!(of(none, json!({"cgsRoles": {"contractOperator": "true"}})).contains("does not count"));
        assert_eq!(of(operator.clone(), operator), "");
        let owner =
            json!({"table": "public:ccf.gov.members.info", "format": "json", "after": {"recovery_role": "Owner"}});
        assert!(remarks(owner).contains("alone"));
    }
}
