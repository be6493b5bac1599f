use api::{ApiError, is_truthy};
use kv::Tx;
use serde_json::Value;

use crate::{MEMBERS_INFO, stored};

/// Whether a member has a say in the consortium: it is one, and none that only serves it. As the shipped constitution
/// counts votes (`constitution/roles.js`).
pub(crate) fn is_counted(tx: &mut Tx, member: &str) -> Result<bool, ApiError> {
    let Some(info) = stored::json(tx, MEMBERS_INFO, member.as_bytes())? else { return Ok(false) };
    let data = |pointer: &str| info.pointer(&format!("/member_data/{pointer}"));
    let is = |pointer: &str| data(pointer).is_some_and(is_truthy);
    let has_role = |role: &str| data(&format!("cgsRoles/{role}")).and_then(Value::as_str) == Some("true");
    Ok(!(is("isOperator") || is("isRecoveryOperator") || has_role("cgsOperator") || has_role("contractOperator")))
}
