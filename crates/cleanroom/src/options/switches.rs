use api::{ApiError, to_js_text};
use kv::Tx;
use serde_json::{Value, json};

use crate::{
    party::{Party, PartyKind},
    stored,
};

const ENABLED: &str = "enabled";
const DISABLED: &str = "disabled";

/// Where switches are kept: a table, and the member of its records that has the list, as JSON in a string.
pub(super) struct Place {
    pub(super) table: &'static str,
    pub(super) list: &'static str,
}

/// Who has switched something off or on, in the order in which they first did. Nobody having done so means on.
///
/// Stored as `[[id, "enabled" | "disabled"], …]`; a user is told from a member by a third item, `"user"` (D15).
pub(super) struct Switches(Vec<(Party, bool)>);

impl Switches {
    pub(super) fn read(tx: &mut Tx, place: &Place, key: &str) -> Result<Self, ApiError> {
        let Some(record) = stored::json(tx, place.table, key.as_bytes())? else { return Ok(Self(Vec::new())) };
        let list = record.get(place.list).and_then(Value::as_str);
        let list = list.and_then(|list| serde_json::from_str::<Vec<Value>>(list).ok());
        let switches = list.and_then(|list| list.iter().map(switch).collect());
        switches.map(Self).ok_or_else(|| stored::damaged(place.table, "a list of ids and states is missing"))
    }

    /// Switches on or off for one party.
    pub(super) fn set(&mut self, party: Party, on: bool) {
        match self.0.iter_mut().find(|(known, _)| *known == party) {
            Some((_, state)) => *state = on,
            None => self.0.push((party, on)),
        }
    }

    pub(super) fn write(&self, tx: &mut Tx, place: &Place, key: &str) {
        let list: Value = self.0.iter().map(item).collect();
        tx.put(place.table, key.to_owned(), to_js_text(&json!({ place.list: to_js_text(&list) })));
    }

    /// Who has switched it off.
    pub(super) fn off(self) -> impl Iterator<Item = Party> {
        self.0.into_iter().filter(|(_, on)| !on).map(|(party, _)| party)
    }
}

fn switch(item: &Value) -> Option<(Party, bool)> {
    let text = |at: usize| item.get(at)?.as_str();
    let kind = if item.get(2).is_some() { PartyKind::named(text(2)?)? } else { PartyKind::Member };
    let on = match text(1)? {
        ENABLED => true,
        DISABLED => false,
        _ => return None,
    };
    Some((Party { kind, id: text(0)?.to_owned() }, on))
}

fn item((party, on): &(Party, bool)) -> Value {
    let state = if *on { ENABLED } else { DISABLED };
    match party.kind {
        PartyKind::Member => json!([party.id, state]),
        PartyKind::User => json!([party.id, state, party.kind.name()]),
    }
}

/// The state of an option as it is answered: off because of these parties, or on. `code` and `text` give the reason.
pub(super) fn answer(off: &[Party], code: &str, text: &str) -> Value {
    if off.is_empty() {
        return json!({ "status": ENABLED });
    }
    let ids: Vec<&str> = off.iter().map(|party| party.id.as_str()).collect();
    disabled(code, &format!("{text}: m[{}].", ids.join(",")))
}

/// An option that is off for a reason.
pub(super) fn disabled(code: &str, message: &str) -> Value {
    json!({ "status": DISABLED, "reason": { "code": code, "message": message } })
}

/// The state that was voted: off unless it was voted to be on.
pub(super) fn voted(tx: &mut Tx, table: &str, key: &str) -> Result<Value, ApiError> {
    let record = stored::json(tx, table, key.as_bytes())?;
    Ok(record.as_ref().and_then(|record| record.get("status")).cloned().unwrap_or_else(|| DISABLED.into()))
}

#[cfg(test)]
mod tests {
    use kv::State;

    use super::*;

    const PLACE: Place = Place { table: "public:t", list: "serialized" };

    fn party(kind: PartyKind) -> Party {
        Party { kind, id: "a".into() }
    }

    #[test]
    fn d15_members_and_users_have_switches_of_their_own() {
        let mut tx = Tx::new(State::default());
        let mut switches = Switches::read(&mut tx, &PLACE, "k").unwrap();
        switches.set(party(PartyKind::User), false);
        switches.set(party(PartyKind::Member), false);
        switches.set(party(PartyKind::User), true);
        switches.write(&mut tx, &PLACE, "k");
        let text = r#"{"serialized":"[[\"a\",\"enabled\",\"user\"],[\"a\",\"disabled\"]]"}"#;
        assert_eq!(tx.get("public:t", b"k").unwrap(), text);
        let off: Vec<Party> = Switches::read(&mut tx, &PLACE, "k").unwrap().off().collect();
        assert_eq!(off, [party(PartyKind::Member)]);
    }

    #[test]
    fn a_damaged_list_never_means_on() {
        for text in [
            "{}",
            r#"{"serialized":5}"#,
            r#"{"serialized":"{}"}"#,
            r#"{"serialized":"[[\"a\"]]"}"#,
            r#"{"serialized":"[[\"a\",\"off\"]]"}"#,
            r#"{"serialized":"[[\"a\",\"disabled\",\"robot\"]]"}"#,
        ] {
            let mut tx = Tx::new(State::default());
            tx.put("public:t", "k", text);
            assert_eq!(Switches::read(&mut tx, &PLACE, "k").err().unwrap().status, 500, "{text}");
        }
    }
}
