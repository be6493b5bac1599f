//! Recovery shares, as members fetch them.

use api::{ApiError, Output};
use kv::{Tx, UNIT_KEY};
use ledger::{shares::RecoveryShares, tables};
use serde_json::json;

use crate::{ids, json::answer};

/// `GET /gov/recovery/encrypted-shares/{memberId}`: the member's share of the latest secret, encrypted to the member.
///
/// # Errors
/// 400 `InvalidResourceName`; 404 `ResourceNotFound` for a member that holds none; 500 before the service was opened, as
/// recorded.
pub fn encrypted_share(tx: &mut Tx, member_id: &str) -> Result<Output, ApiError> {
    ids::check("member", member_id)?;
    let Some(stored) = tx.get(tables::RECOVERY_SHARES, &UNIT_KEY) else {
        return Err(ApiError::internal("Failed to retrieve current recovery shares info"));
    };
    let record = RecoveryShares::from_json(&stored).map_err(|why| ApiError::internal(why.to_string()))?;
    let Some(share) = record.encrypted_shares.get(member_id) else {
        let message = format!("Recovery share not found for member m[{member_id}].");
        return Err(ApiError::not_found("ResourceNotFound", message));
    };
    Ok(answer(&json!({ "encryptedShare": share, "memberId": member_id })))
}

#[cfg(test)]
mod tests {
    use constitution::Effect;

    use super::*;
    use crate::testing::{Consortium, body, context, service_certificate};

    #[test]
    fn holders_fetch_their_share_and_others_none() {
        let consortium = Consortium::active(2);
        let mut tx = consortium.tx();
        let (holder, other) = (consortium.member(0).id.as_str(), consortium.member(1).id.as_str());
        let early = encrypted_share(&mut tx, holder).unwrap_err();
        assert_eq!((early.status, early.message.as_str()), (500, "Failed to retrieve current recovery shares info"));
        let open = Effect::TransitionServiceToOpen { previous: None, next: service_certificate().into() };
        crate::effects::apply(&mut tx, open, &context()).unwrap();
        let share = body(&encrypted_share(&mut tx, holder).unwrap());
        assert_eq!(share["memberId"], holder);
        assert_eq!(share["encryptedShare"].as_str().unwrap().len(), 344, "base64 of 256 bytes");
        let error = encrypted_share(&mut tx, other).unwrap_err();
        assert_eq!(error.message, format!("Recovery share not found for member m[{other}]."));
        assert_eq!((error.status, error.code), (404, "ResourceNotFound"));
    }
}
