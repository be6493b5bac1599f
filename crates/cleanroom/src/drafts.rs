//! What contracts and documents have in common: anybody who may write co-authors the draft, until what was proposed of it
//! is accepted. The draft stays beside what was accepted.

use std::collections::BTreeSet;

use api::{ApiError, Caller, Output, is_truthy, to_js_text};
use bytes::Bytes;
use kv::Tx;
use serde_json::{Map, Value, json};

use crate::{
    party::Party,
    proposals::{Accepting, proposed},
    stored,
};

const PRECONDITION_FAILED: &str = "The operation specified a version that is different from the version available at the \
    server, that is, an optimistic concurrency error. Retry the request after reading the latest version of the resource \
    and updating the version on the request.";

/// One kind of things that have drafts: where they are kept, and how refusals speak of them.
pub(crate) struct Kind {
    pub(crate) noun: &'static str,
    /// Id to draft.
    pub(crate) drafts: &'static str,
    /// Id to what was accepted.
    pub(crate) accepted: &'static str,
    /// Id to the last author of the draft; the ledger has the earlier ones (D13).
    pub(crate) authors: &'static str,
    /// The code of a change that names no version.
    pub(crate) exists: &'static str,
    /// Code and text of a change behind the acceptance.
    pub(crate) is_accepted: (&'static str, &'static str),
    /// Code and text of a thing that is not there.
    pub(crate) unknown: (&'static str, &'static str),
}

impl Kind {
    /// Refuses a change of what was accepted.
    ///
    /// # Errors
    /// 405 with the code of the kind.
    pub(crate) fn check_changeable(&self, tx: &mut Tx, id: &str) -> Result<(), ApiError> {
        let (code, message) = self.is_accepted;
        if tx.has(self.accepted, id.as_bytes()) { Err(ApiError::new(405, code, message)) } else { Ok(()) }
    }

    /// Writes a draft, and who wrote it; an existing one only with the version that the caller has read, so that nobody
    /// overwrites what they have not seen.
    ///
    /// # Errors
    /// 409 with the code of the kind, 412 `PreconditionFailed`.
    pub(crate) fn put(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: &str,
        read: Option<&Value>,
        draft: &Value,
    ) -> Result<Output, ApiError> {
        if let Some(current) = version(tx, self.drafts, id) {
            let Some(read) = read.filter(|version| is_truthy(version)) else { return Err(self.already_exists()) };
            check_version(read, &current)?;
        }
        // There may be very many of them, so neither the id nor the author takes more memory than it has to.
        let id = Bytes::copy_from_slice(id.as_bytes());
        let author = Party::of(caller).author().to_string().into_bytes().into_boxed_slice();
        tx.put(self.drafts, id.clone(), to_js_text(draft));
        tx.put(self.authors, id, author);
        Ok(Output::empty())
    }

    /// The first of these views that there is.
    ///
    /// # Errors
    /// 404 with the code of the kind.
    pub(crate) fn view(&self, tx: &mut Tx, id: &str, views: [Look<'_>; 3]) -> Result<Output, ApiError> {
        for look in views {
            if let Some(view) = look(tx, id)? {
                return Ok(Output::json(&view));
            }
        }
        Err(self.not_found())
    }

    /// The ids of everything that has a draft or was accepted.
    pub(crate) fn ids(&self, tx: &mut Tx) -> BTreeSet<String> {
        let mut all = ids(tx, self.drafts);
        all.extend(ids(tx, self.accepted));
        all
    }

    /// 404 with the code of the kind.
    pub(crate) fn not_found(&self) -> ApiError {
        ApiError::not_found(self.unknown.0, self.unknown.1)
    }

    fn already_exists(&self) -> ApiError {
        let noun = self.noun;
        let message = format!(
            "The specified {noun} already exists. If the intent was to update the existing {noun} then retry the request \
             after reading the latest version of the resource and setting the version on the request."
        );
        ApiError::new(409, self.exists, message)
    }
}

/// A way to look at a thing; `None` if there is nothing to see.
pub(crate) type Look<'a> = &'a dyn Fn(&mut Tx, &str) -> Result<Option<Value>, ApiError>;

/// A kind of things that the consortium accepts by a proposal.
pub(crate) struct Voted {
    pub(crate) kind: Kind,
    pub(crate) accepting: Accepting,
    /// What a draft has, in the order of answers.
    pub(crate) members: &'static [&'static str],
}

