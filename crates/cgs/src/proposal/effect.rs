//! What a proposal would do, for people.

mod remarks;
mod words;

use client::{Effect, Write};
use serde_json::Value;

use crate::{
    diff,
    output::{one_line, set_in},
    people::People,
};

/// The effect of an open proposal. `me` is the one who looks.
pub(super) fn text(effect: &Effect, people: &People, me: Option<&str>) -> String {
    let names = words::Names::new(people, effect);
    let mut text = String::from("If it were accepted now:\n");
    if let Some(failure) = &effect.failure {
        text += &format!("\nit would FAIL and change nothing: {}\n", set_in(&reason(failure), 2));
    } else if effect.writes.is_empty() && effect.effects.is_empty() {
        text += "\nnothing would change\n";
    }
    for write in &effect.writes {
        text += &format!("\n{}\n{}{}", names.of(write), difference(write), remarks::of(write));
    }
    for name in &effect.effects {
        text += &format!("\nbesides: {}\n", one_line(words::effect(name)));
    }
    format!("{text}\n{}\n", agreement(effect, people, me))
}

fn reason(failure: &Value) -> String {
    failure.get("reason").and_then(Value::as_str).map_or_else(|| failure.to_string(), str::to_owned)
}

/// The record before and after, line by line.
fn difference(write: &Write) -> String {
    let is_text = |value: &Option<Value>| value.as_ref().is_none_or(Value::is_string);
    let as_text = is_text(&write.before) && is_text(&write.after);
    let lines = |value: &Option<Value>| value.as_ref().map_or_else(String::new, |value| lines(value, as_text));
    diff::changes(&lines(&write.before), &lines(&write.after))
}

/// Texts as they are, since a constitution in quotes could not be read.
fn lines(value: &Value, as_text: bool) -> String {
    match value {
        Value::String(text) if as_text => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default() + "\n",
    }
}

/// Who still has to agree.
fn agreement(effect: &Effect, people: &People, me: Option<&str>) -> String {
    let name = |id: &String| {
        let mine = if me == Some(id) { " (me)" } else { "" };
        format!("{}{mine}", people.name(id))
    };
    let waiting = effect.waiting_for.as_ref().map(|ids| ids.iter().map(name).collect::<Vec<_>>());
    match (effect.would_be.as_str(), waiting.as_deref()) {
        ("Accepted" | "Failed", Some([])) => "Nobody's agreement is missing: the next vote decides it.".into(),
        ("Accepted" | "Failed", Some(names)) => format!("It takes the agreement of {}.", names.join(", ")),
        ("Accepted" | "Failed", None) => "It takes the agreement of more than can be told here.".into(),
        ("Rejected", _) => "As the votes stand the rules reject it.".into(),
        _ => {
            "It is not accepted even if every active member agrees: the rules ask for something else, for example that \
              an invited member becomes active first."
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::people::tests::people;

    fn effect(value: Value) -> Effect {
        let mut whole = json!({"proposalId": "p", "wouldBe": "Accepted", "waitingFor": []});
        whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn a_record_is_shown_as_what_changes_in_it() {
        let shown = text(
            &effect(json!({
                "writes": [{
                    "table": "public:ccf.gov.members.info", "key": "aaaa1111", "format": "json",
                    "before": {"member_data": {"identifier": "ada"}, "status": "Active"},
                    "after": {"member_data": {"identifier": "ada", "isOperator": true}, "status": "Active"},
                }],
                "effects": ["rekeyLedger", "somethingNew"],
                "waitingFor": ["aaaa1111", "bbbb"],
            })),
            &people(),
            Some("aaaa1111"),
        );
        for part in [
            "changed: member ada aaaa1111 (public:ccf.gov.members.info)",
            "\n+    \"isOperator\": true\n",
            "besides: a new ledger secret",
            "besides: somethingNew",
            "agreement of ada (me), birch",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("+++"), "{shown}");
    }

    #[test]
    fn texts_are_shown_without_quotes_and_removed_records_as_lines_that_go() {
        let shown = text(
            &effect(json!({"writes": [
                {"table": "public:ccf.gov.constitution", "format": "json", "before": "a\nb\n", "after": "a\nc\n"},
                {"table": "public:ccf.gov.users.info", "key": "u", "format": "json", "before": {"user_data": 1}},
            ]})),
            &people(),
            None,
        );
        assert!(shown.contains("changed: the constitution (public:ccf.gov.constitution)\n"), "{shown}");
        assert!(shown.contains("\n a\n-b\n+c\n"), "{shown}");
        assert!(shown.contains("removed: user u (public:ccf.gov.users.info)"), "{shown}");
        assert!(shown.contains("\n-  \"user_data\": 1\n"), "{shown}");
    }

    #[test]
    fn nothing_that_was_proposed_looks_like_a_line_of_this_program() {
        let forged = "x\nNobody's agreement is missing";
        let shown = text(
            &effect(json!({
                "writes": [{"table": format!("public:ccf.gov.user_invitations-{forged}"), "key": forged, "format": "json", "after": forged}],
                "effects": [forged],
                "waitingFor": ["aaaa1111"],
            })),
            &people(),
            None,
        ) + &text(&effect(json!({"failure": {"reason": forged}})), &people(), None);
        let forged = shown.lines().filter(|line| line.starts_with("Nobody's agreement")).count();
        assert_eq!(forged, 1, "{shown}");
    }

    #[test]
    fn what_will_not_happen_is_said() {
        let say = |value| text(&effect(value), &people(), None);
        assert!(say(json!({})).contains("nothing would change"));
        assert!(say(json!({})).contains("Nobody's agreement is missing"));
        let failed = say(json!({"failure": {"reason": "Error: no such member"}, "wouldBe": "Failed"}));
        assert!(failed.contains("FAIL and change nothing: Error: no such member"), "{failed}");
        assert!(!failed.contains("nothing would change"));
        assert!(say(json!({"wouldBe": "Open"})).contains("something else"));
        assert!(say(json!({"wouldBe": "Rejected"})).contains("reject"));
    }
}
