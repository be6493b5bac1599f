//! Whether evidence binds a key: that the machine which the evidence is about asked for just this key to be in it.

use crypto::sha256;

/// What evidence binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// The report data of a processor's report, in hexadecimal digits.
    ReportData(String),
    /// What the guest of a virtual machine gave its paravisor, in hexadecimal digits; it may be missing.
    UserData(Option<String>),
}

/// Evidence that does not bind a key. The words are the reference's (cgs-app 3.3 and 3.4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The report data is not 64 bytes.
    #[error("Unexpected string length of attestation.report_data: {0}")]
    ReportDataLength(usize),
    /// The report data is another key's.
    #[error("Attestation report_data value did not match calculated value.")]
    ReportData,
    /// The paravisor says nothing of the guest's.
    #[error("CVM SNP attestation result is missing runtimeClaims 'user-data'.")]
    UserDataMissing,
    /// The guest's data are not 64 bytes.
    #[error("Unexpected string length of runtimeClaims user-data: {0}")]
    UserDataLength(usize),
    /// The guest's data are another key's.
    #[error("Attestation runtimeClaims user-data value did not match calculated value.")]
    UserData,
}

/// The 64 bytes that evidence binds for a public key: SHA-256 of its PEM, byte for byte as it is sent, and 32 zeros.
#[must_use]
pub fn report_data_of(pem: &[u8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    let (digest, _) = bytes.split_at_mut(32);
    digest.copy_from_slice(&sha256(pem));
    bytes
}

impl Bound {
    /// Checks that a public key is bound, given as the bytes of its PEM.
    ///
    /// # Errors
    /// [`BindingError`]
    pub fn check_key(&self, pem: &[u8]) -> Result<(), BindingError> {
        let wanted = hex::encode(report_data_of(pem));
        match self {
            Self::ReportData(found) if found.len() != wanted.len() => {
                Err(BindingError::ReportDataLength(found.encode_utf16().count()))
            }
            Self::ReportData(found) if *found != wanted => Err(BindingError::ReportData),
            Self::UserData(None) => Err(BindingError::UserDataMissing),
            Self::UserData(Some(found)) if found.len() != wanted.len() => {
                Err(BindingError::UserDataLength(found.encode_utf16().count()))
            }
            Self::UserData(Some(found)) if !found.eq_ignore_ascii_case(&wanted) => Err(BindingError::UserData),
            Self::ReportData(_) | Self::UserData(Some(_)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_bound_by_its_digest_and_zeros() {
        let digits = hex::encode(report_data_of(b"abc"));
        assert_eq!(digits, format!("{}{}", hex::encode(sha256(b"abc")), "0".repeat(64)));
        let (report, user) =
            (|text: &str| Bound::ReportData(text.into()), |text: &str| Bound::UserData(Some(text.into())));
        assert_eq!(report(&digits).check_key(b"abc"), Ok(()));
        assert_eq!(user(&digits.to_uppercase()).check_key(b"abc"), Ok(()));
        assert_eq!(user(&digits).check_key(b"abc"), Ok(()));
    }

    #[test]
    fn the_words_are_the_reference_s() {
        let digits = hex::encode(report_data_of(b"abc"));
        let other = format!("{}1", &digits[..127]);
        for (bound, expected) in [
            (Bound::ReportData("ab".into()), "Unexpected string length of attestation.report_data: 2"),
            (Bound::ReportData("é".into()), "Unexpected string length of attestation.report_data: 1"),
            (Bound::ReportData(other.clone()), "Attestation report_data value did not match calculated value."),
            (Bound::ReportData(digits.to_uppercase()), "Attestation report_data value did not match calculated value."),
            (Bound::UserData(None), "CVM SNP attestation result is missing runtimeClaims 'user-data'."),
            (Bound::UserData(Some(String::new())), "Unexpected string length of runtimeClaims user-data: 0"),
            (Bound::UserData(Some(other)), "Attestation runtimeClaims user-data value did not match calculated value."),
        ] {
            assert_eq!(bound.check_key(b"abc").unwrap_err().to_string(), expected);
        }
        assert_eq!(Bound::ReportData(digits).check_key(b"abd"), Err(BindingError::ReportData));
    }
}
