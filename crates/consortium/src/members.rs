//! Members: their records, and how they are shown.

use api::{ApiError, Output};
use bytes::Bytes;
use kv::Tx;
use ledger::tables;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{ConsortiumError, ids, json::answer, stored};

/// Where a member is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Agreed on by the others; has not acknowledged the state of the service yet. May read.
    Accepted,
    /// May propose, vote and be counted.
    Active,
}

/// What a member holds for a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecoveryRole {
    /// Nothing.
    NonParticipant,
    /// One share.
    Participant,
    /// The whole secret.
    Owner,
}

/// A member's record in `members.info`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MemberInfo {
    /// Where the member is in its life.
    pub status: Status,
    /// What the consortium noted about the member.
    #[serde(default)]
    pub member_data: Value,
    /// The role, where it was chosen; otherwise it depends on the encryption key.
    #[serde(default)]
    pub recovery_role: Option<RecoveryRole>,
}

/// The record of a member.
///
/// # Errors
/// [`ConsortiumError::Stored`]
pub fn info(tx: &mut Tx, member_id: &str) -> Result<Option<MemberInfo>, ConsortiumError> {
    stored::json(tx, tables::MEMBERS_INFO, member_id.as_bytes())
}

/// What a member holds for a recovery: as chosen, else a share where there is an encryption key.
pub fn recovery_role(tx: &mut Tx, member_id: &str, info: &MemberInfo) -> RecoveryRole {
    let has_key = tx.has(tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, member_id.as_bytes());
    info.recovery_role.unwrap_or(if has_key { RecoveryRole::Participant } else { RecoveryRole::NonParticipant })
}

/// The members with their records, in the order of their ids.
///
/// # Errors
/// [`ConsortiumError::Stored`]
pub fn all(tx: &mut Tx) -> Result<Vec<(String, MemberInfo)>, ConsortiumError> {
    let parse = |(id, value): (Bytes, Bytes)| Ok((stored::lossy(&id), stored::parse(tables::MEMBERS_INFO, &value)?));
    tx.entries(tables::MEMBERS_INFO).into_iter().map(parse).collect()
}

/// Makes an Accepted member Active; whether it was not before.
///
/// # Errors
/// [`ConsortiumError::Stored`] if there is no such member.
pub(crate) fn activate(tx: &mut Tx, member_id: &str) -> Result<bool, ConsortiumError> {
    let record: Option<Map<String, Value>> = stored::json(tx, tables::MEMBERS_INFO, member_id.as_bytes())?;
    let mut record = record.ok_or_else(|| ConsortiumError::Stored {
        table: tables::MEMBERS_INFO,
        why: format!("there is no member m[{member_id}]"),
    })?;
    let active = json!(Status::Active);
    if record.get("status") == Some(&active) {
        return Ok(false);
    }
    record.insert("status".into(), active);
    let text = crate::json::sorted_text(&Value::Object(record));
    tx.put(tables::MEMBERS_INFO, member_id.as_bytes().to_vec(), text);
    Ok(true)
}

/// `GET /gov/service/members`
///
/// # Errors
/// 500 if a record is damaged.
pub fn list(tx: &mut Tx) -> Result<Output, ApiError> {
    let members = all(tx)?;
    let value: Vec<Value> = members.iter().map(|(id, info)| describe(tx, id, info)).collect();
    Ok(answer(&json!({ "value": value })))
}

/// `GET /gov/service/members/{memberId}`
///
/// # Errors
/// 400 `InvalidResourceName`, 404 `ResourceNotFound`.
pub fn read(tx: &mut Tx, member_id: &str) -> Result<Output, ApiError> {
    ids::check("member", member_id)?;
    let Some(info) = info(tx, member_id)? else {
        return Err(ApiError::not_found("ResourceNotFound", format!("Member m[{member_id}] does not exist.")));
    };
    Ok(answer(&describe(tx, member_id, &info)))
}

fn describe(tx: &mut Tx, member_id: &str, info: &MemberInfo) -> Value {
    let mut member = Map::new();
    if let Some(certificate) = stored::text(tx, tables::MEMBERS_CERTS, member_id.as_bytes()) {
        member.insert("certificate".into(), certificate.into());
    }
    member.insert("memberData".into(), info.member_data.clone());
    member.insert("memberId".into(), member_id.into());
    if let Some(key) = stored::text(tx, tables::MEMBERS_ENCRYPTION_PUBLIC_KEYS, member_id.as_bytes()) {
        member.insert("publicEncryptionKey".into(), key.into());
    }
    member.insert("recoveryRole".into(), json!(recovery_role(tx, member_id, info)));
    member.insert("status".into(), json!(info.status));
    Value::Object(member)
}

#[cfg(test)]
mod tests {
    use api::Body;

    use super::*;
    use crate::testing::{Consortium, body};

    #[test]
    fn members_are_shown_with_roles_and_keys() {
        let consortium = Consortium::accepted(2);
        let list = body(&list(&mut consortium.tx()).unwrap());
        let members = list["value"].as_array().unwrap();
        assert_eq!(members.len(), 2);
        let first = members.iter().find(|member| member["memberId"] == consortium.member(0).id.as_str()).unwrap();
        assert_eq!(first["recoveryRole"], "Participant");
        assert_eq!(first["status"], "Accepted");
        assert_eq!(first["memberData"], json!({"identifier": "member0"}));
        assert!(first["publicEncryptionKey"].as_str().unwrap().starts_with("-----BEGIN PUBLIC KEY-----"));
        let second = body(&read(&mut consortium.tx(), &consortium.member(1).id).unwrap());
        assert_eq!(second["recoveryRole"], "NonParticipant");
        assert_eq!(second.get("publicEncryptionKey"), None);
        assert_eq!(second["certificate"], consortium.member(1).certificate.as_str());
    }

    #[test]
    fn unknown_members_are_named() {
        let consortium = Consortium::accepted(1);
        let error = read(&mut consortium.tx(), &"0".repeat(64)).unwrap_err();
        assert_eq!((error.status, error.code), (404, "ResourceNotFound"));
        assert_eq!(error.message, format!("Member m[{}] does not exist.", "0".repeat(64)));
        assert_eq!(read(&mut consortium.tx(), "abc").unwrap_err().code, "InvalidResourceName");
    }

    #[test]
    fn answers_are_sorted_as_in_the_reference() {
        let consortium = Consortium::accepted(1);
        let Body::Json(text) = read(&mut consortium.tx(), &consortium.member(0).id).unwrap().body else { panic!() };
        assert!(text.starts_with(r#"{"certificate":"-----BEGIN"#), "{text}");
    }

    #[test]
    fn activation_keeps_the_rest_of_the_record() {
        let consortium = Consortium::accepted(1);
        let mut tx = consortium.tx();
        let id = consortium.member(0).id.clone();
        assert!(activate(&mut tx, &id).unwrap());
        assert!(!activate(&mut tx, &id).unwrap());
        let raw = stored::text(&mut tx, tables::MEMBERS_INFO, id.as_bytes()).unwrap();
        assert_eq!(raw, r#"{"member_data":{"identifier":"member0"},"status":"Active"}"#);
    }
}
