//! Reports of paravisors, and their claims.

use attestation::{
    Cvm, Document,
    cvm::{RuntimeClaims, parts},
    snp::SIZE,
};

use super::{check, is_verified_too, machine, verify};

/// The bytes as a paravisor's report, on its own and in a genuine machine's evidence; and as its claims.
///
/// # Panics
/// If parts are found that are not there, or claims are believed that nobody has bound.
pub fn run(data: &[u8]) {
    claims(data);
    match parts(data, None) {
        Ok((report, found)) => {
            assert_eq!((report.len(), report), (SIZE, &data[32..32 + SIZE]));
            assert_eq!(parts(data, Some(report)), Ok((report, found)));
            let end = 32 + SIZE + 20 + found.len();
            assert_eq!(found, &data[32 + SIZE + 20..end]);
            assert!(data[end..].iter().all(|byte| *byte == 0));
            claims(found);
        }
        Err(rejection) => return check(&rejection),
    }
    if !is_verified_too(data) {
        return;
    }
    let changed = Document::Cvm(Cvm { hcl_report: data.to_vec(), ..machine().clone() });
    if let Some(claims) = verify(&changed) {
        assert_eq!(Some(claims), verify(&Document::Cvm(machine().clone())));
        assert_eq!(parts(data, None), parts(&machine().hcl_report, None));
    }
}

fn claims(data: &[u8]) {
    match RuntimeClaims::parse(data) {
        Ok(claims) => {
            let again = serde_json::to_vec(claims.json()).expect("JSON");
            assert_eq!(RuntimeClaims::parse(&again).as_ref(), Ok(&claims));
            assert!(claims.attestation_key().spki_der().len() > 256, "a key of less than 2048 bits");
            assert!(claims.user_data().is_none_or(|text| text.len() <= data.len()));
        }
        Err(rejection) => check(&rejection),
    }
}
