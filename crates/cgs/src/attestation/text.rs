//! The verdict for people.

use std::{fmt::Write as _, path::Path};

use ::attestation::{
    Platform,
    policy::{Alternative, Explained, Explanation},
    snp,
};
use serde_json::Value;

use super::verdict::{Outcome, Verdict, reason};
use crate::output::{Table, set_in, short};

const PASSED: &str = "✓";
const FAILED: &str = "✗";
const NOT_REACHED: &str = "·";

/// Everything about a verdict.
pub(super) fn of(verdict: &Verdict, file: &Path) -> String {
    let mut parts = vec![head(verdict, file), checks(verdict)];
    if let Some(proven) = &verdict.proven {
        parts.extend(proven.snp.as_ref().map(processor));
        let claims = proven.claims.iter().fold(Table::pairs(), |mut table, (name, value)| {
            table.pair(name, value);
            table
        });
        parts.push(section("what it says", &claims.to_string()));
    }
    parts.extend(verdict.policy.as_ref().map(policy));
    parts.extend(verdict.key.as_ref().map(|bound| {
        let text = reason(bound).map_or_else(|| format!("{PASSED} bound"), |why| format!("{FAILED} NOT bound: {why}"));
        section("the key", &text)
    }));
    parts.join("\n")
}

fn head(verdict: &Verdict, file: &Path) -> String {
    let mut table = Table::pairs();
    table.pair("evidence", file.display());
    table.pair("platform", verdict.platform.map_or("unknown", Platform::name));
    let text = match (verdict.failed(), verdict.exit()) {
        (Some(rejection), _) => format!("NOT VERIFIED: {rejection}"),
        (None, Some(_)) => "verified, and NOT what was asked for".to_owned(),
        (None, None) => "verified".to_owned(),
    };
    table.pair("verdict", text);
    table.to_string()
}

fn checks(verdict: &Verdict) -> String {
    let mut text = String::new();
    for (check, outcome) in &verdict.checks {
        let (mark, more) = match outcome {
            Outcome::Passed => (PASSED, check.meaning().to_owned()),
            Outcome::Failed(why) => {
                let meaning = check.meaning();
                (FAILED, format!("{meaning}\nexpected {}\nfound    {}", why.expected, why.found))
            }
            Outcome::NotReached => (NOT_REACHED, "not reached".to_owned()),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} {:22} {}", check.name(), set_in(&more, 25));
    }
    section("checks", &text)
}

fn processor(snp: &snp::Verified) -> String {
    let (report, chain) = (&snp.report, &snp.chain);
    let family = chain.family();
    let mut table = Table::pairs();
    table.pair("product", format!("AMD EPYC, {} ({family})", chain.product()));
    table.pair("root", format!("ARK-{family}, built in, key {}…", short(family.root())));
    table.pair("signed by", signer(chain));
    table.pair("chip", hex::encode(report.chip_id()));
    for (name, tcb) in [
        ("firmware", report.reported_tcb(family)),
        ("  that runs", report.current_tcb(family)),
        ("  committed", report.committed_tcb(family)),
        ("  at launch", report.launch_tcb(family)),
    ] {
        table.pair(name, format!("{tcb} ({})", tcb.to_hex()));
    }
    section("the processor", &table.to_string())
}

fn signer(chain: &snp::Chain) -> String {
    let lent = chain.provider().map(|provider| format!(", lent to {provider}")).unwrap_or_default();
    format!("{}{lent}, certificate {}…", chain.key().name(), short(&chain.chip().id()))
}

fn policy(explained: &Explanation) -> String {
    let mut text = String::new();
    for alternative in &explained.alternatives {
        let is_closest = explained.alternatives.len() > 1 && explained.closest.as_ref() == Some(&alternative.name);
        let _ = writeln!(text, "{} {}{}", mark(alternative.met), alternative.name, verdict_of(alternative, is_closest));
        for claim in &alternative.claims {
            let _ = writeln!(text, "  {} {}", mark(claim.met), claim_of(claim));
        }
    }
    section(if explained.met { "policy: met" } else { "policy: NOT met" }, &text)
}

fn verdict_of(alternative: &Alternative, is_closest: bool) -> &'static str {
    match (alternative.met, alternative.claims.is_empty(), is_closest) {
        (true, ..) => "",
        (false, true, _) => ": empty, and so met by nothing",
        (false, false, true) => ": NOT met, but closer than the others",
        (false, false, false) => ": NOT met",
    }
}

fn claim_of(claim: &Explained) -> String {
    let found = claim.found.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    let wanted = claim.wanted.iter().map(Value::to_string).collect::<Vec<_>>().join(" or ");
    let wanted = if wanted.is_empty() { "nothing is accepted".to_owned() } else { format!("wanted {wanted}") };
    if claim.met { format!("{}: {found}", claim.claim) } else { format!("{}: {wanted}; found {found}", claim.claim) }
}

fn mark(holds: bool) -> &'static str {
    if holds { PASSED } else { FAILED }
}

fn section(title: &str, text: &str) -> String {
    format!("{title}\n  {}\n", set_in(text.trim_end(), 2))
}
