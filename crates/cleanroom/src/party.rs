use api::{ApiError, Caller, CallerPolicy};
use kv::Tx;
use serde_json::{Value, json};

use crate::{MEMBERS_INFO, USER_IDENTITIES, USERS_CERTS, body::invalid, stored};

/// Whether somebody is a member or a user: the two ways in which approvers are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PartyKind {
    Member,
    User,
}

/// Somebody who agrees to things. An id says nothing without its kind (D15): a user may be called like a member.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Party {
    pub(crate) kind: PartyKind,
    pub(crate) id: String,
}

impl PartyKind {
    const ALL: [Self; 2] = [Self::Member, Self::User];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::User => "user",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Party {
    /// An authorised caller.
    pub(crate) fn of(caller: &Caller) -> Self {
        let kind = if caller.policy == CallerPolicy::MemberCert { PartyKind::Member } else { PartyKind::User };
        Self { kind, id: caller.id.clone() }
    }

    /// Somebody that a record names by two of its members; `None` if it does not.
    pub(crate) fn named(record: &Value, id: &str, kind: &str) -> Option<Self> {
        let text = |name: &str| record.get(name)?.as_str();
        Some(Self { kind: PartyKind::named(text(kind)?)?, id: text(id)?.to_owned() })
    }

    /// As the author of a draft.
    pub(crate) fn author(&self) -> Value {
        json!({ "id": self.id, "idType": self.kind.name() })
    }

    /// Whether this is still a member or a user: whoever was removed has no say (D14).
    pub(crate) fn is_known(&self, tx: &mut Tx) -> bool {
        let id = self.id.as_bytes();
        match self.kind {
            PartyKind::Member => tx.has(MEMBERS_INFO, id),
            PartyKind::User => tx.has(USERS_CERTS, id) || tx.has(USER_IDENTITIES, id),
        }
    }
}

/// Reads a list of approvers, `[{approverId, approverIdType}]`.
///
/// # Errors
/// 400 `InvalidInput` that names the entry. One of another kind could never agree (D15).
pub(crate) fn approvers(list: &Value) -> Result<Vec<Party>, ApiError> {
    let Some(list) = list.as_array() else { return Err(invalid("approvers must be a list.")) };
    let approver = |(at, entry): (usize, &Value)| {
        Party::named(entry, "approverId", "approverIdType").filter(|party| !party.id.is_empty()).ok_or_else(|| {
            invalid(format!(
                "approvers[{at}] must have an approverId, and an approverIdType that is either 'member' or 'user'."
            ))
        })
    };
    list.iter().enumerate().map(approver).collect()
}

/// The approvers that a record of the service names.
///
/// # Errors
/// 500 if they are not what was stored.
pub(crate) fn stored_approvers(record: &Value) -> Result<Vec<Party>, ApiError> {
    match record.get("approvers") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => approvers(list).map_err(|why| stored::damaged("approvers", why)),
    }
}
