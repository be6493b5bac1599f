//! What tells one piece of evidence from another.
//!
//! Not its bytes: whoever passes evidence on can write it differently, and it is believed all the same. The signature of a
//! report has two forms (s, and the order of the curve minus s), parts that nobody has signed are not looked at (headers
//! beside an endorsement, zeros behind a paravisor's claims, the signature of the attestation key's certificate), and PEM
//! can be broken into other lines. So what counts is what was *signed*, its signatures left out.

use crypto::{Digest, sha256_parts};

use crate::Platform;

/// SHA-256 over the name of the platform, a zero byte, and SHA-256 of each statement, in their order.
pub(crate) fn of(platform: Platform, statements: &[Digest]) -> Digest {
    let head = [platform.name().as_bytes(), &[0]];
    sha256_parts(&head.into_iter().chain(statements.iter().map(Digest::as_slice)).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use crypto::sha256;

    use super::*;

    #[test]
    fn platform_and_statements_count_in_their_order() {
        let all = [
            of(Platform::SnpCaci, &[[1; 32], [2; 32]]),
            of(Platform::SnpCaci, &[[2; 32], [1; 32]]),
            of(Platform::SnpCvm, &[[1; 32], [2; 32]]),
            of(Platform::SnpCaci, &[[1; 32]]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one), "{at}");
        }
        assert_eq!(all[3], sha256(&[b"snp-caci\0".as_slice(), &[1; 32]].concat()));
    }
}
