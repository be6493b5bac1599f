use ::attestation::{
    BindingError, Check, Document, Platform, Proven, Rejection, Trail, Verifier, policy::Explanation, snp,
};
use serde_json::{Value, json};

use super::FORM;
use crate::exit::Exit;

/// What was found about evidence.
pub(super) struct Verdict {
    /// Where it comes from, if that can be told.
    pub(super) platform: Option<Platform>,
    /// All checks in their order.
    pub(super) checks: Vec<(Check, Outcome)>,
    /// What it proves, if it was believed.
    pub(super) proven: Option<Proven>,
    /// Whether it meets the policies, if there are any.
    pub(super) policy: Option<Explanation>,
    /// Whether it binds the key, if there is one.
    pub(super) key: Option<Result<(), BindingError>>,
}

/// How a check came out.
pub(super) enum Outcome {
    Passed,
    Failed(Rejection),
    /// One before it has failed.
    NotReached,
}

impl Verdict {
    /// Verifies evidence.
    pub(super) fn of(document: Result<Document, Rejection>) -> Self {
        let document = match document {
            Ok(document) => document,
            Err(rejection) => return Self::refused_unread(rejection),
        };
        let mut trail = Trail::new();
        let verified = Verifier::new(0).verify(&document, &mut trail);
        let mut failed = verified.as_ref().err().cloned();
        let mut checks = vec![(FORM, Outcome::Passed)];
        checks.extend(document.checks().into_iter().enumerate().map(|(number, check)| {
            let is_passed = number < trail.passed().len();
            let outcome = if is_passed { Some(Outcome::Passed) } else { failed.take().map(Outcome::Failed) };
            (check, outcome.unwrap_or(Outcome::NotReached))
        }));
        Self { platform: Some(document.platform()), checks, proven: verified.ok(), policy: None, key: None }
    }

    fn refused_unread(rejection: Rejection) -> Self {
        let checks = vec![(FORM, Outcome::Failed(rejection))];
        Self { platform: None, checks, proven: None, policy: None, key: None }
    }

    /// The check that failed.
    pub(super) fn failed(&self) -> Option<&Rejection> {
        self.checks.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Failed(rejection) => Some(rejection),
            Outcome::Passed | Outcome::NotReached => None,
        })
    }

    /// How the command ends, if not well.
    pub(super) fn exit(&self) -> Option<Exit> {
        let has_policy = self.policy.as_ref().is_none_or(|explained| explained.met);
        let has_key = self.key.as_ref().is_none_or(Result::is_ok);
        match (&self.proven, has_policy && has_key) {
            (None, _) => Some(Exit::ProofFailed),
            (Some(_), false) => Some(Exit::NotAsExpected),
            (Some(_), true) => None,
        }
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let mut json = json!({
            "verified": self.proven.is_some(),
            "platform": self.platform.map(Platform::name),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
        });
        let mut put = |name: &str, value: Option<Value>| {
            if let (Some(object), Some(value)) = (json.as_object_mut(), value) {
                object.insert(name.to_owned(), value);
            }
        };
        put("processor", self.proven.as_ref().and_then(|proven| proven.snp.as_ref()).map(processor));
        put("claims", self.proven.as_ref().map(|proven| json!(proven.claims)));
        put("policy", self.policy.as_ref().map(|explained| json!(explained)));
        put("key", self.key.as_ref().map(|bound| json!({"bound": bound.is_ok(), "reason": reason(bound)})));
        json
    }
}

/// Why a key is not bound.
pub(super) fn reason(bound: &Result<(), BindingError>) -> Option<String> {
    bound.as_ref().err().map(ToString::to_string)
}

fn check((check, outcome): &(Check, Outcome)) -> Value {
    let mut json = json!({"check": check.name(), "meaning": check.meaning()});
    let more = match outcome {
        Outcome::Passed => json!({"outcome": "passed"}),
        Outcome::Failed(rejection) => {
            json!({"outcome": "failed", "expected": rejection.expected, "found": rejection.found, "text": rejection.to_string()})
        }
        Outcome::NotReached => json!({"outcome": "not reached"}),
    };
    if let (Some(json), Value::Object(more)) = (json.as_object_mut(), more) {
        json.extend(more);
    }
    json
}

fn processor(snp: &snp::Verified) -> Value {
    let (report, chain) = (&snp.report, &snp.chain);
    let family = chain.family();
    json!({
        "family": family.name(),
        "product": chain.product(),
        "signedBy": chain.key().name(),
        "provider": chain.provider(),
        "root": {"name": format!("ARK-{family}"), "keySha256": family.root()},
        "certificate": {"subject": chain.chip().subject(), "sha256": chain.chip().id()},
        "chipId": hex::encode(report.chip_id()),
        "reportVersion": report.version(),
        "policy": format!("{:#x}", report.policy().0),
        "tcb": {
            "reported": tcb(report.reported_tcb(family)),
            "current": tcb(report.current_tcb(family)),
            "committed": tcb(report.committed_tcb(family)),
            "launch": tcb(report.launch_tcb(family)),
        },
    })
}

fn tcb(tcb: snp::Tcb) -> Value {
    json!({"hex": tcb.to_hex(), "text": tcb.to_string()})
}