impl Voted {
    /// The thing as accepted, proposed or draft, whichever it is.
    ///
    /// # Errors
    /// 404 with the code of the kind.
    pub(crate) fn view(&self, tx: &mut Tx, id: &str) -> Result<Output, ApiError> {
        let accepted = |tx: &mut Tx, id: &str| self.accepted(tx, id);
        let proposed = |tx: &mut Tx, id: &str| self.proposed(tx, id);
        let draft = |tx: &mut Tx, id: &str| self.draft(tx, id);
        self.kind.view(tx, id, [&accepted, &proposed, &draft])
    }

    fn accepted(&self, tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
        let Some(record) = stored::json(tx, self.kind.accepted, id.as_bytes())? else { return Ok(None) };
        let view = View::of(id).version(tx, self.kind.accepted, id).with("state", "Accepted");
        let view = view.copy(&record, self.members).copy(&record, &["proposalId"]);
        Ok(Some(view.with("finalVotes", final_votes(&record)).value()))
    }

    fn proposed(&self, tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
        let Some(proposed) = proposed(tx, self.accepting)?.remove(id) else { return Ok(None) };
        let view = View::of(id).with("state", "Proposed").copy(&proposed.content, self.members);
        let view = view.copy(&proposed.content, &["version"]);
        Ok(Some(view.with("proposalId", proposed.proposal_id).value()))
    }

    fn draft(&self, tx: &mut Tx, id: &str) -> Result<Option<Value>, ApiError> {
        let Some(record) = stored::json(tx, self.kind.drafts, id.as_bytes())? else { return Ok(None) };
        let view = View::of(id).with("state", "Draft").version(tx, self.kind.drafts, id).copy(&record, self.members);
        Ok(Some(view.with("proposalId", "").value()))
    }
}

/// Refuses a version that is not the current one. A number is the text that JavaScript makes of it.
///
/// # Errors
/// 412 `PreconditionFailed`.
pub(crate) fn check_version(read: &Value, current: &str) -> Result<(), ApiError> {
    let matches = match read {
        Value::String(read) => read == current,
        Value::Number(read) => read.to_string() == current,
        _ => false,
    };
    if matches { Ok(()) } else { Err(ApiError::new(412, "PreconditionFailed", PRECONDITION_FAILED)) }
}

/// The transaction that last wrote a key, as text.
pub(crate) fn version(tx: &mut Tx, table: &str, id: &str) -> Option<String> {
    tx.written(table, id.as_bytes()).map(|written| written.to_string())
}

/// The keys of a table.
pub(crate) fn ids(tx: &mut Tx, table: &str) -> BTreeSet<String> {
    tx.entries(table).iter().map(|(key, _)| stored::lossy(key)).collect()
}

/// All votes that accepted something by a proposal of the consortium, in the order of the member ids.
fn final_votes(record: &Value) -> Value {
    let mut votes: Vec<(&String, &Value)> =
        record.get("finalVotes").and_then(Value::as_object).into_iter().flatten().collect();
    votes.sort_by_key(|(member, _)| *member);
    votes.into_iter().map(|(member, vote)| json!({ "memberId": member, "vote": vote })).collect()
}

/// An answer in the making; its members keep their order.
pub(crate) struct View(Map<String, Value>);

impl View {
    pub(crate) fn of(id: &str) -> Self {
        Self(Map::from_iter([("id".to_owned(), id.into())]))
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The version of a row that is there.
    pub(crate) fn version(mut self, tx: &mut Tx, table: &str, id: &str) -> Self {
        self.0.extend(version(tx, table, id).map(|version| ("version".to_owned(), version.into())));
        self
    }

    /// Those of the members of a record that are there.
    pub(crate) fn copy(mut self, record: &Value, names: &[&str]) -> Self {
        let copied = |name: &&str| Some(((*name).to_owned(), record.get(*name)?.clone()));
        self.0.extend(names.iter().filter_map(copied));
        self
    }

    pub(crate) fn value(self) -> Value {
        Value::Object(self.0)
    }
}
