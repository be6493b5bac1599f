use api::ApiError;
use kv::Tx;
use ledger::tables::COSE_RECENT_PROPOSALS;
use serde_json::Value;

use crate::{
    RECENT_PROPOSERS,
    envelope::{MAX_CREATED_AT, Signed},
    service::{self, DEFAULT_RECENT_PROPOSALS},
    stored,
};

/// Remembers a proposal so that its request cannot be sent again (CCF): the last ones are known, and older ones than the
/// median of these are not taken. Each member's are judged by its own, or a member that dates its proposals far ahead
/// would keep all others from proposing anything.
pub(super) fn remember(tx: &mut Tx, signed: &Signed, digest: &[u8; 32], proposal_id: &str) -> Result<(), ApiError> {
    if signed.created_at > MAX_CREATED_AT {
        let message = "Header parameter created_at value is too large";
        return Err(ApiError::bad_request("InvalidCreatedAt", message));
    }
    let created_at = format!("{:010}", signed.created_at);
    let key = format!("{created_at}:{}", hex::encode(digest));
    if let Some(earlier) = stored::json::<String>(tx, COSE_RECENT_PROPOSALS, key.as_bytes())? {
        let message = format!("Proposal submission replay, already exists as proposal {earlier}");
        return Err(ApiError::bad_request("ProposalReplay", message));
    }
    let known = known(tx, &signed.member_id);
    check_age(&known, &created_at)?;
    tx.put(COSE_RECENT_PROPOSALS, key.clone().into_bytes(), Value::from(proposal_id).to_string());
    tx.put(RECENT_PROPOSERS, key.into_bytes(), signed.member_id.clone());
    forget_oldest(tx, &known)
}

/// What a request is known by. Anybody can turn the `s` of an ECDSA signature into another one that is valid, too, but
/// not its `r`; so a request that is sent again so changed is still the same one.
pub(super) fn fingerprint(signed: &Signed) -> [u8; 32] {
    let r = signed.signature.get(..signed.signature.len() / 2).unwrap_or_default();
    crypto::sha256_parts(&[signed.member_id.as_bytes(), r, &signed.payload])
}

/// The requests of a member that are remembered, the oldest first.
fn known(tx: &mut Tx, member_id: &str) -> Vec<String> {
    let entries = tx.entries(RECENT_PROPOSERS);
    entries.iter().filter(|(_, who)| *who == *member_id.as_bytes()).map(|(key, _)| stored::lossy(key)).collect()
}

/// `known` is in order.
fn check_age(known: &[String], created_at: &str) -> Result<(), ApiError> {
    let median = known.get(known.len() / 2).and_then(|key| key.split(':').next());
    match median {
        Some(median) if created_at < median => {
            let message = format!("Proposal created too long ago, created_at must be greater than {median}");
            Err(ApiError::bad_request("ProposalCreatedTooLongAgo", message))
        }
        _ => Ok(()),
    }
}

fn forget_oldest(tx: &mut Tx, known: &[String]) -> Result<(), ApiError> {
    let window = service::configuration(tx)?.recent_cose_proposals_window_size.unwrap_or(DEFAULT_RECENT_PROPOSALS);
    let window = usize::try_from(window).unwrap_or(usize::MAX).max(1);
    let too_many = (known.len() + 1).saturating_sub(window);
    for key in known.iter().take(too_many) {
        tx.remove(COSE_RECENT_PROPOSALS, key.clone().into_bytes());
        tx.remove(RECENT_PROPOSERS, key.clone().into_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kv::{State, UNIT_KEY};

    use super::*;
    use crate::testing::signed;

    fn remember_at(tx: &mut Tx, created_at: i64, digest: u8) -> Result<(), ApiError> {
        let signed = Signed { created_at, ..signed("m0") };
        remember(tx, &signed, &[digest; 32], &format!("p{digest}"))
    }

    #[test]
    fn a_request_is_taken_once() {
        let mut tx = Tx::new(State::default());
        remember_at(&mut tx, 5, 1).unwrap();
        let error = remember_at(&mut tx, 5, 1).unwrap_err();
        assert_eq!(error.code, "ProposalReplay");
        assert_eq!(error.message, "Proposal submission replay, already exists as proposal p1");
        let key = format!("0000000005:{}", "01".repeat(32));
        assert_eq!(tx.get(COSE_RECENT_PROPOSALS, key.as_bytes()).unwrap(), r#""p1""#);
    }

    #[test]
    fn what_is_older_than_the_median_is_not_taken() {
        let mut tx = Tx::new(State::default());
        for (created_at, digest) in [(10, 1), (20, 2), (30, 3)] {
            remember_at(&mut tx, created_at, digest).unwrap();
        }
        let error = remember_at(&mut tx, 19, 4).unwrap_err();
        assert_eq!(error.code, "ProposalCreatedTooLongAgo");
        assert_eq!(error.message, "Proposal created too long ago, created_at must be greater than 0000000020");
        remember_at(&mut tx, 20, 4).unwrap();
    }

    #[test]
    fn ten_digits_are_the_most() {
        let mut tx = Tx::new(State::default());
        let error = remember_at(&mut tx, 10_000_000_000, 1).unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            ("InvalidCreatedAt", "Header parameter created_at value is too large")
        );
        remember_at(&mut tx, 9_999_999_999, 1).unwrap();
    }

    #[test]
    fn only_the_window_is_remembered() {
        let mut tx = Tx::new(State::default());
        let config = r#"{"recovery_threshold":1,"recent_cose_proposals_window_size":2}"#;
        tx.put(ledger::tables::SERVICE_CONFIG, UNIT_KEY.to_vec(), config);
        for digest in 1..=4 {
            remember_at(&mut tx, digest.into(), digest).unwrap();
        }
        let known: Vec<String> =
            tx.entries(COSE_RECENT_PROPOSALS).iter().map(|(key, _)| stored::lossy(key)[..10].into()).collect();
        assert_eq!(known, ["0000000003", "0000000004"]);
    }

    #[test]
    fn nobody_is_kept_from_proposing_by_the_dates_of_others() {
        let mut tx = Tx::new(State::default());
        for digest in 1..=9 {
            remember_at(&mut tx, MAX_CREATED_AT, digest).unwrap();
        }
        let other = Signed { created_at: 5, ..signed("m1") };
        remember(&mut tx, &other, &[10; 32], "p10").unwrap();
        let config = r#"{"recovery_threshold":1,"recent_cose_proposals_window_size":1}"#;
        tx.put(ledger::tables::SERVICE_CONFIG, UNIT_KEY.to_vec(), config);
        remember_at(&mut tx, MAX_CREATED_AT, 11).unwrap();
        let error = remember(&mut tx, &other, &[10; 32], "p12").unwrap_err();
        assert_eq!(error.code, "ProposalReplay", "the others' are not forgotten by it either");
    }

    #[test]
    fn a_signature_in_its_other_form_is_no_other_request() {
        let first = Signed { signature: [[1; 48], [2; 48]].concat(), ..signed("m0") };
        let turned = Signed { signature: [[1; 48], [3; 48]].concat(), ..first.clone() };
        assert_eq!(fingerprint(&first), fingerprint(&turned));
        for other in [
            Signed { signature: [[4; 48], [2; 48]].concat(), ..first.clone() },
            Signed { payload: "x".into(), ..first.clone() },
            Signed { member_id: "m1".into(), ..first.clone() },
        ] {
            assert_ne!(fingerprint(&first), fingerprint(&other));
        }
    }
}
