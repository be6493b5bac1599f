//! The two forms of an ECDSA signature.

/// A signature r ‖ s, each of `length` bytes, as the sequence of two numbers that DER has for it (RFC 3279, 2.2.3).
pub(crate) fn of_fixed(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    if signature.len() != length.checked_mul(2)? {
        return None;
    }
    let (r, s) = signature.split_at(length);
    let numbers = [integer(r)?, integer(s)?].concat();
    Some([header(0x30, numbers.len())?, numbers].concat())
}

fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    // A first bit would be a sign, and there is no number without digits.
    let sign: &[u8] = if digits.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    Some([&header(2, sign.len() + digits.len())?, sign, digits].concat())
}

/// Tag and length, below 256.
fn header(tag: u8, length: usize) -> Option<Vec<u8>> {
    let length = u8::try_from(length).ok()?;
    Some(if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_has_its_length(numbers: [u8; 32]) {
            let der = of_fixed(&[numbers, numbers].concat(), 32).unwrap();
            prop_assert_eq!(der.len(), usize::from(der[1]) + 2);
            prop_assert_eq!(of_fixed(&numbers, 32), None);
        }
    }
}
